package slacktest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/slack-go/slack"

	"cancel-server/internal/fakeslack"
)

// Judge is a strict Slack that says whether it takes a view or a message.
type Judge struct {
	slack    *fakeslack.Workspace
	api      *slack.Client
	triggers chan string
}

// NewJudge starts a strict Slack with one bot.
func NewJudge(t *testing.T) *Judge {
	t.Helper()
	j := &Judge{triggers: make(chan string, 1)}
	bot := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		j.triggers <- r.PostForm.Get("trigger_id")
	}))
	t.Cleanup(bot.Close)
	j.slack = fakeslack.New(fakeslack.Options{Seed: 7, Endpoint: bot.URL, RateLimitsOff: true, AckTimeout: Unhurried})
	api := httptest.NewServer(j.slack.Handler())
	t.Cleanup(api.Close)
	t.Cleanup(j.slack.Close)
	j.slack.SetURL(api.URL)
	j.api = slack.New(j.slack.BotToken(), slack.OptionAPIURL(api.URL+"/api/"))
	return j
}

// Open shows a view and returns it as payloads have it, with its state.
func (j *Judge) Open(view slack.ModalViewRequest) (json.RawMessage, error) {
	user := j.slack.Cast().User
	if _, err := j.slack.Command(context.Background(), fakeslack.Command{User: user, Channel: j.slack.Cast().Channel, Command: "/x"}); err != nil {
		return nil, err
	}
	opened, err := j.api.OpenViewContext(context.Background(), <-j.triggers, view)
	if err != nil {
		return nil, err
	}
	open, err := j.slack.Views(user)
	if err != nil {
		return nil, err
	}
	for _, v := range open {
		if v.ID == opened.ID {
			_, err := j.slack.CloseView(context.Background(), user, opened.ID)
			return v.View, err
		}
	}
	return nil, fmt.Errorf("view %s is not open", opened.ID)
}

// Publish shows a view in a Home tab.
func (j *Judge) Publish(view slack.ModalViewRequest) error {
	_, err := j.api.PublishViewContext(context.Background(), slack.PublishViewContextRequest{
		UserID: j.slack.Cast().User, View: slack.HomeTabViewRequest{Type: view.Type, Blocks: view.Blocks},
	})
	if err != nil {
		return fmt.Errorf("calling views.publish: %w", err)
	}
	return nil
}

// Post posts a message, and edits it to the same: chat.update takes less.
func (j *Judge) Post(text string, blocks []slack.Block) error {
	content := []slack.MsgOption{slack.MsgOptionText(text, false), slack.MsgOptionBlocks(blocks...)}
	channel, ts, err := j.api.PostMessage(j.slack.Cast().Channel, content...)
	if err != nil {
		return fmt.Errorf("calling chat.postMessage: %w", err)
	}
	if _, _, _, err = j.api.UpdateMessage(channel, ts, content...); err != nil {
		return fmt.Errorf("calling chat.update: %w", err)
	}
	return nil
}
