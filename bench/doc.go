// Package bench measures the bot as the operator's machine sees it: the real
// binary in a process of its own, alongside two floors that do no more than a
// slash command asks for. It holds benchmarks only:
//
//	go test -tags bench -run '^$' -bench . -benchtime 1x ./bench
//
// The floors are processes too. For a command, net-http checks the signature and
// sends canned bytes to views.open; slack-go is what its documentation shows:
// verify, parse, OpenViewContext. They meet the same Slack as the bot, on loopback,
// whose answers are canned, and open the same modal, byte for byte the one that the
// bot sent. For a submission, bare-store writes the bot's rows in group commits.
//
// One iteration (1x) is a whole measurement, in which the processes take turns.
// Processor time and memory are read from Linux; elsewhere what needs them is skipped.
package bench
