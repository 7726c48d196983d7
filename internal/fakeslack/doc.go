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
//	views.open              partial   each call opens a stack of its own
//	views.update            partial   modals only, no Home tab; [open] a kept block_id keeps what was typed, a new one starts empty
//	views.push              faithful
//	views.publish           partial   see Home tab
//	chat.postMessage        partial   no attachments, files, markdown_text, authorship; threads are not checked
//	chat.update             partial   the same
//	chat.postEphemeral      partial   the same
//	chat.delete             absent
//	conversations.open      partial   one person by `users`; no group messages
//	conversations.history   partial   the newest page, no cursor; no replies in threads
//	conversations.replies   partial   one page, no cursor
//	conversations.info      partial   channels only; [open] what is said of a private channel that the bot is in without groups:read
//	users.info              faithful  fewer profile fields; tz_label is an abbreviation
//	users.lookupByEmail     absent    nobody has an e-mail address
//	usergroups.list         faithful  who may edit a group is not in older pages
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
//	event_callback          partial   app_home_opened alone; see Events
//	url_verification        faithful  before the first event to an endpoint; HTTP only
//	response_url            partial   [open] refused blocks answer 400; expired and used ones 404
//
// # Home tab
//
// Options.Manifest says whether the app has one; as in manifest.yaml it has none by
// default. [open] is: that a view's id stays when another is published; that a hash is
// refused where nothing was published; that an empty list of blocks is refused; that a
// deactivated person, a bot and a person of another workspace are refused as an unknown
// user_id is. What a person sees before the first view is the page's own wording.
//
// # Events
//
// Those that Options.Manifest names are delivered: to /slack/events over HTTP, by the
// envelope events_api over Socket Mode. Over HTTP an event that is not answered with a
// 2xx in time comes three times more, at once, after a minute and after five minutes
// more, unless the answer says X-Slack-No-Retry: 1; Options.EventRetries changes that.
// [open] is: whether the five minutes count from the retry before, as here, or from the
// event; how Socket Mode spaces its retries (here none of them waits); and whether
// guests and people of other workspaces can open a Home tab (here they can, and the bot
// has to judge). Redirects are not followed, and no number of failures ends the
// subscription.
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
