package store

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/postgrestest"
)

func keyPromises() []promise {
	return []promise{
		{"a click that is delivered again changes nothing", keysAreUsedOnce},
		{"a click whose change was not made may be made yet", keysAreUsedByChanges},
		{"a key is remembered for 30 days", keysAreForgotten},
		{"an order that is delivered again changes nothing", ordersAreGivenOnce},
		{"unfreeze ends the freeze that it names, or none", unfreezeEndsOne},
		{"a refused order is recorded with its rule, once an hour", refusedOrdersAreRecorded},
	}
}

func keyed(c cancellation.Change, key string) cancellation.Change {
	c.Key = key
	return c
}

func keysAreUsedOnce(t *testing.T, j journal, _ *hands) {
	first, other := recorded(t, j, 1), recorded(t, j, 2)
	applied(t, j, keyed(moved(first, cancellation.Withdrawn), "press 1"))
	_, err := j.Apply(t.Context(), keyed(moved(other, cancellation.Withdrawn), "press 1"))
	require.ErrorIs(t, err, cancellation.ErrRepeated)
	read, err := j.Request(t.Context(), other.ID)
	require.NoError(t, err)
	assert.Equal(t, other, read)
	assert.Len(t, kinds(t, j, other.ID), 1)
	applied(t, j, keyed(moved(other, cancellation.Withdrawn), "press 2"))
}

func keysAreUsedByChanges(t *testing.T, j journal, _ *hands) {
	old := recorded(t, j, 1)
	now := applied(t, j, moved(old, cancellation.Filing))
	_, err := j.Apply(t.Context(), keyed(moved(old, cancellation.Withdrawn), "press 1"))
	require.ErrorIs(t, err, cancellation.ErrMoved)
	applied(t, j, keyed(moved(now, cancellation.Stuck), "press 1"))
}

func keysAreForgotten(t *testing.T, j journal, clock *hands) {
	use := func(server int64) error {
		_, err := j.Apply(t.Context(), keyed(moved(recorded(t, j, server), cancellation.Withdrawn), "press 1"))
		return err
	}
	require.NoError(t, use(1))
	clock.pass(30*24*time.Hour - time.Minute)
	applied(t, j, keyed(moved(recorded(t, j, 2), cancellation.Withdrawn), "press 2"))
	require.ErrorIs(t, use(3), cancellation.ErrRepeated)
	clock.pass(2 * time.Minute)
	applied(t, j, keyed(moved(recorded(t, j, 4), cancellation.Withdrawn), "press 3"))
	require.NoError(t, use(5), "what is older is forgotten with the next change")
}

func ordersAreGivenOnce(t *testing.T, j journal, _ *hands) {
	order := func(frozen bool, key string) error {
		return j.Freeze(t.Context(), cancellation.Freeze{Frozen: frozen, Actor: "T0/U0RAJ", Why: "why", Key: key})
	}
	require.NoError(t, order(true, "command 1"))
	require.NoError(t, order(false, "command 2"))
	require.NoError(t, order(true, "command 3"))
	stood, err := j.Frozen(t.Context())
	require.NoError(t, err)
	for _, key := range []string{"command 1", "command 2", "command 3"} {
		require.ErrorIs(t, order(key != "command 2", key), cancellation.ErrRepeated)
	}
	stands, err := j.Frozen(t.Context())
	require.NoError(t, err)
	assert.Equal(t, stood, stands, "the newer freeze stands")
}

func unfreezeEndsOne(t *testing.T, j journal, _ *hands) {
	freeze := func() int64 {
		require.NoError(t, j.Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "T0/U0RAJ", Why: "an outage"}))
		stands, err := j.Frozen(t.Context())
		require.NoError(t, err)
		return stands.Number
	}
	end := func(number int64) error {
		return j.Freeze(t.Context(), cancellation.Freeze{Actor: "T0/U0LEE", Why: "over", Ends: number})
	}
	other := func(err error) cancellation.Freeze {
		refused, is := errors.AsType[*cancellation.OtherFreezeError](err)
		require.True(t, is, "%v", err)
		return refused.Order
	}
	first := freeze()
	require.NoError(t, end(first))
	assert.False(t, other(end(first)).Frozen, "it is over")
	second := freeze()
	stands := other(end(first))
	assert.Equal(t, []any{true, second}, []any{stands.Frozen, stands.Number}, "it says what stands")
	third := freeze() // somebody takes it over
	assert.Equal(t, third, other(end(second)).Number)
	require.NoError(t, end(third))
}

func refusedOrdersAreRecorded(t *testing.T, j journal, clock *hands) {
	refuse := func(actor, rule string) {
		f := cancellation.Freeze{Frozen: true, Actor: actor, Why: "for fun"}
		require.NoError(t, j.NoteRefusedFreeze(t.Context(), f, rule))
	}
	refuse("T0/U0EVE", "leads-only")
	refuse("T0/U0EVE", "leads-only")
	refuse("T0/U0BEN", "leads-only")
	clock.pass(time.Hour + time.Second)
	refuse("T0/U0EVE", "leads-only")
	rows, err := j.(*Store).read.QueryContext(t.Context(), `select actor || ' ' || why || ' ' || refused from filing_orders order by at, actor`)
	require.NoError(t, err)
	all, err := collect(rows, func(from row) (text string, err error) { return text, from.Scan(&text) })
	require.NoError(t, err)
	assert.Equal(t, []string{"T0/U0BEN for fun leads-only", "T0/U0EVE for fun leads-only", "T0/U0EVE for fun leads-only"}, all)
	stands, err := j.Frozen(t.Context())
	require.NoError(t, err)
	assert.False(t, stands.Frozen, "nothing was frozen")
}

func TestReplicasCarryOutAClickOnce(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	replicas := []*Store{open(t, Options{URL: url}), open(t, Options{URL: url})}
	var waiting []cancellation.Request
	for server := range int64(16) {
		waiting = append(waiting, recorded(t, replicas[0], server+1))
	}
	made := make(chan string, len(waiting))
	var all sync.WaitGroup
	for n, r := range waiting { // one press for all of them: each is another row, so that the key alone decides
		all.Go(func() {
			switch _, err := replicas[n%2].Apply(t.Context(), keyed(moved(r, cancellation.Withdrawn), "press 1")); {
			case err == nil:
				made <- r.ID
			default:
				assert.ErrorIs(t, err, cancellation.ErrRepeated)
			}
		})
	}
	all.Wait()
	assert.Len(t, made, 1)
}
