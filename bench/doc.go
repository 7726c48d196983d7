// Package bench measures the bot as the operator's machine sees it: the real binary in a process of its own,
// next to floors that do no more than the task asks for, in the same run. It holds benchmarks only:
//
//	go test -tags bench -run '^$' -bench Bot -benchtime 1x ./bench
//
// They end with a table: the bot, its floors, the bot's figure divided by its first floor's, and the aim.
//
// The floors are processes too. They meet the same Slack and SoftLayer as the bot, on loopback, whose answers
// are canned, and they send what the bot sent, byte for byte. net-http checks the signature, acknowledges, and
// makes the bot's calls. slack-go does the same as its documentation shows, and looks for servers in a list.
// Both forget everything when they are killed. bare-store writes the bot's rows in group commits, and calls nobody.
//
// A command counts if its form was opened, a submission if SoftLayer got one POST for it and Slack a message that
// names the ticket. Where Linux has several processors, what is measured has the first one of its own, and the
// load and the vendors have the others; PostgreSQL goes where it likes. Processor time and memory are read from
// Linux; elsewhere what needs them is skipped.
//
// One iteration (1x) is a whole measurement, in which the processes take turns.
package bench
