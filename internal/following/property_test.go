package following_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/storetest"
)

// deed is one thing that somebody does, or one span of time.
type deed struct {
	What   string
	Server int64
	Long   time.Duration // how long it is waited, or followed
	Owner  string        // which replica follows
	Call   int           // it happens right before this call of the next look; 0: at once
}

// The deeds. Each is drawn as often as it stands here.
var deeds = []string{
	"follow", "follow", "follow", "follow", "follow", "follow", "nobody follows", "restart",
	"staff answer", "staff answer", "somebody else writes",
	"staff close", "staff close", "staff reopen", "staff approve",
	"the server is gone for a while", "the server is gone for a while", "the ticket is closed for a while",
	"the server goes", "the server is back", "its billing ends", "another item takes over",
	"hide the ticket", "show the ticket", "lose all hardware", "see all hardware", "lose billing", "see billing",
	"lose the list", "see the list", "lose the updates", "see the updates", "leave it out of lists", "list it again",
	"an outage begins", "the outage ends",
	"somebody reads its card",
}

// drawn draws the deeds of a case.
func drawn(t *rapid.T, servers int64) []deed {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) deed {
		return deed{
			What: rapid.SampledFrom(deeds).Draw(t, "what"), Server: rapid.Int64Range(1, servers).Draw(t, "server"),
			Long:  rapid.SampledFrom([]time.Duration{time.Minute, 14 * time.Minute, 16 * time.Minute, time.Hour, 3 * time.Hour}).Draw(t, "time"),
			Owner: rapid.SampledFrom([]string{"one", "two"}).Draw(t, "replica"),
			Call:  max(0, rapid.IntRange(-6, 6).Draw(t, "call")),
		}
	}), 30, 60).Draw(t, "deeds")
}

func TestNoSequenceOfStaffsDeedsEndsWrongly(t *testing.T) {
	t.Parallel()
	dir, cases := storetest.Dir(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		servers := rapid.Int64Range(1, 3).Draw(rt, "servers")
		all := drawn(rt, servers)
		cases++
		path := filepath.Join(dir, fmt.Sprintf("%d.db", cases))
		storetest.NewFile(t, path)
		var wrong []string
		synctest.Test(t, func(t *testing.T) {
			s := newSupport(t, path, servers)
			defer func() { assert.NoError(t, s.store.Close()) }()
			for _, d := range all {
				s.does(d)
			}
			s.heals()
			wrong = s.wrong
		})
		require.Empty(rt, wrong)
	})
}

// matter is one request as SoftLayer's records have it.
type matter struct {
	there, open, approved, ended bool
	hidden, short                bool // its ticket, its row in lists
	item                         int64
	date                         string
	updates                      []cancellation.TicketUpdate

	state cancellation.State // as last read
	lines map[cancellation.NoticeKind]bool
	cards []evidence // that people read
}

// evidence is what a read showed of a request, as far as that is certain: "stands", or what has ended it.
type evidence struct {
	at   time.Time
	what string
}

// answers are what one look was answered.
type answers struct {
	at      time.Time
	asked   []int64
	listed  map[int64]bool
	lives   map[int64]cancellation.TicketLife
	alone   map[int64]*cancellation.Server // nil for one that was not found
	sees    bool                           // the key saw all hardware, after the reads of servers
	names   map[int64]bool
	hasList bool
}

// support is SoftLayer's records with what staff and others do to them. It judges each end by what the
// followers were answered.
type support struct {
	*world
	matters   map[int64]*matter
	last      int64 // id of an update
	blind     bool  // the key sees no hardware of ours
	noBilling bool
	noList    bool
	noUpdates bool
	wrong     []string
	looks     []answers
	next      []deed // that happen during the next look
	calls     int    // of that look
}

func newSupport(t *testing.T, path string, servers int64) *support {
	s := &support{world: newWorld(t, path), matters: map[int64]*matter{}, last: 100}
	s.open()
	for id := range servers {
		s.file(id + 1)
		s.matters[id+1] = &matter{
			there: true, open: true, item: (id + 1) * 10, state: cancellation.Filed, lines: map[cancellation.NoticeKind]bool{},
			date: time.Now().Add(3000 * 24 * time.Hour).Format(time.RFC3339), updates: []cancellation.TicketUpdate{{ID: id + 1}},
		}
	}
	s.write()
	return s
}

