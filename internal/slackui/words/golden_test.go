package words

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

var rewrite = flag.Bool("update", false, "write the golden files anew")

// golden compares what is really sent with what stands in testdata.
func golden(t *testing.T, name string, sent any) {
	t.Helper()
	var got bytes.Buffer
	lines := json.NewEncoder(&got)
	lines.SetEscapeHTML(false)
	lines.SetIndent("", "  ")
	require.NoError(t, lines.Encode(sent))
	path := filepath.Join("testdata", name+".golden.json")
	if *rewrite {
		require.NoError(t, os.WriteFile(path, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "go test -update writes it")
	assert.Equal(t, string(want), got.String(), "%s; go test -update accepts it", name)
}

// goldenMessages is every root message.
func goldenMessages() map[string]cancellation.Request {
	return map[string]cancellation.Request{
		"scheduled":     slacktest.Request(cancellation.Scheduled),
		"scheduled-why": slacktest.Request(cancellation.Scheduled, slacktest.Because(cancellation.WhyWaiting, "Rate limit of 50 requests for every 1 second(s) exceeded.")),
		"scheduled-unsent": slacktest.Request(cancellation.Scheduled, slacktest.Because(cancellation.WhyWaiting,
			"calling SoftLayer_Ticket/createCancelServerTicket: nothing was sent: lookup api.softlayer.com on 10.3.4.5:53: dial tcp [2001:db8::7]:443: refused by 169.50.1.2 in Class::call at 12:00:07.")),
		"scheduled-frozen":    slacktest.Request(cancellation.Scheduled, slacktest.HeldBy("T1/U8", "an outage at 10.3.4.5")),
		"scheduled-operators": slacktest.Request(cancellation.Scheduled, slacktest.HeldBy("operator:root", "an outage")),
		"filed-unseen":        slacktest.Request(cancellation.Filed, slacktest.Because(cancellation.WhyUnseen, ""), func(r *cancellation.Request) { r.Why.By = "operator:root" }, func(r *cancellation.Request) { r.Since = slacktest.Noon }),
		"sent-again":          slacktest.Request(cancellation.Scheduled, func(r *cancellation.Request) { r.LostPosts = 1 }),
		"filing":              slacktest.Request(cancellation.Filing),
		"filed":               slacktest.Request(cancellation.Filed),
		"filed-settled":       slacktest.Request(cancellation.Filed, func(r *cancellation.Request) { r.UpdatedAt = slacktest.Noon.Add(7 * 24 * time.Hour) }),
		"filed-late":          slacktest.Request(cancellation.Filed, func(r *cancellation.Request) { r.SentAt = slacktest.Noon.Add(7 * 24 * time.Hour) }),
		"filed-unsure":        slacktest.Request(cancellation.Filed, func(r *cancellation.Request) { r.SentAt = time.Time{} }),
		"filed-hourly":        slacktest.Request(cancellation.Filed, hourly),
		"filed-associated":    slacktest.Request(cancellation.Filed, func(r *cancellation.Request) { r.Submission.Associated = true }),
		"filed-unread-cutoff": slacktest.Request(cancellation.Filed, func(r *cancellation.Request) {
			r.Submission.Card.Cutoff, r.Ticket.Number = "", "153572280"
		}),
		"filed-unseen-billing": slacktest.Request(cancellation.Filed, func(r *cancellation.Request) {
			r.Submission.Card.Server.Billing = &cancellation.Billing{ID: 77}
		}),
		"duplicate":          slacktest.Request(cancellation.Duplicate),
		"denied":             slacktest.Request(cancellation.Denied, slacktest.Because("", "servers tagged prod are cancelled by the data team only."), slacktest.ByRule("prod-data-team")),
		"pending":            slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo),
		"pending-approved":   slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, slacktest.ApprovedBy("U8")),
		"pending-dear":       slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, func(r *cancellation.Request) { r.ExpiresAt = slacktest.Noon.Add(30 * 24 * time.Hour) }),
		"pending-unseen":     slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, func(r *cancellation.Request) { r.Submission.Card.Server.Billing = &cancellation.Billing{ID: 77} }),
		"scheduled-approved": slacktest.Request(cancellation.Scheduled, slacktest.ApprovedBy("U8")),
		"scheduled-undo":     slacktest.Request(cancellation.Scheduled, slacktest.ApprovedBy("U8"), func(r *cancellation.Request) { r.UndoUntil = slacktest.Noon.Add(10 * time.Minute) }),
		"filed-approved":     slacktest.Request(cancellation.Filed, slacktest.ApprovedBy("U8", "U9")),
		"declined":           slacktest.Request(cancellation.Declined, slacktest.Because("", "we still need 10.3.4.5"), slacktest.EndedBy("U8")),
		"expired":            slacktest.Request(cancellation.Expired),
		"withdrawn-person":   slacktest.Request(cancellation.Withdrawn, slacktest.EndedBy("U7")),
		"rejected":           slacktest.Request(cancellation.Rejected, slacktest.Because("", "Cancellation reason must be provided.")),
		"rejected-changed":   slacktest.Request(cancellation.Rejected, slacktest.Because(cancellation.WhyChanged, "name, tags")),
		"rejected-blocked":   slacktest.Request(cancellation.Rejected, slacktest.Because(cancellation.WhyBlocked, "transaction, pending-cancellation")),
		"rejected-warned":    slacktest.Request(cancellation.Rejected, slacktest.Because(cancellation.WhyWarned, "gateway-member, recent-transaction")),
		"rejected-notfound":  slacktest.Request(cancellation.Rejected, slacktest.Because(cancellation.WhyNotFound, "")),
		"unknown":            slacktest.Request(cancellation.Unknown),
		"stuck-unclear":      slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyUnclear, "the key has no right to view tickets"), slacktest.Lost(1)),
		"stuck-restarted":    slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyUnclear, "the key has no right to view tickets")),
		"stuck-lost":         slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyTwoLost, "2")),
		"stuck-hidden":       slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyTicketHidden, "153572280")),
		"stuck-closed":       slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyClosedBlocks, "153572280")),
		"stuck-checked":      slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyChanged, "name")),
		"stuck-poison":       slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyPoison, "index out of range")),
		"withdrawn":          slacktest.Request(cancellation.Withdrawn, slacktest.Because("", "looked twice")),
		"reverted":           slacktest.Request(cancellation.Reverted),
		"reclaimed":          slacktest.Request(cancellation.Reclaimed),
	}
}

