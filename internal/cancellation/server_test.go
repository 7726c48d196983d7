package cancellation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

func TestBlockersNameWhatStops(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*cancellation.Server)
		want   []cancellation.Blocker
	}{
		"nothing":                {func(*cancellation.Server) {}, nil},
		"an open ticket":         {func(s *cancellation.Server) { s.OpenTicket = &cancellation.TicketID{ID: 1} }, []cancellation.Blocker{cancellation.BlockedByTicket}},
		"a running transaction":  {func(s *cancellation.Server) { s.Transaction = "Reload" }, []cancellation.Blocker{cancellation.BlockedByTransaction}},
		"no billing item":        {func(s *cancellation.Server) { s.Billing = nil }, []cancellation.Blocker{cancellation.BlockedByNoBilling}},
		"a pending cancellation": {func(s *cancellation.Server) { s.Billing.PendingCancellation = true }, []cancellation.Blocker{cancellation.BlockedByPending}},
		"a cancellation date":    {func(s *cancellation.Server) { s.Billing.CancellationDate = "2026-12-01T00:00:00-06:00" }, []cancellation.Blocker{cancellation.BlockedByPending}},
		"not cancellable":        {func(s *cancellation.Server) { s.Billing.NotCancellable = true }, []cancellation.Blocker{cancellation.BlockedByNotAllowed}},
		"a contract term":        {func(s *cancellation.Server) { s.Billing.UnderContract = true }, []cancellation.Blocker{cancellation.BlockedByContract}},
		"disconnected":           {func(s *cancellation.Server) { s.Disconnected = true }, []cancellation.Blocker{cancellation.BlockedByDisconnection}},
	} {
		s := goodServer()
		c.change(&s)
		assert.Equal(t, c.want, s.Blockers(), name)
	}
}

func TestChangedNamesOnlyWhatIdentifiesAServer(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*cancellation.Server){
		"name":              func(s *cancellation.Server) { s.FQDN = "other.example.com" },
		"public address":    func(s *cancellation.Server) { s.PublicIP = "1.2.3.4" },
		"private address":   func(s *cancellation.Server) { s.PrivateIP = "10.0.0.1" },
		"tags":              func(s *cancellation.Server) { s.Tags = append(s.Tags, "prod") },
		"billing item":      func(s *cancellation.Server) { s.Billing.ID++ },
		"recurring fee":     func(s *cancellation.Server) { s.Billing.RecurringFee = "401" },
		"hourly billing":    func(s *cancellation.Server) { s.Hourly, s.Billing.HourlyFee = true, "400" },
		"provision date":    func(s *cancellation.Server) { s.ProvisionDate = "2026-01-01T00:00:00-06:00" },
		"data center":       func(s *cancellation.Server) { s.Datacenter = "dal13" },
		"global identifier": func(s *cancellation.Server) { s.GlobalIdentifier = "g-2" },
	} {
		now := goodServer()
		change(&now)
		assert.Equal(t, []string{name}, cancellation.Changed(goodServer(), now, false))
		assert.NotEqual(t, goodServer().Digest(false), now.Digest(false), name)
	}
	now := goodServer()
	now.Status, now.LastTransaction, now.Billing.MonthlyTotal, now.Billing.Drives = "x", "y", "1", 9
	assert.Empty(t, cancellation.Changed(goodServer(), now, false), "usage and status may change while a request waits")

	now.Billing.Associated = []cancellation.AssociatedItem{{ID: 5, Description: "IP"}}
	assert.Empty(t, cancellation.Changed(goodServer(), now, false))
	assert.Equal(t, []string{"associated items"}, cancellation.Changed(goodServer(), now, true), "they matter only if they are to go")
}

