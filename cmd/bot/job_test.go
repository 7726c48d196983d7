//go:build unix

package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/postgrestest"
)

func TestMainJobFromCommandToTicketLink(t *testing.T) {
	overBothWith(t, setup{fresh: true}, mainJob)
}

func TestTheMainJobOnPostgreSQL(t *testing.T) {
	overHTTP(t, setup{before: func(w *world) { w.postgres = postgrestest.DatabaseFor(w.t, 1) }}, mainJob)
}

func mainJob(t *testing.T, w *world) {
	ack := w.request(w.cast.User, w.server)
	require.Empty(t, ack.Error)

	message := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
	tickets := w.tickets(w.server)
	require.Len(t, tickets, 1, "one ticket")
	blocks := message.Shown
	assert.Contains(t, blocks, fmt.Sprintf("%s/softlayer/tickets/%d", w.url, tickets[0].ID), "the link to it")
	assert.Contains(t, tickets[0].FirstUpdate.Entry, w.cast.User, "who asked")
	assert.Contains(t, tickets[0].FirstUpdate.Entry, "Replaced by db-060.")
	assert.Len(t, w.posts(), 1)
	assert.Equal(t, []string{w.cast.User}, message.Mentions, "the requester alone is mentioned")
	assert.Empty(t, w.broken(), "no rule of a vendor's was broken")
}
