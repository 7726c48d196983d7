package overview_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/closing"
	"cancel-server/internal/overview"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/store"
	"cancel-server/internal/storetest"
)

// A rule for each thing that lets somebody see a request. The mock-ups' server is in fra02, and they
// were asked for by U7 in channel C1.
const policyText = `
@id("askers")
permit (principal in Group::"S0ASK", action == Action::"request", resource) when { resource.datacenter == "fra02" };
@id("leads")
permit (principal in Group::"S0LEADS", action == Action::"approve", resource) when { resource.datacenter == "fra02" };
@id("dal-leads")
permit (principal in Group::"S0DAL", action == Action::"approve", resource) when { resource.datacenter == "dal10" };
@id("in-c1")
permit (principal in Group::"S0C1", action == Action::"approve", resource) when { context.channel == "C1" };
@id("of-askers")
permit (principal in Group::"S0OFASK", action == Action::"approve", resource) when { context.requester in Group::"S0ASK" };
@id("second")
permit (principal in Group::"S0SECOND", action == Action::"approve", resource) when { context.approvals == 1 };
`

// people is who is in which group. It counts how often each was read.
type people struct {
	groups map[string][]string
	odd    map[string]authz.Principal
	unread string
	reads  map[string]int
}

func (p *people) Principal(_ context.Context, who cancellation.Person, _ []string, _ time.Duration) (authz.Principal, error) {
	p.reads[who.ID]++
	if who.ID == p.unread {
		return authz.Principal{}, errors.New("Slack is away")
	}
	found := p.odd[who.ID]
	found.Team, found.User, found.Groups, found.GroupsKnown = "T1", who.ID, p.groups[who.ID], true
	return found, nil
}

func (p *people) Members(context.Context, []string, time.Duration) ([]authz.Principal, error) {
	return nil, nil
}

func cast() *people {
	return &people{
		groups: map[string][]string{
			"U7": {"S0ASK"}, "UASKER": {"S0ASK"}, "ULEAD": {"S0LEADS"}, "UDAL": {"S0DAL"}, "UC1": {"S0C1"}, "UOFASK": {"S0OFASK"}, "USECOND": {"S0SECOND"},
			"UGUEST": {"S0ASK", "S0LEADS"}, "UBOT": {"S0LEADS"}, "UGONE": {"S0LEADS"}, "UFAR": {"S0LEADS"},
		},
		odd: map[string]authz.Principal{
			"UGUEST": {Guest: true}, "UBOT": {Bot: true}, "UGONE": {Deactivated: true}, "UFAR": {Stranger: true},
		},
		reads: map[string]int{},
	}
}

// scene is an overview of a real store.
type scene struct {
	*overview.Overview
	t      *testing.T
	store  *store.Store
	people *people
	now    time.Time
	count  int
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, people: cast(), now: slacktest.Noon}
	var err error
	s.store, err = store.Open(t.Context(), store.Options{Path: storetest.File(t), Clock: func() time.Time { return s.now }, Mode: store.Serve})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.store.Close()) })
	require.NoError(t, s.store.Bind(t.Context(), store.Binding{App: "B1", Team: "T1", Account: "123456", Endpoint: "http://127.0.0.1/"}))
	s.Overview = overview.New(overview.Options{
		Answered: func(known []byte) bool { return string(known) == `{"Staff":7}` },
		Ledger:   s.store, People: s.people, Policy: policy(t), Log: slacktest.Silent(),
	})
	return s
}

func policy(t *testing.T) func() *authz.Policy {
	t.Helper()
	p, err := authz.Parse("policy.cedar", []byte(policyText))
	require.NoError(t, err)
	return func() *authz.Policy { return p }
}

func person(id string) cancellation.Person { return cancellation.Person{Team: "T1", ID: id} }

