package words

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

// goldenFreeze is a freeze that somebody in Slack ordered.
func goldenFreeze() cancellation.Freeze {
	return cancellation.Freeze{Frozen: true, Actor: "T1/U8", Why: "SoftLayer has an outage", At: slacktest.Noon, Number: 3}
}

// goldenForms is the form in each of its states.
func goldenForms() map[string]slack.ModalViewRequest {
	w := testWords()
	card := func(changes ...func(*cancellation.Card)) *cancellation.Card {
		c := slacktest.Request(cancellation.Scheduled).Submission.Card
		for _, change := range changes {
			change(&c)
		}
		return &c
	}
	base := Form{Account: cancellation.Account{ID: "123456", Name: "acme-prod"}, Place: cancellation.Place{Channel: "C1", ChannelName: "infra-changes"}}
	show := func(change func(*Form)) slack.ModalViewRequest {
		f := base
		change(&f)
		return w.Modal(f, "sealed")
	}
	all := map[string]slack.ModalViewRequest{
		"form":         w.Modal(base, "sealed"),
		"form-private": show(func(f *Form) { f.Place = cancellation.Place{Channel: "D1", ChannelName: "directmessage"} }),
		"form-note": show(func(f *Form) {
			f.Note = NoServerCalled("db-042", []cancellation.Server{slacktest.DBServer()})
		}),
		"form-offers": show(func(f *Form) {
			twin := slacktest.DBServer()
			twin.ID, twin.FQDN = 1234569, "db-042.prod.example.com"
			f.Note, f.Offers = "This message names 2 servers: db-042.stg.example.com, db-042.prod.example.com. Choose the server that you mean.", []cancellation.Server{slacktest.DBServer(), twin}
		}),
		"form-failed": show(func(f *Form) {
			f.Typed.Server, f.Failed = 1234567, ChosenUnread(cancellation.ErrServerNotFound)
		}),
		"card": show(func(f *Form) { f.Card = card() }),
		"card-filled": show(func(f *Form) {
			f.Card = card()
			f.Typed = Typed{Server: 1234567, Reason: "Sales process / upgrades", Content: "Replaced.\nBackups kept.", Associated: true, Confirmation: "db-042"}
		}),
		"card-warnings": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) {
				c.Server.Gateway, c.Server.LastTransaction, c.Server.ProvisionDate = true, "Upgrade", "2026-11-20T00:00:00Z"
				c.Server.LastTransactionAt = "2026-11-20T00:00:00Z"
				c.Server.GatewayName, c.Server.Partners, c.Server.PartnersKnown = "gw-fra02", []string{"gw-fra02b"}, true
				c.Server.Status = "DEPLOY"
			})
		}),
		"card-gateway-hidden": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) { c.Server.Gateway = true })
		}),
		"card-gateway-large": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) {
				c.Server.Gateway, c.Server.GatewayName, c.Server.PartnersKnown = true, "gateway-of-the-staging-networks", true
				c.Server.Partners = []string{"", "gateway-staging-02", "gateway-staging-03"}
			})
		}),
		"card-hidden": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) {
				c.Server.Datacenter, c.Server.Status, c.Server.OS, c.TicketsHidden = "", "", "", true
				c.Server.Hidden = []string{
					cancellation.FactDatacenter, cancellation.FactStatus, cancellation.FactSystem,
					cancellation.FactAllowed, cancellation.FactPending, cancellation.FactParts, cancellation.FactAssociated,
					cancellation.FactDisconnection,
				}
				c.Server.Billing.Drives, c.Server.Billing.Associated = 0, nil
			})
		}),
		"card-items": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) {
				c.Server.Billing.Associated = nil
				for n := range 13 {
					c.Server.Billing.Associated = append(c.Server.Billing.Associated, cancellation.AssociatedItem{ID: int64(n + 1), Description: fmt.Sprintf("Portable storage %d", n+1), Fee: "49.00"})
				}
				c.Server.Billing.Associated[1].Description = ""
			})
		}),
		"card-unseen": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) {
				c.Server.TagsKnown, c.Server.Tags, c.Cutoff = false, nil, ""
				c.Server.Unread = []string{cancellation.FactGateway, cancellation.FactLastTransaction}
				c.Server.Billing.MonthlyTotal, c.Server.Billing.Drives = "", 0
				c.Server.Billing.Associated[0].Fee = ""
			})
		}),
		"card-refused": show(func(f *Form) {
			f.Card = card()
			f.Refused = &authz.Decision{Rule: "protected-tags", Reason: "servers tagged protected are never cancelled here; the people who run this bot can say why."}
		}),
		"card-refused-blocked": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) { c.Server.OpenTicket = &cancellation.TicketID{ID: 153572280} })
			f.Refused = &authz.Decision{Rule: "protected-tags", Reason: "servers tagged protected are never cancelled here; the people who run this bot can say why."}
		}),
		"card-late": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) { c.Cutoff = "2026-12-28T23:59:59-06:00" })
		}),
		"card-hourly": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) { c.Server.Hourly, c.Server.Billing.HourlyFee = true, "0.565" })
		}),
		"blocked-ticket": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) {
				c.Server.OpenTicket = &cancellation.TicketID{ID: 153572280, Number: "CS1234567"}
			})
		}),
		"blocked-request": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) {
				c.Standing = &cancellation.Standing{Ref: "7F3K-2QXD", State: cancellation.Filed, By: cancellation.Person{ID: "U7", Name: "Ana"}, Ticket: cancellation.TicketID{ID: 153572280}}
			})
		}),
		"blocked-filed": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) {
				ticket := cancellation.TicketID{ID: 153572280, Number: "CS1234567"}
				c.Server.OpenTicket = &ticket
				c.Standing = &cancellation.Standing{Ref: "7F3K-2QXD", State: cancellation.Filed, By: cancellation.Person{ID: "U7", Name: "Ana"}, Ticket: ticket}
			})
		}),
		"blocked-all": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) {
				c.Server.Transaction, c.Server.Disconnected = "Reload OS", true
				c.Server.Billing.NotCancellable, c.Server.Billing.CancellationDate = true, "2026-12-01T00:00:00-06:00"
			})
		}),
		"blocked-contract": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) {
				c.Server.Billing.UnderContract, c.Server.Billing.ContractEnd = true, "2027-03-03T00:00:00-06:00"
			})
		}),
		"blocked-billing": show(func(f *Form) { f.Card = card(func(c *cancellation.Card) { c.Server.Billing = nil }) }),
		"looking-up":      LookingUp("db-042", "sealed"),
		"frozen":          show(func(f *Form) { f.Frozen = goldenFreeze() }),
		"blocked-ended": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) {
				c.Standing = &cancellation.Standing{
					Ref: "7F3K-2QXD", State: cancellation.Filed, By: cancellation.Person{Team: "T1", ID: "U7", Name: "Ana"},
					Ticket: cancellation.TicketID{ID: 153572280}, Known: slacktest.Noon.Add(15 * time.Minute),
				}
			})
		}),
		"card-reading": show(func(f *Form) { f.Card, f.Reading = card(), true }),
	}
	for name, stays := range goldenStays() {
		all["card-"+name] = show(func(f *Form) { f.Card = card(func(c *cancellation.Card) { c.Stays = stays }) })
	}
	return all
}

