// Package bulletin posts in REPORT_CHANNEL what concerns the whole account: the report of a month that is
// over, and cancellations that somebody made elsewhere. There is at most one a day, by one replica,
// and what it tells is told once: "about to post" is recorded before it.
package bulletin
