package orders_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/orders"
	"cancel-server/internal/postgrestest"
	"cancel-server/internal/store"
	"cancel-server/internal/storetest"
)

// stage is a teller with the real store, whose clock the test moves, and a Slack that does as told.
type stage struct {
	*orders.Teller
	t        *testing.T
	now      time.Time
	store    *store.Store
	posted   []string // what Slack shows, by target
	answers  []cancellation.Delivery
	faults   map[string]cancellation.Delivery // what Slack answers about a target for now
	tries    int
	readable bool // the bot may look for what it posted
	people   []string
	unread   error
}

func newStage(t *testing.T, o store.Options) *stage {
	t.Helper()
	s := &stage{t: t, now: time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC), readable: true, people: []string{"U1", "U2"}}
	o.Clock = func() time.Time { return s.now }
	var err error
	s.store, err = store.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.store.Close()) })
	s.Teller = s.replica("one", "C0")
	return s
}

func (s *stage) replica(owner, channel string) *orders.Teller {
	return orders.New(orders.Options{
		Ledger: s.store, Board: s, Owner: owner, Channel: channel, Poll: time.Second, Log: slog.New(slog.DiscardHandler),
		People: func(context.Context) ([]string, error) { return s.people, s.unread },
	})
}

func (s *stage) PostOrder(_ context.Context, n orders.Notice, ends cancellation.Posted) (at cancellation.Posted, d cancellation.Delivery, retry time.Duration) {
	if len(s.answers) > 0 {
		d, s.answers = s.answers[0], s.answers[1:]
	}
	if fault, is := s.faults[n.Target]; is {
		d = fault
	}
	s.tries++
	if d == cancellation.Delivered || d == cancellation.Lost {
		s.posted = append(s.posted, fmt.Sprintf("%s: %d frozen=%v %q in %q, ends %s", n.Target, n.Order.Number, n.Order.Frozen, n.Order.Why, n.Order.Place.ChannelName, ends.TS))
	}
	return cancellation.Posted{Channel: n.Target, TS: fmt.Sprintf("%d.1", n.Order.Number)}, d, 0
}

func (s *stage) FindOrder(_ context.Context, n orders.Notice) (at cancellation.Posted, found, known bool) {
	for _, text := range s.posted {
		found = found || strings.HasPrefix(text, fmt.Sprintf("%s: %d ", n.Target, n.Order.Number))
	}
	return cancellation.Posted{Channel: n.Target, TS: fmt.Sprintf("%d.1", n.Order.Number)}, found && s.readable, s.readable
}

func (s *stage) order(frozen bool, why, channel string) {
	s.t.Helper()
	require.NoError(s.t, s.store.Freeze(s.t.Context(), cancellation.Freeze{
		Frozen: frozen, Actor: "T1/U1", Why: why, Place: cancellation.Place{Channel: strings.TrimSuffix("C"+channel, "C-"), ChannelName: channel},
	}))
}

// works has tellers look in turn until none has anything to do now.
func (s *stage) works(tellers ...*orders.Teller) {
	s.t.Helper()
	if len(tellers) == 0 {
		tellers = []*orders.Teller{s.Teller}
	}
	for idle := 0; idle < len(tellers); {
		idle = 0
		for _, t := range tellers {
			worked, err := t.Pass(s.t.Context())
			require.NoError(s.t, err)
			if !worked {
				idle++
			}
		}
	}
}

func TestEachOrderIsToldOnceInItsOrder(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]func(t *testing.T) store.Options{
		"SQLite":     func(t *testing.T) store.Options { return store.Options{Path: storetest.File(t)} },
		"PostgreSQL": func(t *testing.T) store.Options { return store.Options{URL: postgrestest.Schema(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, o(t))
			s.works()
			assert.Empty(t, s.posted)
			s.order(false, "nothing is frozen", "ops") // changes nothing
			s.order(true, "an outage", "ops")
			s.order(false, "it is over", "dev")
			s.works(s.Teller, s.replica("two", "C0"))
			assert.Equal(t, []string{`C0: 2 frozen=true "an outage" in "ops", ends `, `C0: 3 frozen=false "it is over" in "dev", ends 2.1`}, s.posted)
			s.now = s.now.Add(time.Hour)
			s.works(s.replica("three", "C0"))
			assert.Len(t, s.posted, 2)
		})
	}
}

func TestLostOrderIsLookedForFirst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		readable bool
		times    int
	}{"it is found": {true, 1}, "nobody can tell": {false, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, store.Options{Path: storetest.File(t)})
			s.readable, s.answers = c.readable, []cancellation.Delivery{cancellation.Lost}
			s.order(true, "an outage", "ops")
			s.order(false, "it is over", "ops")
			s.works()
			assert.Len(t, s.posted, 1, "the next one waits for what became of the first")
			s.now = s.now.Add(orders.LostPause)
			s.works(s.replica("after a kill", "C0"))
			assert.Len(t, s.posted, c.times+1)
		})
	}
}

