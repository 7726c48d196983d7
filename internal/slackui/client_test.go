package slackui

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/webapi"
)

// clientOf calls a Slack whose answers the test writes.
func clientOf(t testing.TB, slackAPI *slacktest.Answers) *webapi.Client {
	t.Helper()
	return newClient(t, webapi.Options{BotToken: "xoxb-test", APIURL: slackAPI.URL + "/api/", Quick: slacktest.Unhurried})
}

// clientIn calls a strict workspace.
func clientIn(t testing.TB, w *slacktest.Workspace) *webapi.Client {
	t.Helper()
	return newClient(t, webapi.Options{BotToken: w.BotToken(), APIURL: w.URL, Transport: w.Network.Transport()})
}

func newClient(t testing.TB, o webapi.Options) *webapi.Client {
	t.Helper()
	client, err := webapi.New(o)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}
