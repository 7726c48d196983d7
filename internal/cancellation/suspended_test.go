package cancellation

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// still is a clock that stands.
type still struct {
	at time.Time
}

func (s still) Now(context.Context) (time.Time, error) { return s.at, nil }

// suspended is a moment after the machine slept for d, or, if that is negative, had its
// clock set back: Linux's CLOCK_MONOTONIC, by which Go compares, stood still meanwhile. No
// method of time.Time moves its wall clock alone: in its first word the seconds stand above
// 30 bits of nanoseconds.
func suspended(at time.Time, d time.Duration) time.Time {
	*(*int64)(unsafe.Pointer(&at)) += int64(d/time.Second) << 30
	return at
}

func TestTimePassesByTheLaterOfBothClocks(t *testing.T) {
	t.Parallel()
	from := time.Now()
	to := from.Add(10 * time.Second)
	assert.Equal(t, 10*time.Second, passed(from, to))
	assert.Equal(t, 10*time.Second, suspended(to, time.Hour).Sub(from), "Go itself does not see that the machine slept")
	assert.Equal(t, time.Hour+10*time.Second, passed(from, suspended(to, time.Hour)))
	assert.Equal(t, 10*time.Second, passed(from, suspended(to, -time.Hour)), "a clock that is set back makes nothing younger")
}

// The database's clock may lag, or not be the one of this machine: what this machine slept
// through counts all the same.
func TestMachineThatSleptBeforeThePostSendsNothing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	w := &Filer{Clock: still{at: now}, Limits: DefaultLimits()}
	w.Limits.PostTimeout = 90 * time.Second
	r := Request{NotAfter: now.Add(90 * time.Second)}
	for asleep, c := range map[string]struct {
		began moments
		sent  bool
	}{
		"not at all":                    {moments{now, now, now}, true},
		"since the filing commit":       {moments{now, now, suspended(now, -90*time.Second)}, false},
		"since the server was read":     {moments{now, suspended(now, -MaxServerAge-time.Second), now}, false},
		"since the requester was read":  {moments{suspended(now, -checkTime-time.Second), now, now}, false},
		"for less than any of them may": {moments{suspended(now, -time.Second), suspended(now, -time.Second), suspended(now, -time.Second)}, true},
	} {
		_, sent := w.mayPost(t.Context(), r, c.began)
		assert.Equal(t, c.sent, sent, asleep)
	}
}

// slow is a clock that is read at once and answers late.
type slow struct {
	by time.Duration
}

func (s slow) Now(context.Context) (time.Time, error) {
	at := time.Now()
	time.Sleep(s.by)
	return at, nil
}

func TestSlowDatabaseLetsNoPostPassNotAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		w := &Filer{Clock: slow{by: 4 * time.Second}, Limits: DefaultLimits()}
		notAfter := now.Add(w.Limits.PostTimeout)
		until, may := w.mayPost(t.Context(), Request{NotAfter: notAfter}, moments{now, now, now})
		assert.True(t, may)
		assert.False(t, until.After(notAfter), "the POST may be written until %v after not-after", until.Sub(notAfter))
	})
}
