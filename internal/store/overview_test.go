package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// askedBy is the record of a person's request for a server, with that place of their day.
func askedBy(person string, day, slot, server int64, name string) cancellation.Record {
	rec := asking(server)
	rec.Request.ID = fmt.Sprintf("%032d%032d", server, slot)
	rec.Request.Ref = cancellation.ReferenceOf([]byte("key"), rec.Request.ID)
	rec.Request.Submission.Card.Server.FQDN = name
	rec.Quota = cancellation.Quota{Requester: person, Day: day, Slot: slot, Most: 100}
	return rec
}

func serversOf(t *testing.T, found []cancellation.Followed, err error) (servers []int64) {
	t.Helper()
	require.NoError(t, err)
	for _, f := range found {
		servers = append(servers, f.Request.Submission.Card.Server.ID)
	}
	return servers
}

func TestStandingRequestsAreListedInOrder(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		clock := newHands()
		o.Clock = clock.time
		s := open(t, o)
		keep := func(rec cancellation.Record) cancellation.Request {
			got, err := s.Record(t.Context(), rec)
			require.NoError(t, err)
			require.True(t, got.Fresh)
			clock.pass(time.Second)
			return got.Request
		}
		file := func(r cancellation.Request, shows string) {
			change := moved(applied(t, s, moved(r, cancellation.Filing)), cancellation.Filed)
			change.To.Shows = shows
			applied(t, s, change)
		}
		file(keep(askedBy("T0/U1", 7, 1, 101, "Web.example.com")), "2027-02-01T00:00:00-06:00")
		file(keep(askedBy("T0/U1", 7, 2, 102, "web.example.net")), "2027-01-01T00:00:00-06:00")
		file(keep(askedBy("T0/U1", 8, 1, 103, "web-2.example.com")), "2026-01-01T00:00:00-06:00")
		waits := askedBy("T0/U2", 8, 1, 104, "web.example.com.evil.example")
		waits.Request.State, waits.Event.To = cancellation.Pending, cancellation.Pending
		keep(waits)
		denied := askedBy("T0/U1", 0, 0, 105, "db.example.com")
		denied.Request.State, denied.Event.To = cancellation.Denied, cancellation.Denied
		keep(denied)

		list := func(found []cancellation.Followed, err error) []int64 { return serversOf(t, found, err) }
		ctx := t.Context()
		assert.Equal(t, []int64{103, 102, 101}, list(s.OfRequester(ctx, "T0/U1", 10)), "the newest first, no denial")
		assert.Equal(t, []int64{103}, list(s.OfRequester(ctx, "T0/U1", 1)))
		assert.Equal(t, []int64{104}, list(s.Pending(ctx, 10)))
		assert.Equal(t, []int64{102, 101}, list(s.Ending(ctx, clock.time(), 10)), "the next one first, none that is over")
		assert.Empty(t, list(s.Undated(ctx, 10)))
		assert.Equal(t, []int64{101}, list(s.OfServer(ctx, 101, 10)))
		assert.ElementsMatch(t, []int64{101, 104, 102}, list(s.Named(ctx, "web", 10)), "in any domain")
		assert.Equal(t, []int64{101, 104}, list(s.Named(ctx, "web.example.com", 10)))
		assert.Empty(t, list(s.Named(ctx, "we", 10)))
		assert.Equal(t, []int64{102}, list(s.OfRef(ctx, askedBy("", 0, 2, 102, "").Request.Ref.Short())))
		assert.Empty(t, list(s.Waiting(ctx, 10)))

		_, err := s.write.Exec(`update requests set ends_at = 0 where server_id = 101`) // as an older build writes it
		require.NoError(t, err)
		assert.Equal(t, []int64{101}, list(s.Undated(ctx, 10)))
		assert.Equal(t, []int64{102}, list(s.Ending(ctx, clock.time(), 10)))
	})
}

func TestHeldServersAreThoseOfLiveRequests(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		clock := newHands()
		o.Clock = clock.time
		s := open(t, o)
		keep := func(server int64, state cancellation.State) cancellation.Request {
			rec := askedBy("T0/U1", 7, server, server, "web.example.com")
			rec.Request.State, rec.Event.To = state, state
			if state == cancellation.Denied {
				rec.Quota = cancellation.Quota{}
			}
			got, err := s.Record(t.Context(), rec)
			require.NoError(t, err)
			clock.pass(time.Second)
			return got.Request
		}
		keep(1, cancellation.Pending)
		keep(2, cancellation.Scheduled)
		filed := applied(t, s, moved(applied(t, s, moved(keep(3, cancellation.Scheduled), cancellation.Filing)), cancellation.Filed))
		require.Equal(t, cancellation.Filed, filed.State)
		keep(4, cancellation.Denied)
		applied(t, s, moved(keep(5, cancellation.Scheduled), cancellation.Withdrawn))
		held, err := s.Held(t.Context())
		require.NoError(t, err)
		assert.Equal(t, map[int64]bool{1: true, 2: false, 3: false}, held)
	})
}
