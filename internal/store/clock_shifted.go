//go:build testclock

package store

import (
	"fmt"
	"os"
	"time"
)

// clockShift is added to the time that decides. Only builds for tests have it: they run at
// dates that the host does not have.
var clockShift = func() time.Duration {
	shift, err := time.ParseDuration(os.Getenv("TEST_CLOCK_SHIFT"))
	if err != nil {
		panic(fmt.Sprintf("TEST_CLOCK_SHIFT: %v", err))
	}
	return shift
}()

// hostTime is the time that decides on SQLite.
func hostTime() time.Time { return time.Now().Add(clockShift) }

// serverTime is the time that decides on PostgreSQL, in milliseconds.
var serverTime = fmt.Sprintf(`(extract(epoch from clock_timestamp()) * 1000)::bigint + %d`, clockShift.Milliseconds())
