// Package report adds up what the servers save that people had cancelled. It does no I/O: rows are
// handed to it one by one, and it keeps sums alone. Amounts are exact.
package report