func TestHourlyServerIsIdentifiedByItsHourlyFee(t *testing.T) {
	t.Parallel()
	hourly := func(fee string) cancellation.Server {
		s := goodServer()
		s.Hourly, s.Billing.HourlyFee = true, fee
		return s
	}
	assert.Equal(t, []string{"recurring fee"}, cancellation.Changed(hourly("0.5"), hourly("0.6"), false))
	other := hourly("0.5")
	other.Billing.RecurringFee = "1"
	assert.Empty(t, cancellation.Changed(hourly("0.5"), other, false), "it is not billed by the month")
}

func TestFactMissingInOneReadHasNotChanged(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]func(*cancellation.Server){
		"tags":           func(s *cancellation.Server) { s.Tags, s.TagsKnown = nil, false },
		"hourly billing": func(s *cancellation.Server) { s.Hourly, s.Unread = false, []string{cancellation.FactHourly} },
		"provision date": func(s *cancellation.Server) { s.ProvisionDate, s.Unread = "", []string{cancellation.FactProvisionDate} },
		"recurring fee":  func(s *cancellation.Server) { s.Billing.HourlyFee = "" },
		"data center":    func(s *cancellation.Server) { s.Datacenter, s.Hidden = "", []string{cancellation.FactDatacenter} },
	} {
		whole, partly := goodServer(), goodServer()
		for _, s := range []*cancellation.Server{&whole, &partly} {
			s.Hourly, s.Billing.HourlyFee = true, "0.5"
		}
		forget(&partly)
		assert.Empty(t, cancellation.Changed(whole, partly, false), "%s, unread now", name)
		assert.Empty(t, cancellation.Changed(partly, whole, false), "%s, unread on the card", name)
		partly.FQDN = "other.example.com"
		assert.Equal(t, []string{"name"}, cancellation.Changed(whole, partly, false), "%s: what was read is compared", name)
	}
}

// forbidding permits everything but what stands on a fact that SoftLayer may leave out.
const forbidding = `
@id("anybody") permit (principal, action in [Action::"request", Action::"cancel"], resource);
@id("no-gateways") forbid (principal, action, resource) when { context.warnings.contains("gateway-member") };
@id("nothing-new") forbid (principal, action, resource) when { context.warnings.contains("recently-provisioned") };
@id("nothing-recent") forbid (principal, action, resource) when { context.warnings.contains("recent-transaction") };
@id("no-hourly") forbid (principal, action, resource) when { resource.hourly };
@id("not-there") forbid (principal, action, resource) when { resource.domain == "prod.example.com" };
`