// A process that dies between the announcement and the call leaves an order that another one tells.
func TestOrderOfAKilledTellerIsTold(t *testing.T) {
	t.Parallel()
	s := newStage(t, store.Options{Path: storetest.File(t)})
	s.order(true, "an outage", "ops")
	n, _, ok, err := s.store.ClaimOrder(t.Context(), "killed", orders.Lease)
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, s.store.SpreadOrder(t.Context(), n, []string{"C0"}))
	n, _, _, err = s.store.ClaimOrder(t.Context(), "killed", orders.Lease)
	require.NoError(t, err)
	n.Posting = true
	_, err = s.store.KeepOrder(t.Context(), n, orders.LostPause, true)
	require.NoError(t, err)
	s.works()
	s.now = s.now.Add(orders.Lease)
	s.works()
	assert.Empty(t, s.posted, "the call may be under way")
	s.now = s.now.Add(orders.LostPause)
	s.works()
	assert.Len(t, s.posted, 1)
	_, err = s.store.KeepOrder(t.Context(), n, 0, false)
	assert.ErrorIs(t, err, cancellation.ErrMoved, "the killed one writes no more")
}

// told are the targets of what Slack shows, each with the order's number.
func (s *stage) told() (all []string) {
	for _, text := range s.posted {
		told, _, _ := strings.Cut(text, " frozen")
		all = append(all, told)
	}
	return all
}

// passes has the teller work for so long, and look around each minute; each ten minutes if that takes days.
func (s *stage) passes(d time.Duration, tellers ...*orders.Teller) {
	s.t.Helper()
	each := time.Minute
	if d >= 24*time.Hour {
		each *= 10
	}
	for end := s.now.Add(d); s.now.Before(end); s.now = s.now.Add(each) {
		s.works(tellers...)
	}
}

func TestOrderIsToldOnceAFaultIsOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault     cancellation.Delivery
		meanwhile []string
	}{
		"Slack refuses the channel: others read it meanwhile": {cancellation.Refusing, []string{"U2: 1", "U2: 2"}},
		"Slack takes nothing": {cancellation.Undelivered, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, store.Options{Path: storetest.File(t)})
			s.faults = map[string]cancellation.Delivery{"C0": c.fault}
			s.order(true, "an outage", "ops")
			s.works()
			s.now = s.now.Add(time.Second)
			s.order(false, "it is over", "ops")
			s.works()
			assert.Equal(t, c.meanwhile, s.told(), "at once")
			s.passes(60 * time.Hour)
			assert.Equal(t, c.meanwhile, s.told())
			s.faults, s.posted = nil, nil
			s.passes(time.Hour)
			if c.fault == cancellation.Undelivered {
				assert.Equal(t, []string{"C0: 1", "C0: 2"}, s.told(), "in their order")
			} else {
				assert.Empty(t, s.told(), "it is given up after a day")
			}
		})
	}
	t.Run("a channel that is refused for an hour", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, store.Options{Path: storetest.File(t)})
		s.faults = map[string]cancellation.Delivery{"C0": cancellation.Refusing, "U2": cancellation.Refusing}
		s.order(true, "an outage", "ops")
		s.passes(time.Hour)
		s.order(false, "it is over", "ops")
		s.passes(time.Hour)
		assert.Empty(t, s.told())
		s.faults = nil
		s.passes(time.Hour)
		assert.ElementsMatch(t, []string{"C0: 1", "C0: 2", "U2: 1", "U2: 2"}, s.told())
		assert.Less(t, slices.Index(s.told(), "C0: 1"), slices.Index(s.told(), "C0: 2"))
		assert.Less(t, slices.Index(s.told(), "U2: 1"), slices.Index(s.told(), "U2: 2"))
	})
}

func TestOrderIsGivenUpAfterManyTries(t *testing.T) {
	t.Parallel()
	for _, fault := range []cancellation.Delivery{cancellation.Undelivered, cancellation.Refusing, cancellation.Lost} {
		s := newStage(t, store.Options{Path: storetest.File(t)})
		s.readable, s.faults = false, map[string]cancellation.Delivery{"C0": fault, "U2": fault}
		s.order(true, "an outage", "ops")
		s.passes(4 * 24 * time.Hour)
		tries := s.tries
		assert.Less(t, tries, 1001, "%v", fault)
		s.passes(24 * time.Hour)
		assert.Equal(t, tries, s.tries, "%v", fault)
		s.faults = nil
		s.order(false, "it is over", "ops")
		s.works()
		assert.Contains(t, s.told(), "C0: 2", "what is given up holds nothing up")
	}
}

func TestAnUnreachablePersonHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	s := newStage(t, store.Options{Path: storetest.File(t)})
	s.people, s.faults = []string{"U2", "U3"}, map[string]cancellation.Delivery{"U2": cancellation.Undelivered}
	teller := s.replica("one", "")
	s.order(true, "an outage", "ops")
	s.works(teller)
	s.order(false, "it is over", "ops")
	s.works(teller)
	assert.Equal(t, []string{"U3: 1", "U3: 2"}, s.told())
	s.faults = nil
	s.passes(time.Hour, teller)
	assert.Equal(t, []string{"U3: 1", "U3: 2", "U2: 1", "U2: 2"}, s.told())
}

