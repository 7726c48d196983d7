package fakeslack_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"cancel-server/internal/fakeslack"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browser is one tab on the page of a stage.
type browser struct {
	t   *testing.T
	ctx context.Context
}

// browse opens the page; without a browser on this machine the test is skipped.
func browse(s *stage) browser {
	s.t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		s.t.Skip("SKIPPED: needs Chromium")
	}
	mux := http.NewServeMux()
	mux.Handle("/", s.Page())
	mux.Handle("/control/", http.StripPrefix("/control", s.Control()))
	server := httptest.NewServer(mux)
	s.t.Cleanup(server.Close)
	ctx, cancel := chromedp.NewContext(s.t.Context(), chromedp.WithAllocatorOptions(
		chromedp.NoSandbox, chromedp.WindowSize(1200, 800), chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-background-networking", true),
	))
	s.t.Cleanup(cancel)
	require.NoError(s.t, chromedp.Do(ctx, chromedp.Navigate(server.URL)), "opening the page")
	return browser{s.t, ctx}
}

func (b browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	for _, a := range actions {
		require.NoError(b.t, chromedp.Do(ctx, a))
	}
}

// eventually waits until a JavaScript expression holds. It looks again by the clock,
// not at each frame: a browser without a screen may draw none for a long while.
func (b browser) eventually(expression string) {
	b.t.Helper()
	holds, err := chromedp.Run(b.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(patience)))
	require.NoError(b.t, err, "%s\nthe page: %s", expression, b.state())
	require.True(b.t, holds, expression)
}

// state is what a failed test shows of the page.
func (b browser) state() string {
	state, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`JSON.stringify({
		url: location.href, history: history.length, user: document.querySelector("#user").value,
		channel: document.querySelector("#channel-name").textContent, typed: document.querySelector("#composer-input").value,
		kept: {...sessionStorage}, focus: document.activeElement?.id})`))
	if err != nil {
		return err.Error()
	}
	return state
}

// choose picks an entry of a native select, as a person does.
func (b browser) choose(sel, value string) {
	b.t.Helper()
	b.do(chromedp.SetValue(sel, value))
	_, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`document.querySelector("`+sel+`").dispatchEvent(new Event("change"))`))
	require.NoError(b.t, err)
}

// everyElement is a view with each block and element that the page draws.
func everyElement() map[string]any {
	rich := func(kind string, pieces ...any) fields { return fields{"type": kind, "elements": pieces} }
	return modal(
		fields{"type": "header", "block_id": "header", "text": plain("Server")},
		fields{"type": "section", "block_id": "card", "text": mrkdwn("*bold* &lt;!channel&gt; <https://example.com|link> <javascript:alert(1)|none>"), "fields": []any{plain("one"), mrkdwn("_two_")}},
		fields{"type": "context", "block_id": "context", "elements": []any{mrkdwn("<!date^1700000000^{date_short}|then>")}},
		fields{"type": "divider", "block_id": "line"},
		fields{"type": "rich_text", "block_id": "rich", "elements": []any{
			rich("rich_text_section", fields{"type": "text", "text": "<b>no html</b>", "style": fields{"bold": true}}, fields{"type": "emoji", "name": "ticket"}),
			rich("rich_text_quote", fields{"type": "link", "url": "https://example.com", "text": "quoted"}),
			rich("rich_text_preformatted", fields{"type": "text", "text": "code"}),
		}},
		with(input(fields{"type": "external_select", "action_id": "pick", "min_query_length": 2}), fields{"block_id": "server", "dispatch_action": true}),
		with(input(fields{"type": "static_select", "action_id": "pick", "option_groups": []any{fields{"label": plain("Reasons"), "options": []any{option("No longer needed", "no")}}}}), fields{"block_id": "reason"}),
		with(input(fields{"type": "plain_text_input", "action_id": "text", "multiline": true}), fields{"block_id": "content", "hint": plain("No passwords.")}),
		with(input(fields{"type": "checkboxes", "action_id": "tick", "options": []any{option("These too", "too")}}), fields{"block_id": "items", "optional": true}),
	)
}