func TestNothingIsAllowedOnWhatWasNotRead(t *testing.T) {
	t.Parallel()
	policy, err := authz.Parse("policy.cedar", []byte(forbidding))
	require.NoError(t, err)
	decide := func(s cancellation.Server) authz.Decision {
		now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		return policy.Decide(authz.Principal{Team: "T1", User: "U1"}, s.Resource(), goodSubmission().Context(s, now))
	}
	require.Equal(t, authz.Allowed, decide(goodServer()).Effect)
	for _, fact := range []string{
		cancellation.FactDomain, cancellation.FactProvisionDate, cancellation.FactHourly,
		cancellation.FactGateway, cancellation.FactLastTransaction,
	} {
		s := goodServer()
		s.Unread = []string{fact}
		decision := decide(s)
		assert.Equal(t, authz.Refused, decision.Effect, fact)
		assert.Equal(t, authz.RuleUnread, decision.Rule, fact)
		assert.Contains(t, decision.Unread, fact, "the refusal says what")
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	s := goodServer()
	warnings, known := s.Warnings(now)
	assert.True(t, known)
	assert.Empty(t, warnings)

	s.Gateway, s.ProvisionDate, s.LastTransaction = true, "2026-11-20T10:00:00-06:00", "OS Reload"
	s.LastTransactionAt = "2026-11-21T10:00:00-06:00"
	warnings, known = s.Warnings(now)
	assert.True(t, known)
	assert.ElementsMatch(t, []string{cancellation.WarningGateway, cancellation.WarningProvisioned, cancellation.WarningTransaction}, warnings)

	s.LastTransactionAt = "2025-11-21T10:00:00-06:00"
	warnings, _ = s.Warnings(now)
	assert.NotContains(t, warnings, cancellation.WarningTransaction, "a year ago is not of late")

	s.ProvisionDate = ""
	_, known = s.Warnings(now)
	assert.False(t, known, "without the provision date nobody knows whether it is new")

	for _, fact := range []string{cancellation.FactGateway, cancellation.FactLastTransaction} {
		s = goodServer()
		s.Unread = []string{fact}
		_, known = s.Warnings(now)
		assert.False(t, known, fact)
	}
}

func TestWeekOldIsNotRecent(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for age, want := range map[time.Duration][]string{
		7*24*time.Hour - time.Second: {cancellation.WarningTransaction, cancellation.WarningProvisioned},
		7 * 24 * time.Hour:           nil,
	} {
		s := goodServer()
		s.LastTransaction = "Reload"
		s.ProvisionDate = now.Add(-age).Format(time.RFC3339)
		s.LastTransactionAt = s.ProvisionDate
		warnings, known := s.Warnings(now)
		assert.True(t, known)
		assert.Equal(t, want, warnings, "%s ago", age)
	}
}

func TestATransactionOfWhichNobodyKnowsWhenWarns(t *testing.T) {
	t.Parallel()
	s := goodServer()
	warnings, _ := s.Warnings(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
	assert.Empty(t, warnings, "there was none ever")
	s.LastTransaction = "Reload"
	warnings, _ = s.Warnings(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
	assert.Equal(t, []string{cancellation.WarningTransaction}, warnings)
}

func TestCardIsFreshForFifteenMinutes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for age, fresh := range map[time.Duration]bool{
		0: true, cancellation.MaxCardAge: true, cancellation.MaxCardAge + time.Second: false,
		-time.Minute:               true, // the database's clock may have been set back
		-time.Minute - time.Second: false,
	} {
		assert.Equal(t, fresh, cancellation.Card{ReadAt: at}.Fresh(at.Add(age)), "%s old", age)
	}
	assert.Equal(t, 15*time.Minute, cancellation.MaxCardAge)
}

func TestMonthlyFeeForThePolicy(t *testing.T) {
	t.Parallel()
	s := goodServer()
	assert.Equal(t, "412.50", s.MonthlyFee(), "all-in, not the server alone")
	s.Hourly, s.Billing.HourlyFee = true, "0.5"
	assert.Equal(t, "365.00", s.MonthlyFee(), "730 hours")
	s.Unread = []string{cancellation.FactHourly}
	assert.Equal(t, "", s.MonthlyFee(), "nobody knows which of the fees it is")
	s.Unread = nil
	s.Billing.HourlyFee = ""
	assert.Equal(t, "", s.MonthlyFee(), "unknown is absent, never 0")
	s.Billing = nil
	assert.Equal(t, "", s.MonthlyFee())
}

func TestJudgeTakesOnlyAWholeReferenceForOurs(t *testing.T) {
	t.Parallel()
	r := cancellation.Request{Ref: cancellation.NewReference()}
	for name, c := range map[string]struct {
		ticket cancellation.Ticket
		want   cancellation.Judgement
	}{
		"our reference":          {cancellation.Ticket{First: r.Ref.Marker(), FirstRead: true}, cancellation.Ours},
		"another's reference":    {cancellation.Ticket{First: cancellation.NewReference().Marker(), FirstRead: true}, cancellation.Foreign},
		"no reference":           {cancellation.Ticket{First: "please cancel", FirstRead: true}, cancellation.Foreign},
		"an empty first update":  {cancellation.Ticket{First: "", FirstRead: true}, cancellation.Foreign},
		"not visible to the key": {cancellation.Ticket{}, cancellation.Unreadable},
		"only the short form":    {cancellation.Ticket{First: r.Ref.Short(), FirstRead: true}, cancellation.Foreign},
	} {
		assert.Equal(t, c.want, cancellation.Judge(r, c.ticket), name)
	}
}
