// Package checkup looks at what a bot needs, and says of each thing in one line what was found and what
// to do. It reads and judges; it posts, creates, binds and migrates nothing.
//
// A running bot repeats the checks: see [Monitor].
package checkup