func TestThePageDoesTheMainJob(t *testing.T) {
	t.Parallel()
	var s *stage
	submissions := 0
	b := newBot(t, func(method string, payload map[string]any) (int, string) {
		switch method {
		case "slash_command":
			s.call("views.open", fields{"trigger_id": payload["trigger_id"], "view": everyElement()})
		case "block_suggestion":
			return http.StatusOK, `{"options":[{"text":{"type":"plain_text","text":"db-042.example.com"},"value":"42"}]}`
		case "block_actions":
			if view, ok := payload["view"].(map[string]any); ok {
				changed := everyElement()
				changed["blocks"].([]any)[1] = fields{"type": "section", "block_id": "card-42", "text": mrkdwn("*the card*")}
				s.call("views.update", fields{"view_id": view["id"], "hash": view["hash"], "view": changed})
			}
		case "view_submission":
			if submissions++; submissions == 1 {
				return http.StatusOK, `{"response_action":"errors","errors":{"content":"Say more."}}`
			}
			s.call("chat.postMessage", fields{"channel": s.Cast().Channel, "text": "requested", "blocks": []any{
				fields{"type": "section", "text": mrkdwn("✅ *Cancellation requested* <http://127.0.0.1/tickets/1|Ticket 1>")},
				fields{"type": "actions", "block_id": "decide", "elements": []any{fields{"type": "button", "action_id": "undo", "text": plain("Undo"), "confirm": fields{
					"title": plain("Undo?"), "text": plain("It stays."), "confirm": plain("Undo it"), "deny": plain("Not yet"),
				}}}},
			}})
		}
		return http.StatusOK, ""
	})
	s = newStage(t, fakeslack.Options{Endpoint: b.url})
	tab := browse(s)
	tab.eventually(`document.querySelectorAll("#channels button").length === 3`)
	tab.do(chromedp.SendKeys("#composer-input", "/cancel-server\r"))
	tab.do(chromedp.WaitVisible("#modal"))

	for holds, expression := range map[string]string{
		"every block is drawn":              `document.querySelectorAll("#modal .block").length === 9 && !document.querySelector("#modal .unknown")`,
		"escaped text is text":              `document.querySelector("[data-block=card]").textContent.includes("<!channel>")`,
		"a script is no link":               `document.querySelectorAll("[data-block=card] a").length === 1`,
		"HTML in text is text":              `document.querySelector("[data-block=rich] b").textContent === "<b>no html</b>"`,
		"a date is a date":                  `document.querySelector("[data-block=context] time").textContent.includes("2023")`,
		"labels of the frame are the bot's": `document.querySelector("#modal-submit").textContent === "Request cancellation"`,
	} {
		got, err := chromedp.Run(tab.ctx, chromedp.Evaluate[bool](expression))
		require.NoError(t, err)
		assert.True(t, got, holds)
	}

	tab.do(chromedp.SendKeys("#input-content", "Replaced"), chromedp.Click("#modal-submit"))
	tab.eventually(`document.querySelector("[data-block=server] .field-error").textContent.includes("required")`)
	tab.do(chromedp.SendKeys("#input-server", "db"), chromedp.WaitVisible("[data-value='42']"), chromedp.Click("[data-value='42']"))
	tab.do(chromedp.WaitVisible("[data-block=card-42]"))
	tab.eventually(`document.querySelector("#input-content").value === "Replaced" && document.querySelector("#input-server").value === "db-042.example.com"`)
	tab.choose("#input-reason", "no")
	tab.do(chromedp.Click("[data-block=items] input"), chromedp.Click("#modal-submit"))
	tab.eventually(`document.querySelector("[data-block=content] .field-error").textContent === "Say more."`)
	tab.do(chromedp.SendKeys("#input-content", " by db-060."), chromedp.Click("#modal-submit"))
	tab.eventually(`!document.querySelector("#modal").open && document.querySelector(".message a")?.textContent === "Ticket 1"`)

	all := b.requests()
	state, err := json.Marshal(all[len(all)-1].payload["view"].(fields)["state"])
	require.NoError(t, err)
	for _, part := range []string{`"value":"42"`, `"value":"no"`, `"value":"Replaced by db-060."`, `"value":"too"`} {
		assert.Contains(t, string(state), part)
	}

	tab.do(chromedp.Click("[data-block=decide] button"), chromedp.WaitVisible("#confirm"), chromedp.Click("#confirm-no"))
	assert.Len(t, s.seen("block_actions"), 1, "a declined confirmation sends nothing")
	tab.do(chromedp.Click("[data-block=decide] button"), chromedp.WaitVisible("#confirm"), chromedp.Click("#confirm-yes"))
	require.Eventually(t, func() bool { return len(s.seen("block_actions")) == 2 }, patience, 5*time.Millisecond)

	s.call("chat.postEphemeral", fields{"channel": s.Cast().Channel, "user": s.Cast().User, "text": "for Ana alone"})
	tab.eventually(`document.querySelector(".message.ephemeral")?.textContent.includes("for Ana alone")`)
	tab.choose("#user", s.Cast().Requester)
	tab.eventually(`!document.querySelector(".message.ephemeral")`)
}

