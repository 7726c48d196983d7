package fakeslack_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"cancel-server/internal/fakeslack"

	"github.com/slack-go/slack"
)

// A bot's client talks to the workspace as it does to Slack.
func Example() {
	w := fakeslack.New(fakeslack.Options{Seed: 1})
	defer w.Close()
	server := httptest.NewServer(w.Handler())
	defer server.Close()
	w.SetURL(server.URL)

	bot := slack.New(w.BotToken(), slack.OptionAPIURL(server.URL+"/api/"))
	_, _, err := bot.PostMessage(w.Cast().Channel, slack.MsgOptionText("hello", false))
	fmt.Println(err)
	_, _, err = bot.PostMessage(w.Cast().OtherChannel, slack.MsgOptionText("hello", false))
	fmt.Println(err)
	messages, err := w.Messages(context.Background(), w.Cast().Channel, 0)
	fmt.Println(len(messages), messages[0].Text, err)
	// Output:
	// <nil>
	// not_in_channel
	// 1 hello <nil>
}
