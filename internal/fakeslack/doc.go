// Package fakeslack is a strict Slack workspace in one process: people, groups and
// channels, the Web API that a bot calls, and the two ways in which Slack calls a
// bot, by signed HTTP and by Socket Mode. It speaks Slack's wire and shares no type
// with any client; slack-go is the witness of its tests, never its import.
//
//	w := fakeslack.New(fakeslack.Options{Seed: 1})
//	defer w.Close()
//	server := httptest.NewServer(w.Handler())
//	w.SetURL(server.URL) // a bot now uses server.URL + "/api/" and w.BotToken()
//	ack, err := w.Command(ctx, fakeslack.Command{User: w.Cast().User, Channel: w.Cast().Channel, Command: "/cancel-server"})
//
// It refuses what Slack refuses, in Slack's words, and records in each Exchange the
// rules that the bot broke. Time is the workspace's own and moved by Advance;
// acknowledgements, pings and signatures keep the real time. Faults are set by Fault.
//
// # Methods
//
// Faithful: as documented, for all that a bot can tell. Partial: what is missing
// is named next to it. Every other method answers unknown_method.
//
//	auth.test               faithful
//	apps.connections.open   faithful  its rate is a guess: sources differ between tiers 1 and 3
//	views.open              partial   modals only; each call opens a stack of its own
//	views.update            faithful  [open] a kept block_id keeps what was typed, a new one starts empty
//	views.push              faithful
//	views.publish           absent    there is no home tab
//	chat.postMessage        partial   no attachments, files, markdown_text, authorship; threads are not checked
//	chat.update             partial   the same
//	chat.postEphemeral      partial   the same
//	chat.delete             absent
//	conversations.open      partial   one person by `users`; no group messages
//	conversations.history   partial   the newest page, no cursor; no replies in threads
//	conversations.replies   partial   one page, no cursor
//	conversations.info      absent
//	users.info              faithful  fewer profile fields
//	users.lookupByEmail     absent    nobody has an e-mail address
//	usergroups.list         faithful
//	usergroups.users.list   faithful
//
// # Deliveries
//
//	slash_command           faithful  should_escape is off
//	view_submission         faithful  required fields and lengths are not enforced before: Submit is a hostile client
//	view_closed             faithful
//	block_actions           faithful  from views and from messages
//	block_suggestion        faithful  nothing is asked below min_query_length
//	shortcut                faithful  global: no channel, no response_url
//	message_action          faithful  from messages that all see
//	event_callback          absent
//	response_url            partial   [open] refused blocks answer 400; expired and used ones 404
//
// # Socket Mode
//
// What Socket and SocketAt can do to open connections:
//
//	disconnect              cut without a word
//	refresh                 told to leave with refresh_requested, closed 10 s later
//	warning                 told to leave with warning, closed 10 s later
//	too_many_websockets     told to leave with too_many_websockets, closed 10 s later
//	deaf                    open, and carries nothing, no pings either
//	swallow                 open, pings go on, and envelopes and acknowledgements are swallowed
//
// A connection beyond the tenth is told too_many_websockets in place of its hello.
//
// # Block Kit
//
// Known are the blocks section, header, context, divider, input, actions and
// rich_text with the elements and composition objects that stand in
// blockkit_rules.go; every other type, and every field that is not in that table,
// is refused. Characters are counted as code points. The messages about lengths,
// missing fields and types are worded as Slack words them; those about pairs of
// fields and about ids used twice are worded by this package.
//
// # What no one has proved
//
// Rate limits are token buckets whose bursts are this package's own (Slack gives
// none). A stranger's command carries the stranger's own team_id. An envelope that
// finds no connection waits for one, and is sent four times at most.
package fakeslack
