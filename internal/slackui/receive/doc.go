// Package receive takes what Slack delivers, by signed HTTP requests and by Socket Mode, and
// hands it to a [Handler] as a decoded [Command] or [Interaction].
//
// It verifies before it looks at anything, bounds what is read and what is in progress, keeps to
// the time in which Slack wants an acknowledgement, and handles a repeated delivery once. What the
// bot does is for the handler to decide.
package receive