// goldenClicks is the views that a click or a submission answers with.
func goldenClicks() map[string]slack.ModalViewRequest {
	w := testWords()
	return map[string]slack.ModalViewRequest{
		"recorded":                Recorded(slacktest.Request(cancellation.Scheduled), cancellation.Freeze{}),
		"recorded-frozen":         Recorded(slacktest.Request(cancellation.Scheduled), goldenFreeze()),
		"recorded-pending-frozen": Recorded(slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo), goldenFreeze()),
		"denied":                  testWords().Denied(slacktest.Request(cancellation.Denied, slacktest.ByRule("prod-data-team", "servers tagged prod are cancelled by the data team only."))),
		"recorded-pending":        Recorded(slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo), cancellation.Freeze{}),
		"recorded-undo":           Recorded(slacktest.Request(cancellation.Scheduled, func(r *cancellation.Request) { r.UndoUntil = slacktest.Noon.Add(10 * time.Minute) }), cancellation.Freeze{}),
		"decline":                 DeclineForm(slacktest.Request(cancellation.Pending)),
		"found-ticket":            FoundForm(slacktest.Request(cancellation.Stuck)),
		"leave":                   LeaveForm(slacktest.Request(cancellation.Stuck, func(r *cancellation.Request) { r.Since = slacktest.Noon })),
		"details":                 w.Details(slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo)),
		"details-all": w.Details(slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, func(r *cancellation.Request) {
			r.Submission.Associated = true
			s := &r.Submission.Card.Server
			s.Gateway, s.GatewayName, s.Partners, s.PartnersKnown = true, "gw-fra02", []string{"gw-fra02b"}, true
			s.LastTransaction, s.LastTransactionAt = "Upgrade", "2026-11-20T00:00:00Z"
		})),
		"held":        w.Held(slacktest.Request(cancellation.Filed)),
		"not-known":   testWords().NotKnown(slacktest.Ref),
		"broken-form": BrokenForm("/cancel-server"),
	}
}

func TestSlackTakesEveryView(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	views := goldenForms()
	maps.Copy(views, goldenClicks())
	maps.Copy(views, goldenViewsOfAnswers())
	for _, name := range slices.Sorted(maps.Keys(views)) {
		_, err := judge.Open(views[name])
		require.NoError(t, err, "Slack takes %s", name)
		assert.NotContains(t, []string{"Cancel", ""}, views[name].Close.Text, "%s: what dismisses is not called Cancel", name)
	}
}
