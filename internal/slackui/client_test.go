package slackui

import (
	"testing"

	"cancel-server/internal/slackui/slacktest"

	"github.com/stretchr/testify/require"
)

// clientOf calls a Slack whose answers the test writes.
func clientOf(t testing.TB, far *slacktest.Answers) *Web {
	t.Helper()
	return newClient(t, WebOptions{BotToken: "xoxb-test", APIURL: far.URL + "/api/", Quick: slacktest.Unhurried})
}

// clientIn calls a strict workspace.
func clientIn(t testing.TB, w *slacktest.Workspace) *Web {
	t.Helper()
	return newClient(t, WebOptions{BotToken: w.BotToken(), APIURL: w.URL, Transport: w.Network.Transport()})
}

func newClient(t testing.TB, o WebOptions) *Web {
	t.Helper()
	client, err := NewWeb(o)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}