// requested records a request for a server of its own.
func (s *scene) requested(state cancellation.State, changes ...func(*cancellation.Request)) cancellation.Request {
	s.t.Helper()
	s.count++
	r := slacktest.Request(state, append([]func(*cancellation.Request){slacktest.WaitsForTwo}, changes...)...)
	r.ID, r.Format, r.CreatedAt = fmt.Sprintf("%064d", s.count), cancellation.Format, s.now
	r.Ref = cancellation.ReferenceOf([]byte("key"), r.ID)
	if r.Submission.Card.Server.ID == slacktest.DBServer().ID {
		r.Submission.Card.Server.ID = int64(1000 + s.count)
	}
	shows, filed := r.Shows, state == cancellation.Filed
	if filed {
		r.State, r.Ticket, r.Shows = cancellation.Scheduled, cancellation.TicketID{}, ""
	}
	rec := cancellation.Record{Request: r, Event: cancellation.Event{Kind: cancellation.EventSubmitted, To: r.State}}
	rec.Quota = cancellation.Quota{Requester: "T1/" + r.Submission.By.ID, Day: 1, Slot: int64(s.count), Most: 10_000}
	recorded, err := s.store.Record(s.t.Context(), rec)
	require.NoError(s.t, err)
	require.True(s.t, recorded.Fresh)
	if !filed {
		return recorded.Request
	}
	filing := s.moved(recorded.Request, cancellation.Filing)
	filing.Ticket, filing.Shows = cancellation.TicketID{ID: 153572280}, shows
	return s.moved(filing, cancellation.Filed)
}

func (s *scene) moved(r cancellation.Request, to cancellation.State) cancellation.Request {
	s.t.Helper()
	next, err := r.Move(to, cancellation.ByWorker, cancellation.Reason{})
	require.NoError(s.t, err)
	r.Ticket, r.Shows = cancellation.TicketID{}, ""
	next, err = s.store.Apply(s.t.Context(), cancellation.Change{From: r, To: next, Event: cancellation.Event{Kind: cancellation.EventMoved}, Window: time.Minute})
	require.NoError(s.t, err)
	return next
}

func (s *scene) status(user, called string) overview.List {
	s.t.Helper()
	list, err := s.Status(s.t.Context(), person(user), called, func() []int64 { return nil })
	require.NoError(s.t, err)
	return list
}

func (s *scene) home(user string) overview.Page {
	s.t.Helper()
	page, err := s.Home(s.t.Context(), person(user))
	require.NoError(s.t, err)
	return page
}

func approvedBy(user string) func(*cancellation.Request) {
	return func(r *cancellation.Request) {
		r.Approvals = append(r.Approvals, cancellation.Approval{By: person(user), Rule: "leads"})
	}
}

func TestWhoSeesHowMuchOfARequest(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.requested(cancellation.Pending, approvedBy("UVOTED"))
	for _, c := range []struct {
		user, says string
		sight      overview.Sight
		rule       string
		next       bool
	}{
		{"U7", "who asked for it sees it", overview.Whole, "", false},
		{"UVOTED", "who voted on it sees it, also without a right left", overview.Whole, "", false},
		{"ULEAD", "who may approve on its server sees it", overview.Whole, "leads", true},
		{"UC1", "the policy sees the request's own channel", overview.Whole, "in-c1", true},
		{"UOFASK", "the policy sees its requester", overview.Whole, "of-askers", true},
		{"USECOND", "the policy sees how many approved before", overview.Whole, "second", true},
		{"UASKER", "who may ask for the server sees that it stands", overview.Standing, "", false},
		{"UDAL", "who may approve on other servers sees nothing", overview.Nothing, "", false},
		{"UNOBODY", "nobody else does", overview.Nothing, "", false},
		{"UGUEST", "no guest does", overview.Nothing, "", false},
		{"UFAR", "no stranger does", overview.Nothing, "", false},
	} {
		list := s.status(c.user, "db-042")
		if c.sight == overview.Nothing {
			assert.True(t, list.Empty(), c.says)
			continue
		}
		require.Len(t, list.Rows, 1, c.says)
		row := list.Rows[0]
		assert.Equal(t, c.sight, row.Sight, c.says)
		assert.Equal(t, c.rule, row.Rule, c.says)
		assert.Equal(t, c.next, row.Next, c.says)
	}
}

