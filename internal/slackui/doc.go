// Package slackui is the bot as people see it in Slack: the command, the modal
// with the server's card, the refusals and the messages, and the two transports
// in front of them.
//
// Three parts meet in received.go, which says what arrives from Slack:
//
//   - The edge verifies, decodes and acknowledges: http.go, socket.go and
//     dispatch.go; web.go, directory.go and announcer.go call Slack.
//   - [App] holds the flows: a command opens the modal, a choice shows the card,
//     a submission goes to [cancellation.Desk].
//   - [Words] is every word that a person reads in a message.
//
// Host names, tags, names of people and everything else that came from people or
// from SoftLayer is foreign text. In blocks it stands in plain_text and rich_text,
// which Slack never parses; in a message's top-level text it is escaped. So it can
// neither mention anybody nor make a link. IP addresses are shown in modals only:
// a channel can be shared with other companies.
//
// The modal and its parsing are each other's inverse: what [App] shows is what it
// reads back, and nothing about a request is kept between two interactions but
// what travels, sealed, in the modal's private_metadata.
package slackui
