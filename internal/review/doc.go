// Package review puts together what a person reads before asking for several servers: what cannot be asked
// for and why, and of the rest the sum, the dates and the digest. It follows from its arguments alone.
//
// A list is read server by server, so a [Review] may be incomplete: it counts what was read, and its sum,
// dates and digest are those of the rows that were read so far. It may be sent only if [Review.Complete].
package review