func TestShortcutsAreUsedOnThePage(t *testing.T) {
	t.Parallel()
	b := newBot(t, silent)
	s := newStage(t, fakeslack.Options{Endpoint: b.url})
	tab := browse(s)
	tab.eventually(`document.querySelectorAll("#channels button").length === 3`)
	tab.do(chromedp.SendKeys("#composer-input", "db-042.example.com is down\r"), chromedp.WaitVisible(".message"))
	tab.eventually(`document.querySelector(".message").textContent.includes("db-042.example.com is down") && !document.querySelector(".message .app")`)
	tab.do(chromedp.Click(".message .menu"))
	require.Eventually(t, func() bool { return len(s.seen("message_action")) == 1 }, patience, 5*time.Millisecond)
	assert.Contains(t, string(s.seen("message_action")[0].Request), `"callback_id":"cancel-server-message"`)
	tab.do(chromedp.Click("#composer-shortcut"))
	require.Eventually(t, func() bool { return len(s.seen("shortcut")) == 1 }, patience, 5*time.Millisecond)
	assert.Contains(t, string(s.seen("shortcut")[0].Request), `"callback_id":"cancel-server"`)
	assert.Empty(t, s.broken())
}

// formBot opens the form with every element at a command, and answers nothing else.
func formBot(t *testing.T) *stage {
	t.Helper()
	var s *stage
	b := newBot(t, func(method string, payload map[string]any) (int, string) {
		switch method {
		case "slash_command":
			s.call("views.open", fields{"trigger_id": payload["trigger_id"], "view": everyElement()})
		case "block_suggestion":
			return http.StatusOK, `{"options":[{"text":{"type":"plain_text","text":"db-042.example.com"},"value":"42"},{"text":{"type":"plain_text","text":"db-043.example.com"},"value":"43"}]}`
		}
		return http.StatusOK, ""
	})
	s = newStage(t, fakeslack.Options{Endpoint: b.url})
	return s
}

// openForm types the command and waits for its form.
func (b browser) openForm() {
	b.t.Helper()
	b.eventually(`document.querySelectorAll("#channels button").length > 0 && !document.querySelector("#modal").open`)
	b.do(chromedp.SendKeys("#composer-input", "/cancel-server\r"), chromedp.WaitVisible("#modal"))
}

