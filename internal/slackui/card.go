package slackui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
)

// cardBlocks is the server as the person reads it before asking, or what stops
// them. Block ids carry the server's id: another choice resets what belongs to it.
func (w Words) cardBlocks(c cancellation.Card) []slack.Block {
	id := "card:" + strconv.FormatInt(c.Server.ID, 10)
	lines := facts(c.Server)
	if blockers := c.Blockers(); len(blockers) > 0 {
		for _, b := range blockers {
			if b != cancellation.BlockedByTicket || !ourTicket(c) { // else the request's line links it
				lines = append(lines, w.blockedLine(c, b))
			}
		}
		return []slack.Block{block(id+":blocked", lines...)}
	}
	lines = append(lines, costLines(c)...)
	lines = append(lines, goesWithIt(c.Server))
	return []slack.Block{block(id, lines...)}
}

// facts tell one server from another.
func facts(s cancellation.Server) []line {
	where := present(s.Datacenter, s.OS, prefixed("private ", s.PrivateIP), prefixed("public ", s.PublicIP))
	if s.Status != "" && s.Status != "ACTIVE" {
		where = append(where, "status "+shown(s.Status))
	}
	tags := "tags " + unseen
	if s.TagsKnown {
		tags = "no tags"
		if len(s.Tags) > 0 {
			tags = "tags: " + shown(strings.Join(s.Tags, " "))
		}
	}
	ordered := prefixed("ordered ", formatted(s.ProvisionDate, "2 Jan 2006"))
	lines := []line{
		{bold(shown(s.FQDN)), plain(" · id " + strconv.FormatInt(s.ID, 10))},
		words(strings.Join(where, " · ")),
		words(strings.Join(append([]string{tags}, present(ordered)...), " · ")),
	}
	if len(s.Unread) > 0 {
		lines = append(lines, words(shown(strings.Join(s.Unread, ", "))+": "+unseen))
	}
	return lines
}