// goldenFreeze is a freeze that somebody in Slack ordered.
func goldenFreeze() cancellation.Freeze {
	return cancellation.Freeze{Frozen: true, Actor: "T1/U8", Why: "SoftLayer has an outage", At: slacktest.Noon, Number: 3}
}

// TestWhereApproversAreAskedTheCardAsksThem holds the two other forms of a request that
// waits, and its reminder.
func TestWhereApproversAreAskedTheCardAsksThem(t *testing.T) {
	t.Parallel()
	judge, r := slacktest.NewJudge(t), slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo)
	for name, m := range map[string]Message{
		"card":     testWords().Live(cancellation.ApprovalCard, r),
		"card-dm":  testWords().Live(cancellation.Direct("U8"), r),
		"untold":   testWords().Live(cancellation.Direct(r.Submission.By.ID), r),
		"reminder": testWords().Reminder(r),
	} {
		golden(t, "pending-"+name, map[string]any{"text": m.Text, "blocks": m.Blocks})
		require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes %s", name)
	}
}

func TestNoAddressThatPeopleTypeReachesAChannel(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{
		"10.3.4.5", "was ip:10.3.4.5", "10.3.4.5_old", "v10.3.4.5", "db.10.3.4.5", "10.3.4.5.example.com", "10.3.4.5:ssh", "10.3.4.5:22",
		"010.003.004.005", "http://10.3.4.5/", "(10.3.4.5)", "10.3.4.5/24", "10.3.4.5-10.3.4.5", "10.\u200b3.4.5", "::ffff:10.3.4.5", "64:ff9b::10.3.4.5",
		"2001:db8::7", "see 2001:db8::7.", "2001:db8::7: refused", "ip:2001:db8::7", "2001:db8::7_old", "[2001:db8::7]:443", "2001:db8::/32",
		"2001:db8::7/64", "2001:db8::7%eth0", "2001:DB8:0:0:0:0:0:7", "2001:db8:0:0:0:0:0:7:443", "::1", "fe80::abcd",
	} {
		said := public("we need " + typed + " still")
		assert.NotRegexp(t, `[0-9]\.[0-9]|(?i)db8|::1|fe80|ff9b`, said, typed)
		assert.Contains(t, said, "(address)", typed)
		assert.Regexp(t, `^we need .* still$`, said, typed)
	}
	for _, typed := range []string{
		"1.2.3", "v1.26.8", "go1.26", "26.11.2026", "at 12:00:07.", "00:1a:2b:3c:4d:5e", "Class::call", "SoftLayer_Ticket::getObject", "std::add", "Face::Bad",
		"db-042.stg.example.com:443", "net::ERR_1", "a: b", "1,2,3,4", "100.50 USD", "10:30", "::",
	} {
		assert.Equal(t, typed, public(typed))
	}
	assert.Equal(t, "(address): refused by (address).", public("10.3.4.5: refused by 2001:db8::7."))
}

