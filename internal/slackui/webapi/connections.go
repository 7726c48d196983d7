package webapi

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/slack-go/slack"
)

// Connections asks for the websockets of Socket Mode, with the app's token.
type Connections struct {
	api    *slack.Client
	limits *limits
}

// Format leaves the token out, as [Client.Format] does.
func (c Connections) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "webapi.Connections")
}

// NewConnections makes the client. apiURL has a trailing slash; "" stands for Slack's own. called may be
// nil.
func NewConnections(appToken, apiURL string, transport *http.Transport, called Called) *Connections {
	return &Connections{
		api: slack.New("", slack.OptionAppLevelToken(appToken), slack.OptionAPIURL(cmp.Or(apiURL, slack.APIURL)),
			slack.OptionHTTPClient(&http.Client{Timeout: patientTime, Transport: transport, CheckRedirect: noRedirect})),
		limits: newLimits(called),
	}
}

// Open is docs.slack.dev/reference/methods/apps.connections.open: it returns the address of
// a websocket, which is a capability and must not be logged.
func (c *Connections) Open(ctx context.Context) (address string, err error) {
	err = c.limits.call("apps.connections.open", "", func() (err error) {
		_, address, err = c.api.StartSocketModeContext(ctx)
		return err
	})
	return address, err
}
