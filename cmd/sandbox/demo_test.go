//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// The moods of the stand-in bot: how it goes about the one job.
const (
	diligent  = "diligent"
	unopening = "unopening" // acknowledges the command and opens nothing
	blind     = "blind"     // finds no server
	cardless  = "cardless"  // shows no card
	refusing  = "refusing"  // refuses a field
	denying   = "denying"   // shows why not
	silent    = "silent"    // files and does not tell
	whisperer = "whisperer" // tells only the person
	liar      = "liar"      // tells of a ticket for another server
	dying     = "dying"     // ends at the command
)

// botStandIn is a bot that does the main job in its simplest form, over HTTP.
func botStandIn(args []string) int {
	b := botRole{mood: args[0]}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /slack/commands", b.command)
	mux.HandleFunc("POST /slack/interactions", b.interaction)
	fmt.Fprintln(os.Stderr, "bot: listening")
	fmt.Fprintln(os.Stderr, http.ListenAndServe(os.Getenv("LISTEN_ADDR"), mux))
	return 1
}

// newQuietBot acknowledges everything and does nothing.
func newQuietBot(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	return server.URL
}

type botRole struct{ mood string }

func (b botRole) command(w http.ResponseWriter, r *http.Request) {
	switch b.mood {
	case dying:
		fmt.Fprintln(os.Stderr, "bot: panic: I am dying")
		os.Exit(5)
	case unopening:
		return
	}
	callSlack("views.open", map[string]any{"trigger_id": r.FormValue("trigger_id"), "view": view("none")})
}

func (b botRole) interaction(w http.ResponseWriter, r *http.Request) {
	var payload struct {
		Type string `json:"type"`
		View struct {
			ID, Hash string
		} `json:"view"`
	}
	if err := json.Unmarshal([]byte(r.FormValue("payload")), &payload); err != nil {
		panic(err)
	}
	server := os.Getenv("SANDBOX_SERVER")
	name, _ := nameOf(server)
	switch payload.Type {
	case "block_suggestion":
		options := []any{map[string]any{"text": plain(name), "value": server}}
		if b.mood == blind {
			options = []any{}
		}
		reply(w, map[string]any{"options": options})
	case "block_actions":
		if b.mood != cardless {
			callSlack("views.update", map[string]any{"view_id": payload.View.ID, "view": view(name)})
		}
	case "view_submission":
		b.submission(w, server)
	}
}

func (b botRole) submission(w http.ResponseWriter, server string) {
	switch b.mood {
	case refusing:
		reply(w, map[string]any{"response_action": "errors", "errors": map[string]string{"content": "say more"}})
		return
	case denying:
		reply(w, map[string]any{"response_action": "push", "view": map[string]any{
			"type": "modal", "title": plain("Not allowed"), "blocks": []any{section("Nothing was filed")},
		}})
		return
	}
	parameters := `{"parameters":[` + server + `,"No longer needed","content",false,"HARDWARE"]}`
	var ticket struct{ ID int64 }
	callSoftLayer("POST", "/SoftLayer_Ticket/createCancelServerTicket.json", parameters, &ticket)
	link := strings.ReplaceAll(os.Getenv("TICKET_URL"), "{id}", fmt.Sprint(ticket.ID))
	message := map[string]any{"channel": os.Getenv("SANDBOX_CHANNEL"), "text": "Requested: <" + link + "|ticket>"}
	switch b.mood {
	case silent:
		message["text"] = "Something was requested."
	case whisperer:
		message["user"] = os.Getenv("SANDBOX_USER")
		callSlack("chat.postEphemeral", message)
		return
	case liar:
		var others []struct{ ID int64 }
		callSoftLayer("GET", "/SoftLayer_Account/getTickets.json", "", &others)
		for _, other := range others {
			if other.ID != ticket.ID {
				message["text"] = strings.ReplaceAll(os.Getenv("TICKET_URL"), "{id}", fmt.Sprint(other.ID))
			}
		}
	}
	callSlack("chat.postMessage", message)
}

func plain(words string) any { return map[string]any{"type": "plain_text", "text": words} }

func section(words string) any { return map[string]any{"type": "section", "text": plain(words)} }

func input(id, label string, element map[string]any) map[string]any {
	element["action_id"] = id
	return map[string]any{"type": "input", "block_id": id, "label": plain(label), "element": element}
}