// write makes the world's records say what the matters are.
func (s *support) write() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sees = !s.blind
	for id, m := range s.matters {
		delete(s.servers, id)
		delete(s.lives, 1000+id)
		s.short[id], s.updates[1000+id], s.listed[id*10] = m.short, m.updates, m.open || m.approved
		last := m.updates[len(m.updates)-1]
		life := cancellation.TicketLife{ID: 1000 + id, Open: m.open, Last: last.ID, ByStaff: last.ByStaff}
		server := cancellation.Server{ID: id, Billing: &cancellation.Billing{ID: m.item, PendingKnown: true}}
		if m.approved {
			server.Billing.PendingCancellation, server.Billing.CancellationDate = !m.ended, m.date
		}
		if m.open || m.approved {
			life.Cancels = map[int64]string{id * 10: m.date}
		}
		if s.noBilling {
			server.Billing = nil
		}
		if m.open && !m.hidden {
			server.OpenTicket = &cancellation.TicketID{ID: 1000 + id}
		}
		if m.there && !s.blind {
			s.servers[id] = server
		}
		if !m.hidden {
			s.lives[1000+id] = life
		}
	}
}

// does has something happen, and looks at what became of the requests.
func (s *support) does(d deed) {
	switch {
	case d.What == "follow":
		s.follows(d.Owner, d.Long)
	case d.What == "nobody follows":
		time.Sleep(d.Long)
	case d.What == "restart":
		require.NoError(s.t, s.store.Close())
		s.open()
	case d.What == "the server is gone for a while":
		s.forAWhile(d, "the server goes", "the server is back")
	case d.What == "the ticket is closed for a while":
		s.forAWhile(d, "staff close", "staff reopen")
	case d.What == "somebody reads its card":
		s.reads(d.Server)
	case d.Call > 0:
		s.next = append(s.next, d)
	default:
		s.happens(d)
	}
	s.judges()
}

// forAWhile has something happen and be undone, twice, each before one look.
func (s *support) forAWhile(d deed, happens, undone string) {
	for _, what := range []string{happens, undone, happens, undone} {
		d.What = what
		s.happens(d)
		time.Sleep(time.Hour)
		s.follows(d.Owner, 5*time.Minute)
		s.judges()
	}
}

func (s *support) follows(owner string, long time.Duration) {
	ctx, stop := context.WithTimeout(s.t.Context(), long)
	defer stop()
	s.follower(owner, time.Hour, s).Run(ctx)
}

// happens changes the records.
func (s *support) happens(d deed) {
	m := s.matters[d.Server]
	switch d.What {
	case "staff answer", "somebody else writes":
		s.last++
		m.updates = append(slices.Clip(m.updates), cancellation.TicketUpdate{ID: s.last, ByStaff: d.What == "staff answer"})
	case "staff close":
		m.open = false
	case "staff reopen":
		m.open = true
	case "staff approve":
		m.approved = m.approved || m.open
	case "the server goes":
		m.there = false
	case "the server is back":
		m.there = true
	case "its billing ends", "another item takes over":
		if m.approved, m.open = true, false; !m.ended {
			m.ended, m.date = true, time.Now().Add(-time.Minute).Format(time.RFC3339)
		}
		if d.What == "another item takes over" {
			m.item = d.Server*10 + 1
		}
	case "hide the ticket", "show the ticket":
		m.hidden = d.What == "hide the ticket"
	case "leave it out of lists", "list it again":
		m.short = d.What == "leave it out of lists"
	case "lose all hardware", "see all hardware":
		s.blind = d.What == "lose all hardware"
	case "lose billing", "see billing":
		s.noBilling = d.What == "lose billing"
	case "lose the list", "see the list":
		s.noList = d.What == "lose the list"
	case "lose the updates", "see the updates":
		s.noUpdates = d.What == "lose the updates"
	case "an outage begins", "the outage ends":
		s.mu.Lock()
		if s.broken = nil; d.What == "an outage begins" {
			s.broken = errors.New("no answer")
		}
		s.mu.Unlock()
	}
	s.write()
}