func TestChannelThatRefusesAfterADayIsReplaced(t *testing.T) {
	t.Parallel()
	s := newStage(t, store.Options{Path: storetest.File(t)})
	s.faults = map[string]cancellation.Delivery{"C0": cancellation.Undelivered}
	s.order(true, "an outage", "ops")
	s.passes(30 * time.Hour)
	s.faults["C0"] = cancellation.Refusing
	s.passes(time.Hour)
	assert.Equal(t, []string{"U2: 1"}, s.told(), "its tries before do not count as refusals")
}

func TestReplacedChannelIsToldInstead(t *testing.T) {
	t.Parallel()
	s := newStage(t, store.Options{Path: storetest.File(t)})
	s.faults = map[string]cancellation.Delivery{"C0": cancellation.Undelivered}
	s.order(true, "an outage", "ops")
	s.works()
	s.faults["C0"] = cancellation.Refusing // it was archived, and the setting names another
	s.passes(time.Hour, s.replica("later", "C1"))
	assert.Equal(t, []string{"C1: 1"}, s.told())
}

func TestRestoredCopyTellsItsOwnFreezeAlone(t *testing.T) {
	t.Parallel()
	path, to := storetest.File(t), filepath.Join(t.TempDir(), "copy")
	s := newStage(t, store.Options{Path: path, Mode: store.Serve})
	require.NoError(t, s.store.Bind(t.Context(), store.Binding{App: "B1", Team: "T1", Account: "1", Endpoint: "http://127.0.0.1/"}))
	s.order(true, "an outage", "ops")
	n, _, _, err := s.store.ClaimOrder(t.Context(), "one", orders.Lease)
	require.NoError(t, err)
	require.NoError(t, s.store.SpreadOrder(t.Context(), n, []string{"C0"}))
	s.order(false, "it is over", "ops")
	_, err = store.BackUp(t.Context(), path, to)
	require.NoError(t, err)
	s.works()
	assert.Equal(t, []string{"C0: 1", "C0: 2"}, s.told(), "the original's orders")

	restored := newStage(t, store.Options{Path: to, Mode: store.Serve})
	restored.works()
	require.Equal(t, []string{"C0: 3"}, restored.told(), "what was owed in the copy is old news")
	assert.Contains(t, restored.posted[0], "restored from a backup of ")
	require.NoError(t, restored.store.Freeze(t.Context(), cancellation.Freeze{Actor: "operator:root", Why: "compared"}))
	restored.works()
	assert.Equal(t, []string{"C0: 3", "C0: 4"}, restored.told())
	assert.Contains(t, restored.posted[1], "ends 3.1")
}

func TestOrderReachesPeopleWithoutAChannel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		channel string
		answers []cancellation.Delivery
		people  []string
		told    []string
		place   string
	}{
		"without a channel: all but who ordered":      {people: []string{"U1", "U2", "U3"}, told: []string{"U2", "U3"}},
		"a channel that refuses":                      {channel: "C0", answers: []cancellation.Delivery{cancellation.Refusing}, people: []string{"U2"}, told: []string{"U2"}},
		"a person who cannot be reached":              {people: []string{"U2", "U3"}, answers: []cancellation.Delivery{cancellation.Refusing}, told: []string{"U3"}},
		"a channel that takes nothing for a time":     {channel: "C0", answers: []cancellation.Delivery{cancellation.Undelivered}, told: []string{"C0"}},
		"nobody but the channel where it was ordered": {told: []string{"Cops"}},
		"only who ordered it":                         {people: []string{"U1"}, told: []string{"Cops"}},
		"nobody at all":                               {place: "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, store.Options{Path: storetest.File(t)})
			if s.people, s.answers = c.people, c.answers; c.channel == "" {
				s.unread = errors.New("Slack is away")
			}
			s.order(true, "an outage", cmp.Or(c.place, "ops"))
			teller := s.replica("one", c.channel)
			s.works(teller)
			s.unread = nil
			for range 3 {
				s.now = s.now.Add(time.Minute)
				s.works(teller)
			}
			var told []string
			for _, text := range s.posted {
				target, _, _ := strings.Cut(text, ":")
				told = append(told, target)
			}
			assert.Equal(t, c.told, told)
		})
	}
}

func TestTellerWakesAndEnds(t *testing.T) {
	t.Parallel()
	s := newStage(t, store.Options{Path: storetest.File(t)})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	s.order(true, "an outage", "ops")
	s.Wake()
	s.Wake()
	assert.Eventually(t, func() bool {
		shown, err := s.store.OrderShown(t.Context(), 1)
		return err == nil && shown.TS != ""
	}, 30*time.Second, 10*time.Millisecond)
	cancel()
	<-ended
}
