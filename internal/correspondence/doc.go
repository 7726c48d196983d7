// Package correspondence writes texts of people into the tickets of filed requests: replies to
// SoftLayer's staff, and pleas to stop a cancellation. docs/design.md 6.7 to 6.11 are its rules.
//
// [Judge] and [Compose] decide who may write and what is written; they do no I/O. [Desk] decides and
// records. [Sender] sends what is recorded, and finds out what became of a lost answer.
//
// It promises that a text that a person sent once reaches the ticket at most once, whatever is
// killed, delivered again or clicked twice, and that the person reads what became of it, or that
// the program does not know.
package correspondence