func hourly(r *cancellation.Request) {
	s := &r.Submission.Card.Server
	s.Hourly, s.Billing.HourlyFee, s.Billing.MonthlyTotal = true, "0.565", "101.13"
}

func TestEveryMessageIsAsItStandsInItsGoldenFile(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	messages := goldenMessages()
	for _, name := range slices.Sorted(maps.Keys(messages)) {
		m := testWords().Live(cancellation.Result, messages[name])
		golden(t, "message-"+name, map[string]any{"text": m.Text, "blocks": m.Blocks})
		require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes %s", name)
		blocks, err := json.Marshal(m.Blocks)
		require.NoError(t, err)
		for _, said := range []string{m.Text, string(blocks)} {
			assert.NotContains(t, said, "10.3.4.5", "%s: no address in a channel", name)
			assert.NotContains(t, said, "169.50.1.2", "%s: no address in a channel", name)
			assert.NotContains(t, said, "2001:db8::7", "%s: no address in a channel", name)
			assert.Contains(t, said, "7F3K-2QXD", name)
			assert.Contains(t, said, "db-042.stg.example.com", name)
		}
		assert.NotContains(t, m.Text, "\n", "%s: the text is one line", name)
	}
}

func TestEveryAlarmIsAsItStandsInItsGoldenFile(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	for _, state := range []cancellation.State{cancellation.Filing, cancellation.Unknown, cancellation.Stuck, cancellation.Filed} {
		m := testWords().Alarm(slacktest.Request(state, slacktest.Because(cancellation.WhyUnclear, "ticket 9 cannot be read"), slacktest.Lost(1)))
		golden(t, "alarm-"+string(state), map[string]any{"text": m.Text, "blocks": m.Blocks})
		require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes it")
		assert.Contains(t, m.Text, "7F3K-2QXD")
	}
}

func TestARefusedPolicyIsToldAsItStandsInItsGoldenFile(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	problem := func(i int) string { return fmt.Sprintf("POLICY_FILE: policy.cedar:%d:1: <!channel> & *unknown*", i) }
	few, many := []string{problem(1)}, []string{problem(1), problem(2), problem(3) + strings.Repeat("x", 1000), problem(4), problem(5), problem(6), problem(7)}
	for name, problems := range map[string][]string{"policy-refused": few, "policy-refused-long": many} {
		m := testWords().PolicyRefused(problems)
		golden(t, name, map[string]any{"text": m.Text, "blocks": m.Blocks})
		require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes it")
	}
	assert.NotContains(t, testWords().PolicyRefused(few).Text, "<!channel>")
}

