package webapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/slackui/slacktest"
)

// clientOf calls a Slack whose answers the test writes.
func clientOf(t testing.TB, slackAPI *slacktest.Answers) *Client {
	t.Helper()
	return newClient(t, Options{BotToken: "xoxb-test", APIURL: slackAPI.URL + "/api/", Quick: slacktest.Unhurried})
}

// clientIn calls a strict workspace.
func clientIn(t testing.TB, w *slacktest.Workspace) *Client {
	t.Helper()
	return newClient(t, Options{BotToken: w.BotToken(), APIURL: w.URL, Transport: w.Network.Transport()})
}

func newClient(t testing.TB, o Options) *Client {
	t.Helper()
	client, err := New(o)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}
