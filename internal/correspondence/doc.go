// Package correspondence is about the texts that people write into the tickets of filed requests: replies
// to SoftLayer's staff, and pleas to stop a cancellation. docs/design.md 6.7 is its rule.
//
// [Judge] decides who may write; it does no I/O.
package correspondence
