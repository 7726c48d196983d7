// Package slackui is the bot's flows in Slack: [App] answers commands and interactions,
// [Announcer] posts what became of requests, and [Directory] knows who people are.
//
// Three rooms do the rest, and none of them imports this one:
//
//   - receive takes deliveries, verifies and decodes them, and calls [App].
//   - words writes every sentence, message and view.
//   - webapi makes every call of Slack's Web API.
//
// The form and its parsing are each other's inverse: what [App] displays is what it reads back,
// and nothing about a request is kept between two interactions but what travels, sealed, in the
// modal's private_metadata.
package slackui