// The numbers of a request's day are its requester's: they decide who may approve it, and say nothing of
// whether somebody else may ask for its server.
func TestRequestsDayDecidesWhoApprovesIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	p, err := authz.Parse("policy.cedar", []byte(`
@id("up-to-five") permit (principal in Group::"S0ASK", action == Action::"request", resource) when { context.today <= 5 };
@id("leads") permit (principal in Group::"S0LEADS", action == Action::"approve", resource) when { context.today <= 5 };
@id("second") permit (principal in Group::"S0SECOND", action == Action::"approve", resource) when { context.today > 5 && context.count == 1 };`))
	require.NoError(t, err)
	s.Overview = overview.New(overview.Options{
		Answered: func([]byte) bool { return false }, Ledger: s.store, People: s.people, Policy: func() *authz.Policy { return p }, Log: slacktest.Silent(),
	})
	sixth := s.requested(cancellation.Pending, func(r *cancellation.Request) { r.Submission.Today = 6 })
	for user, want := range map[string]overview.Sight{
		"ULEAD": overview.Nothing, "USECOND": overview.Whole, "UASKER": overview.Standing, "UNOBODY": overview.Nothing,
	} {
		list := s.status(user, "db-042")
		if want == overview.Nothing {
			assert.True(t, list.Empty(), user)
			continue
		}
		require.Len(t, list.Rows, 1, user)
		assert.Equal(t, want, list.Rows[0].Sight, user)
		assert.Equal(t, sixth.ID, list.Rows[0].Request.ID)
	}
	assert.Len(t, s.home("USECOND").Approve.Rows, 1)
	assert.Empty(t, s.home("ULEAD").Approve.Rows)
}

// A vote that does not count any more is in the history alone.
func TestWhoVotedOnceStillSeesTheRequest(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	r := s.requested(cancellation.Pending)
	assert.True(t, s.status("UVOTED", "db-042").Empty())
	require.NoError(t, s.store.Note(t.Context(), r.ID, cancellation.Event{Kind: cancellation.EventRefused, Actor: "T1/UVOTED"}))
	assert.True(t, s.status("UVOTED", "db-042").Empty(), "a refused click is no vote")
	require.NoError(t, s.store.Note(t.Context(), r.ID, cancellation.Event{Kind: cancellation.EventApproved, Actor: "T1/UVOTED"}))
	list := s.status("UVOTED", "db-042")
	require.Len(t, list.Rows, 1)
	assert.Equal(t, overview.Whole, list.Rows[0].Sight)
}

func TestEndedRequestDoesNotStandForAskers(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.requested(cancellation.Denied)
	assert.True(t, s.status("UASKER", "db-042").Empty())
	assert.Len(t, s.status("ULEAD", "db-042").Rows, 1)
}

// A nil ledger ends the test if anything is read.
func TestNothingIsReadForOutsiders(t *testing.T) {
	t.Parallel()
	o := overview.New(overview.Options{People: cast(), Policy: policy(t), Log: slacktest.Silent()})
	for _, user := range []string{"UGUEST", "UBOT", "UGONE", "UFAR"} {
		by := person(user)
		page, err := o.Home(t.Context(), by)
		require.NoError(t, err)
		assert.True(t, page.Empty())
		assert.False(t, page.Access)
		assert.Zero(t, page.AsOf)
		for _, list := range []func(context.Context, cancellation.Person) (overview.Page, error){o.Mine, o.Pending} {
			page, err := list(t.Context(), by)
			require.NoError(t, err)
			assert.True(t, page.Empty())
		}
		list, err := o.Status(t.Context(), by, "db-042", func() []int64 { t.Error("servers are looked up"); return nil })
		require.NoError(t, err)
		assert.True(t, list.Empty())
	}
}

// closings shows everybody one place, and counts who looked.
type closings struct{ looked []string }

func (c *closings) For(_ context.Context, _ *authz.Policy, who authz.Principal, now time.Time) (closing.Board, error) {
	c.looked = append(c.looked, who.User)
	if who.User == "UDAL" {
		return closing.Board{}, errors.New("the database is away")
	}
	return closing.Board{AsOf: now, Places: []closing.Standing{{Servers: 1}}}, nil
}

