package slackui

import (
	"context"
	"fmt"

	"github.com/slack-go/slack"
)

// maxProblems is how many of a policy's problems a message names.
const maxProblems = 5

// PolicyRefused tells operators that a changed policy is not taken over, and why.
func (w Words) PolicyRefused(problems []string) Message {
	lines := []line{
		head("⚠️ The changed policy is not in force"),
		words("It has mistakes, so the one before still decides. Correct the file; nothing needs to be restarted."),
	}
	for i, problem := range problems {
		if i == maxProblems {
			lines = append(lines, words(fmt.Sprintf("And %d more; the log has all.", len(problems)-i)))
			break
		}
		lines = append(lines, words(cut(public(problem), 300)))
	}
	return say(lines...)
}

// Say posts a message about no request, once: where its answer is lost, it is not said
// again. docs.slack.dev/reference/methods/chat.postMessage
func (a *Announcer) Say(ctx context.Context, channel string, m Message) error {
	return a.o.Web.limits.call("chat.postMessage", channel, func() error {
		_, _, err := a.o.Web.patient.PostMessageContext(ctx, channel,
			slack.MsgOptionText(m.Text, false), // escaped where it was written
			slack.MsgOptionBlocks(m.Blocks...), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl())
		return err
	})
}