func TestARequestThatCannotBeReadIsToldByItsReference(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	r := cancellation.Request{Ref: slacktest.Ref, State: cancellation.Stuck, Why: cancellation.Reason{Code: cancellation.WhyPoison, Detail: "not JSON"}}
	for _, m := range []Message{testWords().Result(r), testWords().Alarm(r)} {
		require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes it")
		assert.Contains(t, m.Text, "request 7F3K-2QXD")
		assert.NotContains(t, m.Text, "Asked by")
	}
}

func TestEveryStateHasItsMessage(t *testing.T) {
	t.Parallel()
	heads := make(map[string]cancellation.State)
	for _, state := range cancellation.States() {
		text := testWords().Result(slacktest.Request(state)).Text
		head := text[:strings.Index(text, ":")]
		assert.Empty(t, heads[head], "%s says the same as another state", state)
		heads[head] = state
		assert.NotContains(t, strings.ToLower(head), "cancelled", "it is requested, and takes effect later")
	}
}

// goldenViews is every view.
func goldenViews() map[string]slack.ModalViewRequest {
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
	return map[string]slack.ModalViewRequest{
		"form":         w.Modal(base, "sealed"),
		"form-private": show(func(f *Form) { f.Place = cancellation.Place{Channel: "D1", ChannelName: "directmessage"} }),
		"form-note": show(func(f *Form) {
			f.Note = NoServerCalled("db-042", []cancellation.Server{slacktest.DBServer()})
		}),
		"form-offers": show(func(f *Form) {
			twin := slacktest.DBServer()
			twin.ID, twin.FQDN = 1234569, "db-042.prod.example.com"
			f.Note, f.Offers = "This message names 2 servers: db-042.stg.example.com, db-042.prod.example.com. Choose the one that you mean.", []cancellation.Server{slacktest.DBServer(), twin}
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
			f.Refused = &authz.Decision{Rule: "protected-tags", Reason: "servers tagged protected are never cancelled here; whoever runs this bot can say why."}
		}),
		"card-refused-blocked": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) { c.Server.OpenTicket = &cancellation.TicketID{ID: 153572280} })
			f.Refused = &authz.Decision{Rule: "protected-tags", Reason: "servers tagged protected are never cancelled here; whoever runs this bot can say why."}
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
		"blocked-billing":         show(func(f *Form) { f.Card = card(func(c *cancellation.Card) { c.Server.Billing = nil }) }),
		"looking-up":              LookingUp("db-042", "sealed"),
		"recorded":                Recorded(slacktest.Request(cancellation.Scheduled), cancellation.Freeze{}),
		"recorded-frozen":         Recorded(slacktest.Request(cancellation.Scheduled), goldenFreeze()),
		"recorded-pending-frozen": Recorded(slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo), goldenFreeze()),
		"frozen":                  show(func(f *Form) { f.Frozen = goldenFreeze() }),
		"blocked-ended": show(func(f *Form) {
			f.Card = card(func(c *cancellation.Card) {
				c.Standing = &cancellation.Standing{
					Ref: "7F3K-2QXD", State: cancellation.Filed, By: cancellation.Person{Team: "T1", ID: "U7", Name: "Ana"},
					Ticket: cancellation.TicketID{ID: 153572280}, Known: slacktest.Noon.Add(15 * time.Minute),
				}
			})
		}),
		"denied":           Denied(slacktest.Request(cancellation.Denied, slacktest.Because("", "servers tagged prod are cancelled by the data team only."), slacktest.ByRule("prod-data-team"))),
		"recorded-pending": Recorded(slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo), cancellation.Freeze{}),
		"recorded-undo":    Recorded(slacktest.Request(cancellation.Scheduled, func(r *cancellation.Request) { r.UndoUntil = slacktest.Noon.Add(10 * time.Minute) }), cancellation.Freeze{}),
		"decline":          DeclineForm(slacktest.Request(cancellation.Pending)),
		"found-ticket":     FoundForm(slacktest.Request(cancellation.Stuck)),
		"leave":            LeaveForm(slacktest.Request(cancellation.Stuck, func(r *cancellation.Request) { r.Since = slacktest.Noon })),
		"details":          w.Details(slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo)),
		"details-all": w.Details(slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, func(r *cancellation.Request) {
			r.Submission.Associated = true
			s := &r.Submission.Card.Server
			s.Gateway, s.GatewayName, s.Partners, s.PartnersKnown = true, "gw-fra02", []string{"gw-fra02b"}, true
			s.LastTransaction, s.LastTransactionAt = "Upgrade", "2026-11-20T00:00:00Z"
		})),
		"held":        w.Held(slacktest.Request(cancellation.Filed)),
		"not-known":   NotKnown(slacktest.Ref),
		"broken-form": BrokenForm("/cancel-server"),
	}
}