// view is the modal; with a server's name it has the card and asks for the name.
func view(name string) any {
	choice := input("server", "Server", map[string]any{"type": "external_select", "min_query_length": 2})
	choice["dispatch_action"] = true
	blocks := []any{
		choice,
		input("reason", "Reason", map[string]any{"type": "static_select", "options": []any{map[string]any{"text": plain("No longer needed"), "value": "0"}}}),
		input("content", "Why?", map[string]any{"type": "plain_text_input", "multiline": true}),
	}
	if name != "none" {
		blocks = append(blocks, section(name), input("confirm", "Type its name", map[string]any{"type": "plain_text_input"}))
	}
	return map[string]any{
		"type": "modal", "callback_id": "cancel", "title": plain("Cancel a server"), "submit": plain("Request"), "blocks": blocks,
	}
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func callSlack(method string, body any) {
	encoded, _ := json.Marshal(body)
	request, _ := http.NewRequest(http.MethodPost, os.Getenv("SLACK_API_URL")+method, strings.NewReader(string(encoded)))
	request.Header.Set("Authorization", "Bearer "+os.Getenv("SLACK_BOT_TOKEN"))
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	answer := exchange(request)
	if !strings.Contains(answer, `"ok":true`) {
		fmt.Fprintln(os.Stderr, "bot:", method, answer)
	}
}

func callSoftLayer(method, path, body string, into any) {
	request, _ := http.NewRequest(method, os.Getenv("SOFTLAYER_ENDPOINT_URL")+path, strings.NewReader(body))
	request.SetBasicAuth(os.Getenv("SOFTLAYER_USERNAME"), os.Getenv("SOFTLAYER_API_KEY"))
	answer := exchange(request)
	if err := json.Unmarshal([]byte(answer), into); err != nil {
		fmt.Fprintln(os.Stderr, "bot:", path, answer)
	}
}

func exchange(request *http.Request) string {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	return string(answer)
}

func nameOf(server string) (name string, found bool) {
	var s struct {
		FQDN string `json:"fullyQualifiedDomainName"`
	}
	callSoftLayer("GET", "/SoftLayer_Hardware_Server/"+server+"/getObject.json", "", &s)
	return s.FQDN, s.FQDN != ""
}

// unhurried is how long a bot has to acknowledge where Slack's 3 s are not what is tested.
const unhurried = 15 * time.Second

// demoOf runs the demo with a bot in this mood.
func demoOf(t *testing.T, mood string, step, arrive time.Duration) (code int, told string, err error) {
	t.Helper()
	out := newScreen()
	p := play{
		options: options{
			transport: fakeslack.TransportHTTP, servers: 200, seed: 1, listen: "127.0.0.1:0", demo: true,
			command: standInCommand("bot", mood), ackTimeout: unhurried,
		},
		// A proxy that is not there: loopback does not go through it.
		environ: append(os.Environ(), "HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9"),
		stdout:  out, stderr: io.Discard,
		limits: limits{grace: 10 * time.Second, reach: time.Minute, step: step, arrive: arrive},
	}
	code, err = p.run(t.Context())
	return code, out.String(), err
}

func TestTheDemoDoesTheWholeJob(t *testing.T) {
	t.Parallel()
	code, told, err := demoOf(t, diligent, time.Minute, time.Minute)
	require.NoError(t, err, told)
	assert.Zero(t, code)
	for _, step := range []string{
		"sandbox: http://127.0.0.1:", "Ana Costa types /cancel-server in #infra-changes", `"Cancel a server" opens`, "is chosen",
		"The card of ", `presses "Request"`, "A message arrives in #infra-changes", "/softlayer/tickets/", "the only one for ",
	} {
		before, after, found := strings.Cut(told, step)
		assert.True(t, found, "%q comes after %q, in\n%s", step, before, told)
		told = after
	}
}

func TestTheDemoFailsUnlessTheLinkArrives(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mood         string
		says         string
		step, arrive time.Duration
	}{
		{unopening, "for the modal to open", time.Second, time.Minute},
		{blind, "is not among the 0 servers offered", time.Minute, time.Minute},
		{cardless, "for the card of", 5 * time.Second, time.Minute}, // the modal opens within that
		{refusing, "say more", time.Minute, time.Minute},
		{denying, "Nothing was filed", time.Minute, time.Minute},
		{silent, "Something was requested", time.Minute, 5 * time.Second}, // which arrives within that
		{whisperer, "saw it, not the channel", time.Minute, time.Minute},
		{liar, "does not name", time.Minute, time.Minute},
		{dying, "I am dying", time.Minute, time.Minute},
	} {
		t.Run(c.mood, func(t *testing.T) {
			t.Parallel()
			code, told, err := demoOf(t, c.mood, c.step, c.arrive)
			assert.NotZero(t, code)
			assert.ErrorContains(t, err, c.says, told)
		})
	}
}

func TestTheDemoCanBeStopped(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	p := play{
		options: options{transport: fakeslack.TransportSocket, servers: 50, seed: 1, listen: "127.0.0.1:0", demo: true, command: standInCommand("polite", h.address())},
		environ: os.Environ(), stdout: io.Discard, stderr: io.Discard,
		limits: limits{grace: 10 * time.Second, reach: time.Minute, step: time.Minute, arrive: time.Minute},
	}
	result := make(chan error, 1)
	go func() {
		_, err := p.run(ctx)
		result <- err
	}()
	gone := h.welcome()
	stop()
	gone()
	assert.ErrorContains(t, <-result, "stopped before the link arrived")
}
