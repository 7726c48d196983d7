// Package slacktest is what the tests of slackui's rooms share: a network in virtual time, a
// Slack whose answers a test writes, a strict one that judges, and the mock-ups' requests.
// It imports none of the rooms, so that their tests can import it.
package slacktest
