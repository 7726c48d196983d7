//go:build bench

package bench

import (
	"bytes"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
)

const (
	floorSetting = "BENCH_FLOOR"      // which floor this process is
	viewSetting  = "BENCH_VIEWS_OPEN" // path of the body that the bot sent to views.open
)

// The floors.
const (
	netHTTP = "net-http"
	slackGo = "slack-go"
)

// floor is this binary as one of the floors, opening the modal of a request that the
// bot made.
func (l *lab) floor(name, viewsOpen string) program {
	self, err := os.Executable()
	require.NoError(l, err)
	return program{name: name, path: self, env: []string{
		floorSetting + "=" + name, viewSetting + "=" + viewsOpen, "SLACK_API_URL=" + l.url + "/slack/api/",
	}}
}

// runFloor serves as a floor until the process is ended.
func runFloor(name string) int {
	if name == bareStore {
		fmt.Fprintln(os.Stderr, runBareStore())
		return 1
	}
	opens, err := os.ReadFile(os.Getenv(viewSetting))
	if err != nil {
		fmt.Fprintln(os.Stderr, "reading what the bot sends:", err)
		return 1
	}
	api := os.Getenv("SLACK_API_URL")
	handler := map[string]func(string, []byte) http.HandlerFunc{netHTTP: bareHTTP, slackGo: bareSlackGo}[name]
	mux := http.NewServeMux()
	mux.HandleFunc("POST /slack/commands", handler(api, opens))
	fmt.Fprintln(os.Stderr, http.ListenAndServe(os.Getenv("LISTEN_ADDR"), mux))
	return 1
}

// floorClient keeps as many connections to Slack as commands are at work, as the bot
// does; net/http's own two would charge the floors for dialling.
func floorClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: maxConnections}}
}

// bareHTTP is the least that a command can cost with net/http.
func bareHTTP(api string, opens []byte) http.HandlerFunc {
	client := floorClient()
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !fromSlack(r.Header, body) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, api+"views.open", bytes.NewReader(opens))
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+botToken)
		answer, err := client.Do(request)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		defer answer.Body.Close()
		_, _ = io.Copy(io.Discard, answer.Body)
	}
}

// fromSlack is https://docs.slack.dev/authentication/verifying-requests-from-slack.
func fromSlack(header http.Header, body []byte) bool {
	stamp := header.Get("X-Slack-Request-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return false
	}
	return hmac.Equal([]byte(header.Get("X-Slack-Signature")), []byte(signature(stamp, body)))
}

// bareSlackGo is a command as slack-go's examples take it.
func bareSlackGo(api string, opens []byte) http.HandlerFunc {
	var bots struct {
		View slack.ModalViewRequest `json:"view"`
	}
	if err := json.Unmarshal(opens, &bots); err != nil {
		panic(err) // seen by the benchmark as a floor that has ended
	}
	client := slack.New(botToken, slack.OptionAPIURL(api), slack.OptionHTTPClient(floorClient()))
	return func(w http.ResponseWriter, r *http.Request) {
		verifier, err := slack.NewSecretsVerifier(r.Header, signingSecret)
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		r.Body = io.NopCloser(io.TeeReader(r.Body, &verifier))
		command, err := slack.SlashCommandParse(r)
		if err != nil || verifier.Ensure() != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if _, err := client.OpenViewContext(r.Context(), command.TriggerID, bots.View); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
}
