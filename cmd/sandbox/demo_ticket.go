package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cancel-server/internal/fakeslack"
)

// messages are those of the channel, then those that only the person sees.
func (d *demo) messages(ctx context.Context) ([]fakeslack.Message, error) {
	var all []fakeslack.Message
	for _, conversation := range []string{d.user.ID, d.channel.ID} {
		var some []fakeslack.Message
		if err := d.get(ctx, "/control/messages?channel="+url.QueryEscape(conversation), &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// lastWords is the last thing that the bot wrote, to explain what went wrong.
func (d *demo) lastWords(ctx context.Context) string {
	messages, err := d.messages(ctx)
	if err != nil || len(messages) == 0 {
		return "the bot wrote no message"
	}
	last := messages[len(messages)-1]
	return fmt.Sprintf("the bot's last message is %q", append(wordsOf(last.Blocks), last.Text))
}

// awaitLink waits for the message with the link to a ticket and returns the
// ticket's id.
func (d *demo) awaitLink(ctx context.Context) (int64, error) {
	link := regexp.MustCompile(regexp.QuoteMeta(d.url) + `/softlayer/tickets/([0-9]+)`)
	var found fakeslack.Message
	var ticket int64
	err := eventually(ctx, d.limits.arrive, func() (bool, error) {
		messages, err := d.messages(ctx)
		if err != nil {
			return false, err
		}
		for _, found = range messages {
			if parts := link.FindStringSubmatch(strings.Join(append(wordsOf(found.Blocks), found.Text), "\n")); parts != nil {
				ticket, err = strconv.ParseInt(parts[1], 10, 64)
				return true, err
			}
		}
		return false, nil
	})
	switch {
	case errors.Is(err, errNever):
		return 0, fmt.Errorf("waiting %v for the ticket's link: it did not arrive; %s", d.limits.arrive, d.lastWords(ctx))
	case err != nil:
		return 0, err
	case found.Channel != d.channel.ID || found.To != "":
		return 0, fmt.Errorf("waiting for the ticket's link: only %s saw it, not the channel: %q", d.user.RealName, found.Text)
	}
	d.say("A message arrives in #%s: %s", d.channel.Name, d.plain(found.Text))
	return ticket, nil
}

// mrkdwnLink is a link, or a mention with or without its name, in mrkdwn.
// https://docs.slack.dev/messaging/formatting-message-text
var mrkdwnLink = regexp.MustCompile(`<([^<>|]+)(?:\|([^<>]+))?>`)

// plain is mrkdwn as the page shows it, without the targets of its links.
func (d *demo) plain(mrkdwn string) string {
	shown := mrkdwnLink.ReplaceAllStringFunc(mrkdwn, func(link string) string {
		parts := mrkdwnLink.FindStringSubmatch(link)
		switch {
		case parts[1] == "@"+d.user.ID:
			return "@" + d.user.Name
		case parts[2] != "":
			return parts[2]
		}
		return parts[1]
	})
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(shown)
}

// checkTicket follows the link, and counts the tickets of the server.
func (d *demo) checkTicket(ctx context.Context, ticket int64) error {
	path := fmt.Sprintf("/softlayer/tickets/%d", ticket)
	var page string
	if err := d.get(ctx, path, &page); err != nil {
		return err
	}
	if !strings.Contains(page, d.name) {
		return fmt.Errorf("following the link %s%s: its page does not name %s", d.url, path, d.name)
	}
	var tickets []struct {
		ID       int64                `json:"id"`
		Attached []struct{ ID int64 } `json:"attachedHardware"`
	}
	if err := d.get(ctx, "/control/tickets", &tickets); err != nil {
		return err
	}
	var ours []int64
	for _, t := range tickets {
		if slices.Contains(t.Attached, struct{ ID int64 }{d.server}) {
			ours = append(ours, t.ID)
		}
	}
	if len(ours) != 1 || ours[0] != ticket {
		return fmt.Errorf("counting the tickets for %s: ticket %d must be the only one, SoftLayer has %d", d.name, ticket, ours)
	}
	d.say("The link %s%s opens the ticket, the only one for %s.", d.url, path, d.name)
	d.say("Done. To do it by hand, in a browser: go run ./cmd/sandbox")
	return nil
}
