package main

import (
	"context"
	"time"
)

// warm reads what the first command would wait for. Failures are only logged.
func (b *bot) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	b.warmGroups(ctx)
	rights, err := b.tickets.Rights(ctx)
	if err != nil {
		b.log.Warn("reading the rights of the SoftLayer key", "err", err)
		return
	}
	for name, has := range map[string]bool{"SERVER_CANCEL": rights.Cancel, "TICKET_ADD": rights.AddTickets, "TICKET_VIEW": rights.ViewTickets} {
		if !has {
			b.log.Error("the SoftLayer key lacks a right that the bot needs", "right", name)
		}
	}
}

// warmGroups reads the groups of the policy in force.
func (b *bot) warmGroups(ctx context.Context) {
	if err := b.directory.Warm(ctx, b.policy.Policy().GroupIDs()); err != nil {
		b.log.Warn("reading the policy's user groups", "err", err)
	}
}
