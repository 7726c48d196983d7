// Package following looks at filed requests until they end, and finds what has become of them: the
// server is gone, the ticket was closed with no cancellation, the date moved, or staff answered.
// docs/design.md 6.1 to 6.6 are its rules.
//
// [Judge] decides by what was known and what one look read; it does no I/O. [Follower] makes the
// looks, many requests at a time.
//
// It promises that a request ends only by the same evidence read twice, the second time by the
// follower, at least [cancellation.SightingGap] apart by the database's clock. What could not be
// read is no evidence.
package following