func TestClosingBoardIsForPeopleWithAccess(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	all := &closings{}
	s.Closings = all
	for user, sees := range map[string]bool{
		"UASKER": true, "ULEAD": true, "UC1": true, "UNOBODY": false, "UGUEST": false, "UBOT": false, "UGONE": false, "UFAR": false,
	} {
		page, err := s.Closing(t.Context(), person(user))
		require.NoError(t, err)
		assert.Equal(t, sees, len(page.Closing.Places) > 0, user)
		home, err := s.Home(t.Context(), person(user))
		require.NoError(t, err)
		assert.Equal(t, page.Closing, home.Closing, user)
		assert.Equal(t, sees, slices.Contains(all.looked, user), "%s: nothing is looked up for people who may see nothing", user)
		assert.False(t, page.Closing.Gap)
	}
	page, err := s.Closing(t.Context(), person("UDAL"))
	require.NoError(t, err)
	assert.True(t, page.Closing.Gap, "what could not be read is no nothing")
	s.people.unread = "UASKER"
	_, err = s.Closing(t.Context(), person("UASKER"))
	require.ErrorIs(t, err, cancellation.ErrPeopleUnread)
}

func TestNothingIsShownToPeopleWhoAreUnread(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.requested(cancellation.Pending)
	s.people.unread = "ULEAD"
	_, err := s.Home(t.Context(), person("ULEAD"))
	require.ErrorIs(t, err, cancellation.ErrPeopleUnread)
}

func TestUnreadRequesterLeavesAGapNotNone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.requested(cancellation.Pending)
	s.people.unread = "U7"
	page := s.home("UOFASK")
	assert.Equal(t, overview.List{Gap: true}, page.Approve)
	assert.False(t, page.Empty(), "what could not be read is not none")
	assert.Len(t, s.home("ULEAD").Approve.Rows, 1, "the others' rules need no requester")
	assert.True(t, s.status("UOFASK", "db-042").Empty(), "and status says the same as of an unknown server")
}

func TestRequestersAreReadOnceAndOnlyIfNeeded(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for i := range 60 {
		s.requested(cancellation.Pending, func(r *cancellation.Request) { r.Submission.By.ID = "U" + strconv.Itoa(100+i%30) })
	}
	assert.Len(t, s.home("ULEAD").Approve.Rows, overview.MostRows)
	assert.Equal(t, map[string]int{"ULEAD": 1}, s.people.reads)
	assert.True(t, s.home("UOFASK").Approve.Gap, "not everybody was asked about")
	assert.LessOrEqual(t, len(s.people.reads), 22)
	for id, n := range s.people.reads {
		assert.Equal(t, 1, n, id)
	}
}

func TestSectionsListWhatBelongsInThem(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	billed := func(date string) func(*cancellation.Request) {
		return func(r *cancellation.Request) {
			r.Submission.Card.Server.Billing.NextBillDate = date
			r.Submission.Card.Cutoff = ""
		}
	}
	later := s.requested(cancellation.Filed, billed("2027-01-20T00:00:00-06:00"))
	sooner := s.requested(cancellation.Filed, billed("2026-12-05T00:00:00-06:00"))
	past := s.requested(cancellation.Filed, billed("2026-10-05T00:00:00-06:00"), func(r *cancellation.Request) { r.Shows = "2026-10-05T00:00:00-06:00" })
	unseen := s.requested(cancellation.Filed, func(r *cancellation.Request) { r.Submission.Card.Server.Billing = nil })
	s.now = s.now.Add(time.Minute)
	waits := s.requested(cancellation.Pending)
	expired := s.requested(cancellation.Pending, func(r *cancellation.Request) { r.ExpiresAt = s.now })
	approved := s.requested(cancellation.Pending, approvedBy("ULEAD"))

	page := s.home("ULEAD")
	assert.Equal(t, s.now, page.AsOf)
	assert.True(t, page.Access)
	assert.False(t, page.MayAsk)
	assert.Equal(t, []string{waits.ID}, ids(page.Approve), "neither what %s expired nor what %s they approved already", expired.ID, approved.ID)
	assert.Equal(t, []string{sooner.ID, later.ID}, ids(page.Ending), "neither %s nor %s", past.ID, unseen.ID)
	assert.True(t, page.Own.Empty())

	page = s.home("U7")
	assert.True(t, page.Approve.Empty(), "nobody approves their own")
	assert.Equal(t, []string{approved.ID, expired.ID, waits.ID, unseen.ID, past.ID, sooner.ID, later.ID}, ids(page.Own), "the newest first")
	assert.True(t, page.Own.Rows[0].Asked)
	assert.Equal(t, ids(s.home("ULEAD").Ending), ids(page.Ending))

	page = s.home("UASKER")
	assert.True(t, page.Empty(), "that a request stands is told in status alone")
	assert.True(t, page.Access)
	assert.False(t, s.home("UNOBODY").Access)
}

