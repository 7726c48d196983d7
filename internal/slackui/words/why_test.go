package words

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

func TestWaitingRequestSaysWhatHoldsItUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code         cancellation.ReasonCode
		detail, want string
	}{
		{cancellation.WhyHourFull, "60", "Held up: this hour's filings are used up, 60 at most."},
		{cancellation.WhyTooLate, "", "Held up: it was too late to send the request, so this time nothing was sent."},
		{cancellation.WhyPolicyChanged, "", "Held up: another policy came into force, so this time nothing was sent."},
		{cancellation.WhyGroupUnlisted, "", "Held up: Slack does not list a user group that the policy names, and its members decide this."},
		{cancellation.WhyRequesterUnread, "", "Held up: Slack did not say who the requester is and which groups they are in."},
		{cancellation.WhyApproverUnread, "", "Held up: Slack did not say who the approvers are and which groups they are in."},
		{cancellation.WhyServerUnread, "", "Held up: SoftLayer did not say everything about the server."},
		{cancellation.WhyServerUnread, "tags, data center", "Held up: SoftLayer did not say everything about the server: tags, data center."},
		{cancellation.WhyKeyRefused, "", "Held up: SoftLayer does not take the bot's key."},
		{cancellation.WhyTicketUnread, "", "Held up: SoftLayer did not answer about the server's open ticket."},
		{cancellation.WhyRecordsUnread, "", "Held up: SoftLayer did not answer everything that could show a ticket."},
		{cancellation.WhyWaiting, "this hour's filings are used up, 60 at most", "Held up: this hour's filings are used up, 60 at most."}, // as older builds stored it
	} {
		r := slacktest.Request(cancellation.Scheduled, slacktest.Because(c.code, c.detail))
		assert.Contains(t, flat(Writer{}.lines(r)...), escaped(c.want), c.code)
	}
}

func TestLostAnswerSaysThatTheKeyIsRefused(t *testing.T) {
	t.Parallel()
	r := slacktest.Request(cancellation.Unknown, slacktest.Because(cancellation.WhyKeyRefused, ""))
	for _, m := range []Message{testWords().Result(r), testWords().Alarm(r)} {
		assert.Contains(t, m.Text, "SoftLayer does not take the bot's key, so its records cannot be read.")
		assert.Contains(t, m.Text, "Please do not cancel it by hand meanwhile.")
		assert.NotContains(t, m.Text, "are read until about")
	}
}

func TestStuckRequestSaysWhatIsUnclear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code         cancellation.ReasonCode
		detail, want string
	}{
		{cancellation.WhyServerHidden, "", "whether there is a ticket: the server was not found, or the key may not see it."},
		{cancellation.WhyReadRefused, "", "whether there is a ticket: SoftLayer does not let the key read everything that could show a ticket."},
		{cancellation.WhyTooManyTickets, "", "whether there is a ticket: there are more tickets than the bot can read."},
		{cancellation.WhyTicketsHidden, "", "whether there is a ticket: the key has no right to view tickets."},
		{cancellation.WhyOneUnreadable, "9", "whether there is a ticket: ticket 9 cannot be read."},
		{cancellation.WhyMaybeOurs, "9", "whether there is a ticket: ticket 9 may be this request's."},
		{cancellation.WhyBillingHidden, "", "whether there is a ticket: the billing item is missing, or the key may not see it."},
		{cancellation.WhyPendingHidden, "", "whether there is a ticket: the key may not see whether a cancellation is pending."},
		{cancellation.WhyPendingUnnamed, "", "whether there is a ticket: a cancellation is pending, and no ticket shows whose it is."},
		{cancellation.WhyUnclear, "ticket 9 cannot be read", "whether there is a ticket: ticket 9 cannot be read."}, // as older builds stored it
	} {
		r := slacktest.Request(cancellation.Stuck, slacktest.Because(c.code, c.detail))
		assert.Contains(t, flat(Writer{}.lines(r)...), escaped(c.want), c.code)
	}
}

func TestStoredRefusalIsShownAsItWasWritten(t *testing.T) {
	t.Parallel()
	const stored = "guests may not ask; a full member of this workspace may."
	for name, r := range map[string]cancellation.Request{
		"of an older build": slacktest.Request(cancellation.Denied, slacktest.ByRule(authz.RuleGuest, stored)),
		"whose decision cannot be read": slacktest.Request(cancellation.Denied, slacktest.Because("", stored), func(r *cancellation.Request) {
			r.Decision = authz.Decision{}
		}),
		"of this build": slacktest.Request(cancellation.Denied, slacktest.Because("", authz.RuleGuest), func(r *cancellation.Request) {
			r.Decision = authz.Decision{Rule: authz.RuleGuest, Act: authz.ToAsk}
		}),
	} {
		assert.Equal(t, stored, testWords().deniedWhy(r), name)
		r.State, r.Why.By = cancellation.Stuck, cancellation.ByPolicy
		assert.Contains(t, testWords().stuckWhy(r), capital(stored), name)
	}
}