func (b browser) number(expression string) float64 {
	b.t.Helper()
	n, err := chromedp.Run(b.ctx, chromedp.Evaluate[float64](expression))
	require.NoError(b.t, err, expression)
	return n
}

// press presses the mouse in the middle of an element, where it is now.
func (b browser) press(selector string) {
	b.t.Helper()
	middle := func(axis, size string) float64 {
		return b.number(`(() => { const r = document.querySelector("` + selector + `").getBoundingClientRect(); return r.` + axis + ` + r.` + size + ` / 2 })()`)
	}
	b.do(chromedp.MouseClickXY(middle("x", "width"), middle("y", "height")))
}

// One browser for what a person stumbles over.
func TestThePageInAPersonsHands(t *testing.T) {
	t.Parallel()
	s := formBot(t)
	tab := browse(s)
	cast := s.Cast()
	t.Run("a command that the app does not have is delivered to nobody", func(t *testing.T) {
		tab.t = t
		tab.eventually(`document.querySelectorAll("#channels button").length === 3`)
		tab.do(chromedp.SendKeys("#composer-input", "/foo bar\r"))
		tab.eventually(`document.querySelector(".notice")?.textContent.includes("/foo is not a valid command")`)
		tab.eventually(`document.querySelector("#composer-input").value === "/foo bar"`) // to be corrected
		assert.Empty(t, s.seen("slash_command"))
		tab.do(chromedp.KeyEvent(" /foo bar\r")) // the wrong one is marked, so this replaces it
		tab.eventually(`document.querySelector(".message:not(.notice)")?.textContent.includes("/foo bar")`)
		assert.Empty(t, s.seen("slash_command"), "a space before it makes it a message")
	})
	t.Run("the first click on submit works while Server has the focus", func(t *testing.T) {
		tab.t = t
		tab.openForm()
		tab.do(chromedp.Click("#input-server"), chromedp.WaitVisible(".popup"))
		tab.press("#modal-submit")
		tab.eventually(`document.querySelector("[data-block=server] .field-error").textContent.includes("required")`)
		tab.eventually(`document.activeElement.id === "input-server"`) // the first field that is wrong
	})
	t.Run("Enter chooses the option that is marked", func(t *testing.T) {
		tab.t = t
		tab.do(chromedp.SendKeys("#input-server", "db"), chromedp.WaitVisible("[data-value='43']"))
		assert.Equal(t, 1.0, tab.number(`(() => { const f = document.querySelector("#input-server"); f.value = "db-04";
			f.dispatchEvent(new Event("input")); f.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" })); return f.value === "db-04" ? 1 : 0 })()`),
			"nothing is chosen of what was offered for an older text")
		tab.do(chromedp.WaitVisible("[data-value='43']"))
		tab.eventually(`document.querySelector("#input-server").getAttribute("aria-activedescendant") === "input-server-option-0"`)
		tab.do(chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent("\r"))
		tab.eventually(`document.querySelector("#input-server").value === "db-043.example.com" && document.querySelector(".popup").hidden`)
		assert.Zero(t, tab.number(`document.querySelector("#modal").open ? 0 : 1`), "and submits nothing")
	})
	t.Run("a reload keeps the form and what was typed into it", func(t *testing.T) {
		tab.t = t
		tab.do(chromedp.SendKeys("#input-content", "Replaced"), chromedp.Reload())
		tab.eventually(`document.querySelector("#input-content")?.value === "Replaced"`)
		tab.eventually(`document.querySelector("#input-server").value === "db-043.example.com"`)
	})
	t.Run("on a phone the submit button is in reach", func(t *testing.T) {
		tab.t = t
		tab.do(chromedp.EmulateViewport(390, 700, chromedp.EmulateMobile, chromedp.EmulateTouch))
		assert.LessOrEqual(t, tab.number(`document.documentElement.scrollWidth`), 390.0, "nothing is wider than the screen")
		assert.Equal(t, 1.0, tab.number(`(() => { const b = document.querySelector("#modal-submit"), r = b.getBoundingClientRect();
			return b.contains(document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2)) && r.right <= innerWidth && r.bottom <= innerHeight ? 1 : 0 })()`), "the button can be tapped")
		tab.press("#modal-submit")
		tab.eventually(`document.querySelector("[data-block=reason] .field-error").textContent.includes("required")`)
		tab.do(chromedp.Click("#modal-close"))
		tab.eventually(`!document.querySelector("#modal").open`)
		assert.LessOrEqual(t, tab.number(`document.documentElement.scrollWidth`), 390.0, "nor is the conversation")
		tab.do(chromedp.EmulateReset())
	})
	t.Run("person, channel and draft stay over a reload and come back with Back", func(t *testing.T) {
		tab.t = t
		tab.choose("#user", cast.Requester)
		tab.do(chromedp.Click("#channel-"+cast.OtherChannel), chromedp.SendKeys("#composer-input", "half a wo"))
		tab.eventually(`new URL(location.href).searchParams.get("channel") === "` + cast.OtherChannel + `"`)
		tab.do(chromedp.Reload())
		here := `document.querySelector("#user").value === "` + cast.Requester + `" && document.querySelector("#channel-name").textContent === "# random"`
		tab.eventually(here + ` && document.querySelector("#composer-input").value === "half a wo"`)
		tab.choose("#user", cast.Approver)
		tab.eventually(`document.querySelector("#user").value === "` + cast.Approver + `" && document.querySelector("#composer-input").value === ""`)
		tab.eventually(`new URL(location.href).searchParams.get("user") === "` + cast.Approver + `"`)
		tab.eventually(`(history.back(), true)`)
		tab.eventually(here + ` && document.querySelector("#composer-input").value === "half a wo"`)
	})
	t.Run("a message that changes keeps the focus", func(t *testing.T) {
		tab.t = t
		button := func(id string) []any {
			return []any{fields{"type": "actions", "block_id": "decide", "elements": []any{fields{"type": "button", "action_id": id, "text": plain(id)}}}}
		}
		tab.choose("#user", cast.User)
		tab.do(chromedp.Click("#channel-" + cast.Channel))
		posted := s.call("chat.postMessage", fields{"channel": cast.Channel, "text": "one", "blocks": button("undo")})
		tab.eventually(`document.querySelector("[data-action=undo]") !== null`)
		tab.do(chromedp.Focus("[data-action=undo]"))
		s.call("chat.postMessage", fields{"channel": cast.Channel, "text": "another"})
		s.call("chat.update", fields{"channel": cast.Channel, "ts": posted.TS, "text": "two", "blocks": append(button("undo"), fields{"type": "divider"})})
		tab.eventually(`document.querySelector(".message hr") !== null && document.activeElement.dataset.action === "undo"`)
		s.call("chat.update", fields{"channel": cast.Channel, "ts": posted.TS, "text": "three", "blocks": []any{fields{"type": "divider"}}})
		tab.eventually(`document.querySelector("[data-action=undo]") === null && document.activeElement.dataset.ts === "` + posted.TS + `"`)
	})
}

func TestThePageMayLoadNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	server := httptest.NewServer(s.Page())
	t.Cleanup(server.Close)
	for _, path := range []string{"/", "/page/workspace.js", "/page/workspace.css", "/page/blocks.js", "/page/modal.js", "/page/mrkdwn.js", "/page/control.js", "/page/typeahead.js", "/page/messages.js", "/page/place.js", "/page/focus.js", "/page/bot.js", "/page/faults.js"} {
		response, err := server.Client().Get(server.URL + path)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusOK, response.StatusCode, path)
		assert.True(t, strings.HasPrefix(response.Header.Get("Content-Security-Policy"), "default-src 'none'"), path)
	}
	response, err := server.Client().Get(server.URL + "/page/../workspace.go")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
}