// reads is a card's read, which counts at most as the first of two.
func (s *support) reads(id int64) {
	m := s.matters[id]
	if m.state != cancellation.Filed || s.broken != nil {
		return
	}
	sight, what := cancellation.Stands, "stands"
	switch r := s.request(id); {
	case !m.there && !s.blind:
		sight, what = cancellation.ServerGone, "gone"
	case m.there && !m.open && !m.approved && !m.hidden && !s.noBilling && !s.blind:
		sight, what = r.ClosedTicket(), "void"
	case !m.open:
		return
	}
	require.NoError(s.t, s.store.Sight(s.t.Context(), s.request(id).ID, sight.Event("card"), cancellation.SightingGap))
	m.cards = append(m.cards, evidence{time.Now(), what})
}

// of is what a look's answers show of a request, by docs/design.md 6.3 and 6.4.
func (a answers) of(id int64) string {
	life, shown := a.lives[1000+id]
	server, read := a.alone[id]
	switch {
	case !read && a.listed[id] && shown && life.Open:
		return "stands"
	case !read, server == nil && !a.sees:
		return ""
	case server == nil:
		return "gone"
	case server.OpenTicket != nil:
		return "stands"
	case server.Billing == nil:
		return ""
	case server.Billing.ID != id*10:
		return "replaced"
	case server.Billing.PendingCancellation:
		return "stands"
	case server.Billing.CancellationDate != "":
		return "ended"
	case !shown:
		return ""
	case life.Open, a.names[id*10]:
		return "stands"
	case !a.hasList:
		return ""
	}
	return "void"
}

// judges holds what is recorded to docs/design.md 6.1 to 6.6.
func (s *support) judges() {
	for id, m := range s.matters {
		state := s.request(id).State
		if state != m.state {
			if m.state != cancellation.Filed {
				s.finds("request %d has left its end: %s, now %s", id, m.state, state)
			}
			m.state = state
			s.judgesEnd(id, m)
		}
		s.judgesLines(id, m)
	}
}

