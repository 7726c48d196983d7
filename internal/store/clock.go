//go:build !testclock

package store

import "time"

// hostTime is the time that decides on SQLite.
func hostTime() time.Time { return time.Now() }

// serverTime is the time that decides on PostgreSQL, in milliseconds.
const serverTime = `(extract(epoch from clock_timestamp()) * 1000)::bigint`
