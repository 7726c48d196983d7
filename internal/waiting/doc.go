// Package waiting tells people that SoftLayer waits for an answer: at once, after three working days, and
// then each week to more people. docs/design.md 6.13 to 6.16 are its rules.
//
// [Next] says what people are told, by its arguments alone. [Teller] reads who is there, and records what
// is owed, each thing once, however many replicas do so.
package waiting
