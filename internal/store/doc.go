// Package store keeps requests, their events and their notices: on SQLite, in a file
// that one process serves from, or on PostgreSQL, for any number of processes. It is the
// [cancellation.Journal].
//
// Every change goes through one goroutine, the committer: it takes what waits,
// shares one transaction and one synced commit among it, and answers each waiter
// from its own row. A call that came back without an error is on disk. A call that
// came back with [cancellation.ErrUnclear] is on disk or not, and nobody knows; any
// other error means that nothing was written.
//
// Reads go past the committer on connections of their own. The one read that must
// not overtake a write is that of a request which is just being recorded, for the
// same caller or another: [Store.Request] waits for it, so that an absence is proof.
//
// The database's clock is the only time that decides anything: leases, due times, and
// the life of a response_url or a card. On SQLite it is the host's.
//
// The text of the queries is one for both. What differs stands in the migrations, in
// sqlite.go and kept.go, and in postgres.go, session.go, primary.go and listen.go: the
// clock, what an error means for what was being written, which server a session is
// connected to, and how a process hears of another's work. A commit that PostgreSQL did not
// answer is asked about; after one that SQLite failed, nothing more is taken.
package store