// present keeps the texts that are not empty, fit to be shown.
func present(texts ...string) []string {
	var kept []string
	for _, text := range texts {
		if text = shown(text); text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// costLines say what ends when, and until when the request must be in.
func costLines(c cancellation.Card) []line {
	cost, amount := monthly(c.Server)
	first := line{bold(cost), plain(".")}
	b := c.Server.Billing
	bill := calendar(b.NextBillDate)
	if bill == "" {
		return []line{first, words("Next bill date " + unseen + ".")}
	}
	later := "Later costs one more month."
	if amount != "" && !c.Server.Hourly {
		later = "Later costs one more month: " + money(b.MonthlyTotal) + "."
	}
	first = line{bold(cost), plain(". Next bill date "), bold(bill), plain(".")}
	switch term := termOf(c, c.ReadAt); term {
	case beforeCutoff:
		return []line{first, {
			plain("The request must be in by "), bold(calendar(c.Cutoff)),
			plain(" (" + zone(c.Cutoff) + "). " + later),
		}}
	case afterCutoff:
		return []line{first, words("The cut-off for that date has passed: it takes effect one month later.")}
	default:
		return []line{first, words("Takes effect on " + bill + " (" + zone(b.NextBillDate) + "), or one month later if the cut-off has passed.")}
	}
}

// term is which bill date a request takes effect at, as far as anybody can tell.
type term int

const (
	cutoffUnknown term = iota
	beforeCutoff
	afterCutoff
)

// termOf compares an instant with the cut-off of the card's next bill date. A
// cut-off beyond that date is the following one: this one has passed.
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/getCancellationCutoffDate/
func termOf(c cancellation.Card, at time.Time) term {
	if c.Server.Billing == nil {
		return cutoffUnknown
	}
	cutoff, err := time.Parse(time.RFC3339, c.Cutoff)
	bill, billErr := time.Parse(time.RFC3339, c.Server.Billing.NextBillDate)
	switch {
	case err != nil || billErr != nil:
		return cutoffUnknown
	case cutoff.After(bill), at.After(cutoff):
		return afterCutoff
	}
	return beforeCutoff
}

func goesWithIt(s cancellation.Server) line {
	drives := "its drives (wiped, not recoverable)"
	switch n := s.Billing.Drives; {
	case n == 1:
		drives = "1 drive (wiped, not recoverable)"
	case n > 1:
		drives = fmt.Sprintf("%d drives (wiped, not recoverable)", n)
	}
	return line{bold("Goes with it:"), plain(" " + drives + ", its primary IP addresses.")}
}

// warnings are what a person has to confirm before asking, as it was when the card
// was read.
func warnings(c cancellation.Card) []string {
	found, _ := c.Server.Warnings(c.ReadAt)
	return found
}

func warningWords(s cancellation.Server, warning string) string {
	switch warning {
	case cancellation.WarningGateway:
		return "Member of a network gateway: the gateway loses it."
	case cancellation.WarningProvisioned:
		return "Ordered less than a week ago."
	case cancellation.WarningTransaction:
		return cut("Its last transaction was "+oneLine(s.LastTransaction), 74) + "."
	}
	return warning
}

// blockedLine is one blocker in the card's place, with its ticket's link where there is one.
func (w Words) blockedLine(c cancellation.Card, b cancellation.Blocker) line {
	l := words("⛔ Cannot be cancelled here: " + blockedWords(c, b) + ".")
	ticket := c.Server.OpenTicket
	if b == cancellation.BlockedByRequest && c.Standing != nil {
		ticket = &c.Standing.Ticket
	}
	if ticket == nil || ticket.ID == 0 || (b != cancellation.BlockedByTicket && b != cancellation.BlockedByRequest) {
		return l
	}
	if url := w.ticketURL(*ticket); url != "" {
		l = append(l, plain(" "), labelled(url, "Open the ticket"))
	}
	return l
}

// ourTicket reports whether the open ticket is the one of the request that stands.
func ourTicket(c cancellation.Card) bool {
	return c.Standing != nil && c.Server.OpenTicket != nil && c.Standing.Ticket.ID == c.Server.OpenTicket.ID
}

// blockedWords says what stops a submission, for the card and for the field's error.
func blockedWords(c cancellation.Card, b cancellation.Blocker) string {
	switch {
	case b == cancellation.BlockedByTicket && c.Server.OpenTicket != nil:
		return ticketName(*c.Server.OpenTicket) + " stands already"
	case b == cancellation.BlockedByTransaction && c.Server.Transaction != "":
		return "a transaction is running (" + shown(c.Server.Transaction) + "); try again when it is over"
	case b == cancellation.BlockedByRequest && c.Standing != nil:
		return fmt.Sprintf("%s asked already; request %s: %s", whose(c.Standing.By), c.Standing.Ref, standingWords(c.Standing.State))
	case b == cancellation.BlockedByPending && c.Server.Billing != nil:
		if date := calendar(c.Server.Billing.CancellationDate); date != "" {
			return "its cancellation is on the books already, for " + date
		}
	}
	return blockerWords(b)
}

// blockerWords says what a blocker means where no card is at hand.
func blockerWords(b cancellation.Blocker) string {
	switch b {
	case cancellation.BlockedByTicket:
		return "a cancellation ticket stands already"
	case cancellation.BlockedByTransaction:
		return "a transaction is running on it"
	case cancellation.BlockedByNoBilling:
		return "SoftLayer has no billing item for it, or this key may not see it"
	case cancellation.BlockedByPending:
		return "its cancellation is on the books already"
	case cancellation.BlockedByNotAllowed:
		return "SoftLayer does not let its billing item be cancelled; a contract may still run"
	case cancellation.BlockedByDisconnection:
		return "SoftLayer blocks its cancellation because it is disconnected"
	case cancellation.BlockedByRequest:
		return "another request for it stands"
	}
	return shown(string(b))
}

func whose(p cancellation.Person) string {
	if p.Name == "" {
		return "somebody"
	}
	return shown(p.Name)
}