func TestEveryViewIsAsItStandsInItsGoldenFile(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	views := goldenViews()
	for _, name := range slices.Sorted(maps.Keys(views)) {
		golden(t, "view-"+name, views[name])
		_, err := judge.Open(views[name])
		require.NoError(t, err, "Slack takes %s", name)
		assert.NotContains(t, []string{"Cancel", ""}, views[name].Close.Text, "%s: what dismisses is not called Cancel", name)
	}
}

func TestEphemeralAnswersAreAsTheyStandInTheirGoldenFiles(t *testing.T) {
	t.Parallel()
	w := Writer{Command: "/cancel-server"}
	for name, sent := range map[string]Message{
		"help":       w.Help(),
		"refused":    w.MayNotAsk(authz.Decision{Rule: "builtin-guest", Reason: "guests may not ask for cancellations; a full member may."}, false),
		"not-opened": w.NotOpened(),
	} {
		golden(t, "ephemeral-"+name, ephemeralBody(t, sent))
	}
}

// TestForeignTextIsInertInEveryMessage puts hostile text wherever text of people or
// of SoftLayer can be.
func TestForeignTextIsInertInEveryMessage(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	for _, evil := range slacktest.Hostile() {
		for name, r := range goldenMessages() {
			s := &r.Submission
			s.Card.Server.FQDN, s.Card.Account.Name, s.By.Name, s.Reason, s.Content = evil, evil, evil, evil, evil
			r.Ticket.Number, r.Decision.Rule, r.EndedBy.Name = evil, evil, evil
			for i := range r.Approvals {
				r.Approvals[i].By.Name = evil
			}
			if r.Why != (cancellation.Reason{}) {
				r.Why.Detail = evil
			}
			m := testWords().Live(cancellation.ApprovalCard, r)
			require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes %s with %.20q", name, evil)
			blocks, err := json.Marshal(m.Blocks)
			require.NoError(t, err)
			slacktest.AssertInert(t, blocks)
			text := strings.ReplaceAll(strings.ReplaceAll(m.Text, "<https://cloud.ibm.com/unifiedsupport/cases", ""), "\u200b`\u200b", "")
			for _, active := range []string{"<!", "<http", "<@U123", "`", "://evil"} {
				assert.NotContains(t, text, active, "%s with %.20q", name, evil)
			}
		}
	}
}

// ephemeralBody is a message as the answer to a command holds it.
func ephemeralBody(t *testing.T, m Message) json.RawMessage {
	t.Helper()
	body, err := json.Marshal(struct {
		Type   string        `json:"response_type"`
		Text   string        `json:"text"`
		Blocks []slack.Block `json:"blocks"`
	}{"ephemeral", m.Text, m.Blocks})
	require.NoError(t, err)
	return body
}