func (s *support) finds(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// judgesEnd holds an end to docs/design.md 6.2 to 6.4: the last look showed it, and so did a read at least a gap before; no
// look between them showed anything else.
func (s *support) judgesEnd(id int64, m *matter) {
	shows := []string{"void"}
	if m.state == cancellation.Reclaimed {
		shows = []string{"gone", "ended", "replaced"}
	}
	var last answers // after its end it is asked for no more
	for _, a := range s.looks {
		if slices.Contains(a.asked, id) {
			last = a
		}
	}
	what := last.of(id)
	if !slices.Contains(shows, what) {
		s.finds("request %d is %s, and the last look showed %q", id, m.state, what)
		return
	}
	reads := slices.Clone(m.cards)
	for _, a := range s.looks {
		if is := a.of(id); is != "" {
			reads = append(reads, evidence{a.at, is})
		}
	}
	slices.SortStableFunc(reads, func(a, b evidence) int { return b.at.Compare(a.at) })
	for _, read := range reads {
		if read.what == what && last.at.Sub(read.at) >= cancellation.SightingGap {
			return
		}
		if read.what != what && !slices.Contains(m.cards, read) { // a card's read voids none
			break
		}
	}
	s.finds("request %d is %s, and %q was read once: %v", id, m.state, what, reads)
}

// judgesLines holds what is told to docs/design.md 6.6: what was owed stays owed, each line is true, and an end
// is told.
func (s *support) judgesLines(id int64, m *matter) {
	notices, err := s.store.Notices(s.t.Context(), s.request(id).ID)
	require.NoError(s.t, err)
	owed, err := s.store.NewsFor(s.t.Context(), "U1", 1000)
	require.NoError(s.t, err)
	direct := slices.ContainsFunc(owed, func(n cancellation.OwedNews) bool {
		return n.Kind == cancellation.NewsNotCancelled && n.Request == s.request(id).ID
	})
	ended, lines := false, 0
	for _, n := range notices {
		line, is := n.Kind.Line()
		if !is {
			continue
		}
		m.lines[n.Kind] = true
		lines++
		byStaff := slices.Contains(m.updates, cancellation.TicketUpdate{ID: line.Update, ByStaff: true})
		if line.What == cancellation.LineStaff && !byStaff {
			s.finds("request %d: staff did not write update %d", id, line.Update)
		}
		if line.What == cancellation.LineUnclear && !slices.ContainsFunc(s.looks, func(a answers) bool { return a.lives[1000+id].ID != 0 && !a.lives[1000+id].Open }) {
			s.finds("request %d: its ticket was never seen closed", id)
		}
		ended = ended || line.What == cancellation.LineEnded
	}
	if lines < len(m.lines) {
		s.finds("request %d lost a line", id)
	}
	if over := m.state != cancellation.Filed; ended != over || (m.state == cancellation.Reverted) != direct {
		s.finds("request %d is %s; its thread is told: %t, its requester: %t", id, m.state, ended, direct)
	}
}

// heals ends what is odd. Then all that has ended is recorded, and nothing else, each once.
func (s *support) heals() {
	s.next, s.blind, s.noBilling, s.noList, s.noUpdates, s.broken = nil, false, false, false, false, nil
	for _, m := range s.matters {
		m.hidden, m.short = false, false
	}
	s.write()
	for _, long := range []time.Duration{27 * time.Hour, 2 * time.Hour} { // what lists do not settle is read alone once a day
		s.follows("one", long)
		s.judges()
		for id, m := range s.matters {
			s.judgesRest(id, m)
		}
	}
}

func (s *support) judgesRest(id int64, m *matter) {
	expect := cancellation.Reverted
	switch {
	case !m.there, !m.open && m.ended:
		expect = cancellation.Reclaimed
	case m.open, m.approved:
		expect = cancellation.Filed
	}
	if m.state == cancellation.Filed && expect != cancellation.Filed {
		s.finds("request %d is filed, and it should be %s: %+v", id, expect, *m)
	}
	staff := int64(0)
	for _, u := range m.updates {
		if u.ByStaff {
			staff = u.ID
		}
	}
	if told := m.lines[cancellation.Said(cancellation.Line{What: cancellation.LineStaff, Update: staff})]; m.state == cancellation.Filed && staff > 0 && !told {
		s.finds("request %d: nobody is told of staff's update %d", id, staff)
	}
}

// call counts a look's calls, and has happen what is to happen then.
func (s *support) call() {
	s.calls++
	s.next = slices.DeleteFunc(s.next, func(d deed) bool {
		due := d.Call <= s.calls
		if due {
			s.happens(d)
		}
		return due
	})
}

// look is the look that is under way.
func (s *support) look() *answers { return &s.looks[len(s.looks)-1] }

// Listed begins a look.
func (s *support) Listed(ctx context.Context, ids []int64) (map[int64]bool, error) {
	s.calls = 0
	s.call()
	listed, err := s.world.Listed(ctx, ids)
	s.looks = append(s.looks, answers{at: time.Now(), asked: slices.Clone(ids), listed: listed, alone: map[int64]*cancellation.Server{}})
	return listed, err
}

// Lives is the second call of each look.
func (s *support) Lives(ctx context.Context, ids []int64) (map[int64]cancellation.TicketLife, error) {
	s.call()
	lives, err := s.world.Lives(ctx, ids)
	s.look().lives = lives
	return lives, err
}

func (s *support) Server(ctx context.Context, id int64) (cancellation.Server, error) {
	s.call()
	server, err := s.world.Server(ctx, id)
	switch look := s.look(); {
	case err == nil:
		look.alone[id] = &server
	case errors.Is(err, cancellation.ErrServerNotFound):
		look.alone[id], look.sees = nil, false // until the key is read after it
	}
	return server, err
}

func (s *support) Rights(ctx context.Context) (cancellation.Rights, error) {
	s.call()
	rights, err := s.world.Rights(ctx)
	s.look().sees = err == nil && rights.AllHardware
	return rights, err
}

func (s *support) Cancelled(ctx context.Context, since time.Time) (map[int64]bool, error) {
	s.call()
	if s.noList {
		return nil, cancellation.ErrReadRefused
	}
	names, err := s.world.Cancelled(ctx, since)
	s.look().names, s.look().hasList = maps.Clone(names), err == nil
	return names, err
}

func (s *support) Updates(ctx context.Context, ticket int64) ([]cancellation.TicketUpdate, error) {
	s.call()
	if s.noUpdates {
		return nil, errors.New("no answer")
	}
	return s.world.Updates(ctx, ticket)
}
