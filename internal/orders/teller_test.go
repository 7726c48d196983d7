package orders_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
		Frozen: frozen, Actor: "T1/U1", Why: why, Place: cancellation.Place{Channel: "C" + channel, ChannelName: channel},
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

func TestOrderReachesPeopleWithoutAChannel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		channel string
		answers []cancellation.Delivery
		people  []string
		told    []string
	}{
		"without a channel: all but who ordered":  {people: []string{"U1", "U2", "U3"}, told: []string{"U2", "U3"}},
		"a channel that refuses":                  {channel: "C0", answers: []cancellation.Delivery{cancellation.Refusing}, people: []string{"U2"}, told: []string{"U2"}},
		"a person who cannot be reached":          {people: []string{"U2", "U3"}, answers: []cancellation.Delivery{cancellation.Refusing}, told: []string{"U3"}},
		"a channel that takes nothing for a time": {channel: "C0", answers: []cancellation.Delivery{cancellation.Undelivered}, told: []string{"C0"}},
		"nobody": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, store.Options{Path: storetest.File(t)})
			if s.people, s.answers = c.people, c.answers; c.channel == "" {
				s.unread = errors.New("Slack is away")
			}
			s.order(true, "an outage", "ops")
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
