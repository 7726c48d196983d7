//go:build bench

package bench

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sender delivers slash commands as Slack does: signed, each with a trigger of its
// own, over connections that stay open.
type sender struct {
	client *http.Client
	serial atomic.Int64
}

func newSender(b *testing.B) *sender {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: maxConnections}
	b.Cleanup(transport.CloseIdleConnections)
	return &sender{client: &http.Client{Transport: transport, Timeout: 10 * time.Second}}
}

// command delivers one /cancel-server. Whatever is not the acknowledgement of an
// opened modal, a 200 without a body, is an error.
func (s *sender) command(target string) error {
	n := strconv.FormatInt(s.serial.Add(1), 10)
	body := url.Values{
		"token": {"gone-out-of-use"}, "team_id": {teamID}, "team_domain": {"bench"},
		"channel_id": {"C0BENCH"}, "channel_name": {"infra-changes"}, "user_id": {userID}, "user_name": {"ana"},
		"command": {"/cancel-server"}, "text": {""}, "api_app_id": {"A0BENCH"}, "is_enterprise_install": {"false"},
		"response_url": {"https://hooks.slack.com/commands/" + teamID + "/1234567890123/AbCdEfGhIjKlMnOpQrStUvWx"},
		"trigger_id":   {"1234567890123.98765432109." + n},
	}.Encode()
	request, err := http.NewRequest(http.MethodPost, target+"/slack/commands", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = signed(body)
	return s.acknowledged(request)
}

// acknowledged sends a request, whose only good answer is a 200 without a body.
func (s *sender) acknowledged(request *http.Request) error {
	answer, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return err
	case answer.StatusCode != http.StatusOK || len(said) > 0:
		return fmt.Errorf("answered %s %q", answer.Status, said)
	}
	return nil
}

func signed(body string) http.Header {
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	header := http.Header{}
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	header.Set("X-Slack-Request-Timestamp", stamp)
	header.Set("X-Slack-Signature", signature(stamp, []byte(body)))
	return header
}

func signature(stamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(signingSecret))
	mac.Write([]byte("v0:" + stamp + ":"))
	mac.Write(body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// maxConnections is the most that any benchmark opens at once.
const maxConnections = 64

// hammer delivers a number of commands over so many connections at once, each sent
// when the one before it on its connection was answered.
func (s *sender) hammer(b *testing.B, c *process, connections, commands int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(commands))
	errs := make([]error, connections)
	var all sync.WaitGroup
	for i := range connections {
		all.Go(func() {
			for left.Add(-1) >= 0 && errs[i] == nil {
				errs[i] = s.command(c.url)
			}
		})
	}
	all.Wait()
	require.NoError(b, errors.Join(errs...), "%s acknowledges every command; it said:\n%s", c.name, c.said)
}
