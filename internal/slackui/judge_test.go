package slackui

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// judge is a strict Slack that says whether it takes a view or a message.
type judge struct {
	slack    *fakeslack.Workspace
	web      *Web
	triggers chan string
}

func newJudge(t *testing.T) *judge {
	t.Helper()
	j := &judge{triggers: make(chan string, 1)}
	bot := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		j.triggers <- r.PostForm.Get("trigger_id")
	}))
	t.Cleanup(bot.Close)
	j.slack = fakeslack.New(fakeslack.Options{Seed: 7, Endpoint: bot.URL, RateLimitsOff: true, AckTimeout: unhurried})
	api := httptest.NewServer(j.slack.Handler())
	t.Cleanup(api.Close)
	t.Cleanup(j.slack.Close)
	j.slack.SetURL(api.URL)
	web, err := NewWeb(WebOptions{BotToken: j.slack.BotToken(), APIURL: api.URL + "/api/", Quick: unhurried})
	require.NoError(t, err)
	t.Cleanup(web.Close)
	j.web = web
	return j
}

// open shows a view and returns it as payloads have it, with its state.
func (j *judge) open(view slack.ModalViewRequest) (json.RawMessage, error) {
	user := j.slack.Cast().User
	if _, err := j.slack.Command(context.Background(), fakeslack.Command{User: user, Channel: j.slack.Cast().Channel, Command: "/x"}); err != nil {
		return nil, err
	}
	id, _, err := j.web.OpenView(context.Background(), <-j.triggers, view)
	if err != nil {
		return nil, err
	}
	open, err := j.slack.Views(user)
	if err != nil {
		return nil, err
	}
	for _, v := range open {
		if v.ID == id {
			_, err := j.slack.CloseView(context.Background(), user, id)
			return v.View, err
		}
	}
	return nil, fmt.Errorf("view %s is not open", id)
}

// post posts a message, and edits it to the same: chat.update takes less.
func (j *judge) post(m Message) error {
	at := Post{Channel: j.slack.Cast().Channel, Text: m.Text, Blocks: m.Blocks}
	channel, ts, err := j.web.PostMessage(context.Background(), at)
	if err != nil {
		return err
	}
	at.Channel = channel
	return j.web.UpdateMessage(context.Background(), ts, at)
}
