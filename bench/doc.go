// Package bench measures the bot as the operator's machine sees it: the real
// binary in a process of its own, alongside two floors that do no more than a
// slash command asks for. It holds benchmarks only:
//
//	go test -tags bench -run '^$' -bench . -benchtime 1x ./bench
//
// The floors are processes too. net-http checks the signature and sends canned
// bytes to views.open; slack-go is what its documentation shows: verify, parse,
// OpenViewContext. All three meet the same Slack, on loopback, whose answers are
// canned, and open the same modal, byte for byte the one that the bot sent.
//
// One iteration (1x) is a whole measurement of twenty rounds. A round is some
// hundred commands to each process in its turn, one start of each, a thousand
// commands over 64 connections, a hundred keystrokes, or five submissions. Processor time and memory
// are read from Linux; elsewhere those two are skipped.
package bench
