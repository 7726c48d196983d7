package cancellation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/cancellation"
)

func goodSubmission() cancellation.Submission {
	return cancellation.Submission{
		Installation: "T1", View: "V1",
		By:    cancellation.Person{Team: "T1", ID: "U1", Name: "Ana"},
		Place: cancellation.Place{Channel: "C1", ChannelName: "infra"},
		Card: cancellation.Card{
			Account: cancellation.Account{ID: "123456", Name: "acme-prod"}, ShortNameUnique: true,
			Server: goodServer(),
		},
		Reason: "No longer needed", Content: "Replaced by db-060.", Confirmation: "db-042.stg.example.com",
	}
}

func goodServer() cancellation.Server {
	return cancellation.Server{
		ID: 1234567, GlobalIdentifier: "g-1", FQDN: "db-042.stg.example.com", Hostname: "db-042", Domain: "stg.example.com",
		PublicIP: "169.50.1.2", PrivateIP: "10.3.4.5", Datacenter: "fra02", ProvisionDate: "2021-03-03T10:00:00-06:00",
		Tags: []string{"staging", "team-data"}, TagsKnown: true,
		Billing: &cancellation.Billing{ID: 77, PendingKnown: true, RecurringFee: "400", MonthlyTotal: "412.50", NextBillDate: "2026-12-01T00:00:00-06:00"},
	}
}

func TestConfirmationForgivesHowANameIsTyped(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{
		"db-042.stg.example.com", "DB-042.Stg.Example.COM", "  db-042.stg.example.com ", "db-042.stg.example.com.",
		"db-042.stg.example.com\u00a0", "db\u2011042.stg.example.com", "db–042.stg.example.com", "db\u200b-042.stg.example.com",
		"db-042",
	} {
		s := goodSubmission()
		s.Confirmation = typed
		assert.Empty(t, s.Problems(), "typed %q", typed)
	}
	for _, typed := range []string{"", " ", "db-043.stg.example.com", "db-042.prod.example.com", "db042", "db-042.stg", ".", "1234567"} {
		s := goodSubmission()
		s.Confirmation = typed
		assert.Equal(t, []cancellation.Problem{cancellation.ProblemConfirmation}, s.Problems(), "typed %q", typed)
	}
}

func TestShortNameConfirmsOnlyIfUnique(t *testing.T) {
	t.Parallel()
	s := goodSubmission()
	s.Confirmation, s.Card.ShortNameUnique = "db-042", false
	assert.Equal(t, []cancellation.Problem{cancellation.ProblemShortName}, s.Problems())
}

func TestEachFieldIsCheckedAtItself(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason, content string
		want            []cancellation.Problem
	}{
		"a reason not of the ten":           {"no longer needed", "x", []cancellation.Problem{cancellation.ProblemReason}},
		"no reason":                         {"", "x", []cancellation.Problem{cancellation.ProblemReason}},
		"content of spaces":                 {"No longer needed", " \n\t\u00a0\u200b", []cancellation.Problem{cancellation.ProblemContentEmpty}},
		"content of 3,000 characters":       {"No longer needed", strings.Repeat("x", 3000), nil},
		"content of 3,001 characters":       {"No longer needed", strings.Repeat("x", 3001), []cancellation.Problem{cancellation.ProblemContentLong}},
		"emoji count as two UTF-16 units":   {"No longer needed", strings.Repeat("😀", 1501), []cancellation.Problem{cancellation.ProblemContentLong}},
		"right-to-left text":                {"No longer needed", "לא נחוץ", nil},
		"hostile text is text":              {"No longer needed", "<!channel> <https://evil|ticket 1> `x`", nil},
		"two fields wrong, both are told":   {"x", "", []cancellation.Problem{cancellation.ProblemReason, cancellation.ProblemContentEmpty}},
		"a single visible character counts": {"No longer needed", ".", nil},
	} {
		s := goodSubmission()
		s.Reason, s.Content = c.reason, c.content
		assert.Equal(t, c.want, s.Problems(), name)
	}
}

func TestNothingGoesAlongThatNoCardShowed(t *testing.T) {
	t.Parallel()
	s := goodSubmission()
	s.Associated = true
	assert.Equal(t, []cancellation.Problem{cancellation.ProblemAssociated}, s.Problems())
	s.Card.Server.Billing.Associated = []cancellation.AssociatedItem{{ID: 7, Description: "Portable storage"}}
	assert.Empty(t, s.Problems())
}

func TestOnlyACorrectedSubmissionHasAnotherID(t *testing.T) {
	t.Parallel()
	id := goodSubmission().ID("I1")
	again := goodSubmission()
	again.Card.ReadAt = time.Now() // the card's time is not what was submitted
	assert.Equal(t, id, again.ID("I1"))
	for name, change := range map[string]func(*cancellation.Submission){
		"another view":           func(s *cancellation.Submission) { s.View = "V2" },
		"another person":         func(s *cancellation.Submission) { s.By.ID = "U2" },
		"another reason":         func(s *cancellation.Submission) { s.Reason = "Moving to competitor" },
		"another content":        func(s *cancellation.Submission) { s.Content = "y" },
		"another server":         func(s *cancellation.Submission) { s.Card.Server.ID++ },
		"a server that changed":  func(s *cancellation.Submission) { s.Card.Server.PublicIP = "169.50.1.3" },
		"the associated items":   func(s *cancellation.Submission) { s.Associated = true },
		"another Slack team":     func(s *cancellation.Submission) { s.Installation = "T2" },
		"the confirmation typed": func(s *cancellation.Submission) { s.Confirmation = "db-042" },
	} {
		s := goodSubmission()
		change(&s)
		assert.NotEqual(t, id, s.ID("I1"), name)
	}
	assert.NotEqual(t, id, goodSubmission().ID("I2"), "another installation")
}

func TestTenReasonsAreTheSeeds(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "No longer needed|Business closing down|Server / Upgrade Costs|Migrating to larger server|"+
		"Migrating to smaller server|Migrating to a different SoftLayer datacenter|Network performance / latency|"+
		"Support response / timing|Sales process / upgrades|Moving to competitor", strings.Join(cancellation.Reasons(), "|"))
}

func TestOlderBuildsLeaveBatchesAlone(t *testing.T) {
	t.Parallel()
	batch := cancellation.Request{Batch: "b"}
	assert.Equal(t, 4, batch.WrittenFormat(), "a build that knows only 3 would post a gathering as a result")
	assert.LessOrEqual(t, batch.WrittenFormat(), cancellation.Format, "this build claims its own rows")
	assert.Equal(t, 2, cancellation.Request{}.WrittenFormat(), "older builds claim a single request")
}