func ids(l overview.List) (all []string) {
	for _, row := range l.Rows {
		all = append(all, row.Request.ID)
	}
	return all
}

func TestWaitsForAnAnswerAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	first, second := s.requested(cancellation.Filed), s.requested(cancellation.Filed)
	since := map[string]time.Time{first.ID: s.now.Add(-2 * time.Hour), second.ID: s.now.Add(-time.Hour)}
	turn, err := s.store.FollowTurn(t.Context(), "me", time.Hour, time.Minute)
	require.NoError(t, err)
	due, err := s.store.DueLooks(t.Context(), turn.Began, 10)
	require.NoError(t, err)
	require.Len(t, due, 2)
	var looks []cancellation.Look
	for _, f := range due {
		known := map[bool]string{true: `{}`, false: `{"Staff":7}`}[f.Request.ID == first.ID]
		looks = append(looks, cancellation.Look{Followed: f, Known: []byte(known), Waits: since[f.Request.ID], Asks: 7})
	}
	require.NoError(t, s.store.KeepLooks(t.Context(), "me", nil, looks))
	for _, user := range []string{"U7", "ULEAD"} {
		answer := s.home(user).Answer
		require.Equal(t, []string{second.ID, first.ID}, ids(answer), user)
		assert.Equal(t, since[second.ID], answer.Rows[0].Waits.UTC())
		assert.Equal(t, []bool{true, false}, []bool{answer.Rows[0].Answered, answer.Rows[1].Answered}, "what the follower knows")
	}
	assert.True(t, s.home("UASKER").Answer.Empty())
	own := s.home("U7").Own
	assert.Equal(t, []bool{true, false}, []bool{own.Rows[0].Answered, own.Rows[1].Answered}, "also in a person's own list")
}

func TestListsAreShortAndSayThereIsMore(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for range 205 {
		s.requested(cancellation.Pending)
	}
	page := s.home("ULEAD")
	assert.Len(t, page.Approve.Rows, overview.MostRows)
	assert.True(t, page.Approve.More)
	page = s.home("U7")
	assert.Len(t, page.Own.Rows, overview.MostRows)
	assert.True(t, page.Own.More)
	page = s.home("UDAL")
	assert.Empty(t, page.Approve.Rows)
	assert.Equal(t, 200, page.Approve.Part, "there may be one among the older ones")
	assert.False(t, page.Empty())
}

func TestStatusFindsByNameIdAndReference(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	r := s.requested(cancellation.Pending)
	other := s.requested(cancellation.Pending, func(r *cancellation.Request) {
		r.Submission.Card.Server.FQDN, r.Submission.Card.Server.Hostname = "db-0421.stg.example.com", "db-0421"
	})
	server := strconv.FormatInt(r.Submission.Card.Server.ID, 10)
	for _, called := range []string{"db-042", "DB-042.stg.example.com", "db-042.stg.example.com.", " db-042 ", server, r.Ref.Short(), "\u200bdb-042"} {
		assert.Equal(t, []string{r.ID}, ids(s.status("ULEAD", called)), called)
	}
	for _, called := range []string{"db-04", "db", "stg.example.com", "1", "", "%", "db-042.", "ZZZZ-ZZZZ"} {
		found := ids(s.status("ULEAD", called))
		assert.NotContains(t, found, other.ID, called)
		if called != "db-042." {
			assert.Empty(t, found, called)
		}
	}
	list, err := s.Status(t.Context(), person("ULEAD"), "10.3.4.5", func() []int64 { return []int64{other.Submission.Card.Server.ID} })
	require.NoError(t, err)
	assert.Equal(t, []string{other.ID}, ids(list), "by what the typeahead knows of the address")
	assert.False(t, slices.Contains(ids(s.status("ULEAD", "10.3.4.5")), other.ID))
}
