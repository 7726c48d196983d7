//go:build unix

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var pictures = flag.String("pictures", "", "folder that the browser test writes the README's pictures to")

// tab is a browser on the sandbox's page.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func browse(t *testing.T, url string) tab {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("SKIPPED: needs Chromium")
	}
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(
		chromedp.NoSandbox, chromedp.WindowSize(1200, 1150), chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-background-networking", true),
	))
	t.Cleanup(cancel)
	b := tab{t, ctx}
	b.do(chromedp.Navigate(url))
	return b
}

// in is the same browser for a part of the test.
func (b tab) in(t *testing.T) tab { return tab{t, b.ctx} }

func (b tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	for _, action := range actions {
		require.NoError(b.t, chromedp.Do(b.ctx, action))
	}
}

// eventually waits until a JavaScript expression holds.
func (b tab) eventually(expression string) {
	b.t.Helper()
	holds, err := chromedp.Run(b.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(time.Minute), chromedp.WithPollingInterval(25*time.Millisecond)))
	require.NoError(b.t, err, expression)
	require.True(b.t, holds, expression)
}

func (b tab) text(expression string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
	require.NoError(b.t, err, expression)
	return text
}

func (b tab) script(code string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("(() => { "+code+"; return true })()"))
	require.NoError(b.t, err, code)
}

// press types keys, wherever the focus is.
func (b tab) press(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// focus describes the element that has the focus.
func (b tab) focus() string {
	b.t.Helper()
	return b.text(`(() => { const e = document.activeElement; return e.id || e.tagName + " " + e.textContent.trim().slice(0, 40) })()`)
}

// command types the command until its form is open: on a busy machine the bot may
// miss Slack's 3 s.
func (b tab) command() {
	b.t.Helper()
	for {
		failed := b.number(`document.querySelectorAll(".notice").length`)
		b.press("/cancel-server\r")
		b.eventually(fmt.Sprintf(`document.activeElement.id === "input-server" || document.querySelectorAll(".notice").length > %d`, failed))
		if b.number(`document.querySelectorAll(".notice").length`) == failed {
			return
		}
	}
}

func (b tab) number(expression string) int {
	b.t.Helper()
	n, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](expression))
	require.NoError(b.t, err, expression)
	return n
}

const shift = 8 // https://chromedevtools.github.io/devtools-protocol/tot/Input/#method-dispatchKeyEvent

// tabTo presses Tab, or Shift+Tab, until the focus is as described, at most so often.
func (b tab) tabTo(focus string, modifier, most int) {
	b.t.Helper()
	var passed []string
	for range most {
		options := []chromedp.KeyOption{}
		if modifier == shift {
			options = append(options, chromedp.KeyModifiers(shift))
		}
		b.do(chromedp.KeyEvent(kb.Tab, options...))
		if passed = append(passed, b.focus()); passed[len(passed)-1] == focus {
			return
		}
	}
	require.FailNow(b.t, "the keyboard does not get to "+focus, "%d times Tab came to %q", most, passed)
}

// picture writes one element to a file, where pictures are asked for.
func (b tab) picture(selector, name string) {
	b.t.Helper()
	if *pictures == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.Screenshot(selector))
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(*pictures, name), png, 0o644))
}

// A newcomer with a browser and the real bot.
func TestTheRealBotOnThePage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("SKIPPED: needs a run without -short, since it builds the bot")
	}
	r := start(t, os.Environ())
	b := browse(t, r.url)
	var found audits
	t.Run("the main job by mouse", func(t *testing.T) { mainJobByMouse(b.in(t), &found) })
	t.Run("what SoftLayer's staff answer", func(t *testing.T) { staffsAnswer(b.in(t), r.url, &found) })
	t.Run("the whole job by keyboard alone", func(t *testing.T) { wholeJobByKeyboard(b.in(t), r.url, &found) })
	t.Run("a list is asked for and approved", func(t *testing.T) { listByMouse(b.in(t), r.url, &found) })
	t.Run("a bot that ends is reported, and started again", func(t *testing.T) { deadBot(b.in(t), r, &found) })
	t.Run("axe-core finds nothing serious", found.report)
}

// mainJobByMouse: the page, the modal, the message, the link.
func mainJobByMouse(b tab, found *audits) {
	b.eventually(`document.querySelector("#bot-state").textContent === "bot connected"`)
	found.take(b, "an empty channel")
	b.command()
	b.eventually(`document.querySelector("#modal-title").textContent === "Cancel a server"`)

	b.do(chromedp.SendKeys("#input-server", "db-001"), chromedp.WaitVisible("#modal [data-value]"), chromedp.Click("#modal [data-value]"))
	b.eventually(`document.querySelector("[data-block^='confirm:'] input") !== null`)
	name := b.text(`document.querySelector("#input-server").value`)
	b.script(`const s = document.querySelector("#input-reason"); s.value = [...s.options].find(o => o.text === "No longer needed").value; s.dispatchEvent(new Event("change"))`)
	b.do(chromedp.SendKeys("#input-content", "Replaced by db-060. Last backup 20 Nov, kept one year."))
	b.do(chromedp.SendKeys("[data-block^='confirm:'] input", "DB-001"))
	if *pictures != "" {
		b.script(`document.querySelector("#modal-blocks").style.maxHeight = "none"; document.querySelector("#modal-blocks").scrollTop = 0`)
	}
	b.picture("#modal", "modal.png")
	b.do(chromedp.Click("#modal-submit"))

	b.eventually(`[...document.querySelectorAll(".message")].some(m => m.textContent.includes("Cancellation requested"))`)
	b.eventually(`document.querySelector("#modal-title").textContent !== "Cancel a server"`)
	assert.Contains(b.t, b.text(`document.querySelector("#modal").textContent`), name, "the modal says what was recorded")
	b.do(chromedp.Click("#modal-close"))
	b.eventually(`!document.querySelector("#modal").open`) // nothing stands before the message
	assert.Contains(b.t, b.text(`document.querySelector(".message").textContent`), name)
	b.picture(".message", "message.png")

	b.do(chromedp.Navigate(b.text(`document.querySelector(".message a").href`)))
	b.eventually(`document.body.textContent.includes("Replaced by db-060.")`)
	assert.Contains(b.t, b.text(`document.body.textContent`), name, "the link opens the ticket at SoftLayer")
}

// staffsAnswer: staff answer the ticket, and the thread says so; who may reads what they wrote.
func staffsAnswer(b tab, url string, found *audits) {
	ticket := b.text(`location.pathname.split("/").pop()`) // the main job ended there
	status, said := ask(b.t, http.MethodPost, url+"/control/staff", `{"ticket": `+ticket+`, "do": "answer", "waits_for_customer": true,
		"text": "db-001 is under contract until 31 January 2027. Shall we cancel it at that date? Please confirm."}`, nil)
	require.Equal(b.t, http.StatusOK, status, said)
	b.do(chromedp.Navigate(url))
	b.eventually(`[...document.querySelectorAll(".message.reply")].some(m => m.textContent.includes("waiting for an answer"))`)
	found.take(b, "a thread")
	if *pictures != "" {
		b.script(`document.querySelector("#messages").style.flex = "none"`)
	}
	b.picture("#messages", "thread.png")
	b.script(`[...document.querySelectorAll(".message.reply button")].find(e => e.textContent === "Read and reply").click()`)
	b.eventually(`document.querySelector("#modal-blocks").textContent.includes("under contract until 31 January 2027")`)
	found.take(b, "an answer of staff's")
	b.do(chromedp.Click("#modal-close"))
	b.eventually(`!document.querySelector("#modal").open`)
	assert.NotContains(b.t, b.text(`document.querySelector("#messages").textContent`), "under contract", "no channel reads staff's words")
}

// atHome: raj's Home tab has what waits for him. The page then stands where it stood.
func atHome(b tab, found *audits) {
	before := b.text(`location.href`)
	b.do(chromedp.Navigate(b.text(`(() => { const u = new URL(location.href); u.searchParams.set("channel", "home"); return u.href })()`)))
	b.eventually(`["Waiting for your approval", "Waiting for your answer", "Ending next"].every(title => document.querySelector("#home-blocks").textContent.includes(title))`)
	found.take(b, "a Home tab")
	b.do(chromedp.EmulateViewport(1000, 1400)) // no part of it has to be scrolled to
	b.picture("#home-blocks", "home.png")
	b.do(chromedp.EmulateViewport(390, 844))
	found.take(b, "a Home tab on a phone")
	assert.True(b.t, b.number(`document.querySelector("#home").scrollWidth - document.querySelector("#home").clientWidth`) <= 0, "nothing is cut off on a phone")
	b.do(chromedp.EmulateReset())
	b.do(chromedp.Navigate(before))
	b.eventually(`document.activeElement.id === "composer-input"`)
	b.eventually(`[...document.querySelectorAll(".message button")].some(e => e.textContent === "Approve")`)
}

// wholeJobByKeyboard: ben asks and raj approves, without a mouse.
func wholeJobByKeyboard(b tab, url string, found *audits) {
	b.do(chromedp.Navigate(url))
	b.eventually(`document.activeElement.id === "composer-input" && document.querySelector(".message") !== null`)
	found.take(b, "a conversation")
	b.tabTo("user", shift, 1)
	b.press("b")
	b.eventually(`document.querySelector("#user").selectedOptions[0].text.startsWith("ben")`)
	b.eventually(`new URL(location.href).searchParams.get("user") === document.querySelector("#user").value`)
	b.tabTo("composer-input", 0, 1)

	b.command()
	found.take(b, "an empty form")
	b.press("cache-011")
	b.eventually(`document.querySelector("#input-server-list [aria-selected=true]")?.textContent.includes("cache-011")`)
	found.take(b, "servers to choose from")
	b.press("\r")
	b.eventually(`document.querySelector("[data-block^='confirm:'] input") !== null`)
	assert.Equal(b.t, "cache-011.example.org", b.text(`document.querySelector("#input-server").value`), "Enter chooses what is marked")
	assert.Equal(b.t, "input-server", b.focus(), "the card leaves the focus where it was")
	found.take(b, "a card")

	b.tabTo("input-reason", 0, 2)
	b.press("No longer")
	b.tabTo("input-content", 0, 1)
	b.press("Replaced by db-060.")
	b.tabTo(b.text(`document.querySelector("[data-block^='confirm:'] input").id`), 0, 3)
	b.press("cache-011")
	b.tabTo("modal-submit", 0, 2)
	b.press("\r")
	b.eventually(`document.activeElement.id === "modal-close" && document.querySelector("#modal-title").textContent !== "Cancel a server"`)
	found.take(b, "what was recorded")
	b.press("\r")
	b.eventually(`!document.querySelector("#modal").open && document.activeElement.id === "composer-input"`)
	b.press("raj, please\r")
	b.eventually(`[...document.querySelectorAll(".message")].some(m => m.textContent.includes("raj, please"))`) // typing works after a dialog

	b.tabTo("user", shift, 1)
	b.press("r")
	b.eventually(`document.querySelector("#user").selectedOptions[0].text.startsWith("raj")`)
	b.eventually(`[...document.querySelectorAll(".message button")].some(e => e.textContent === "Approve")`)
	found.take(b, "a message with buttons")
	atHome(b, found)
	b.tabTo("BUTTON Approve", shift, 8)
	b.press("\r")
	b.eventually(`document.querySelector("#confirm").open`)
	found.take(b, "a confirmation")
	b.tabTo("confirm-yes", 0, 2)
	b.press("\r")
	b.eventually(`[...document.querySelectorAll(".message")].some(m => m.textContent.includes("Cancellation requested") && m.textContent.includes("cache-011"))`)
	assert.NotContains(b.t, b.focus(), "BODY", "the focus stays at the message when its buttons are gone")
	faultsByKeyboard(b, found)
}

// faultsByKeyboard arms, sees and clears a fault.
func faultsByKeyboard(b tab, found *audits) {
	b.do(chromedp.Navigate(b.text(`location.href`)))
	b.eventually(`document.querySelector("#user").selectedOptions[0]?.text.startsWith("raj")`) // still raj
	b.eventually(`!document.querySelector("#faults-open").hidden`)
	b.script(`document.querySelector("#skip").focus()`)
	found.take(b, "the link that skips")
	b.tabTo("faults-open", 0, 3)
	b.press("\r")
	b.eventually(`document.activeElement.id === "faults-at"`)
	b.tabTo("faults-arm", 0, 6)
	b.press("\r")
	b.eventually(`document.querySelector("#faults-armed").textContent.includes("slash_command at Slack: redeliver, 1 request left")`)
	b.eventually(`document.querySelector("#faults-open").textContent === "Faults (1)"`)
	found.take(b, "faults")
	b.tabTo("faults-clear", shift, 2)
	b.press("\r")
	b.eventually(`document.querySelector("#faults-armed").textContent === "None."`)
	b.do(chromedp.EmulateViewport(390, 844))
	found.take(b, "a phone")
	b.do(chromedp.EmulateReset())
	b.press(kb.Escape)
	b.eventually(`!document.querySelector("#faults").open && document.activeElement.id === "faults-open"`)
}

// deadBot: the page says that the bot is gone, and starts and kills it.
func deadBot(b tab, r *ran, found *audits) {
	b.do(chromedp.Navigate(r.url))
	b.eventually(`document.querySelector("#bot-state").textContent === "bot connected"`)
	require.NoError(b.t, syscall.Kill(botNow(b.t, r).PID, syscall.SIGTERM))
	gone := time.Now()
	b.eventually(`document.querySelector("#bot-state").textContent.startsWith("bot not running")`)
	b.t.Logf("the page said so %v after SIGTERM", time.Since(gone).Round(time.Millisecond))
	b.eventually(`document.querySelector("#bot-trouble").innerText.includes("ended with exit code 0")`)
	found.take(b, "a bot that ended")
	b.do(chromedp.SendKeys("#composer-input", "/cancel-server\r"))
	b.eventually(`[...document.querySelectorAll(".notice")].some(m => m.textContent.includes("/cancel-server failed") && m.textContent.includes("The bot is not running"))`)

	b.do(chromedp.Click("#bot-toggle"))
	b.eventually(`document.querySelector("#bot-state").textContent === "bot connected" && document.querySelector("#bot-trouble").hidden`)
	b.do(chromedp.Click("#bot-toggle"))
	b.eventually(`document.querySelector("#bot-state").textContent === "bot not running (exit code 137)"`)
	assert.Equal(b.t, "bot-toggle", b.focus(), "the button that killed it starts it")
}

// audits is what axe-core found in the states of the page that it was shown.
type audits struct{ states, findings []string }

// take runs axe-core on the page as it is. AXE_CORE names its axe.min.js; without it
// nothing is taken.
func (a *audits) take(b tab, state string) {
	b.t.Helper()
	if os.Getenv("AXE_CORE") == "" {
		return
	}
	script, err := os.ReadFile(os.Getenv("AXE_CORE"))
	require.NoError(b.t, err)
	b.script(string(script))
	answer, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`axe.run(document, {resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations))`, chromedp.EvalAwaitPromise))
	require.NoError(b.t, err)
	var violations []struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML, FailureSummary string }
	}
	require.NoError(b.t, json.Unmarshal([]byte(answer), &violations))
	a.states = append(a.states, state)
	for _, v := range violations {
		finding := fmt.Sprintf("%s: %s (%s, %s)", state, v.Help, v.ID, v.Impact)
		for _, n := range v.Nodes {
			finding += "\n  " + n.HTML + "\n  " + strings.ReplaceAll(n.FailureSummary, "\n", "\n  ")
		}
		a.findings = append(a.findings, finding)
	}
}

// report fails for each finding, of whatever impact.
func (a *audits) report(t *testing.T) {
	if os.Getenv("AXE_CORE") == "" {
		t.Skip("SKIPPED: needs axe-core: AXE_CORE names no axe.min.js (.ci/axe fetches it)")
	}
	assert.Equal(t, []string{
		"an empty channel", "a thread", "an answer of staff's", "a conversation", "an empty form", "servers to choose from", "a card", "what was recorded",
		"a message with buttons", "a Home tab", "a Home tab on a phone", "a confirmation", "the link that skips", "faults", "a phone",
		"a review", "a review on a phone", "a list to approve", "a list to approve on a phone", "a bot that ended",
	}, a.states, "axe-core saw the page in each of these states")
	assert.Empty(t, strings.Join(a.findings, "\n"))
}

// A person plays SoftLayer's staff on the page of a ticket, under the sandbox's guard.
func TestAPersonAnswersAsStaffInABrowser(t *testing.T) {
	t.Parallel()
	w := openHTTPWorld(t, time.Second)
	made := steerIn(t, w, "ticket", map[string]any{"server": w.server, "open": true, "entry": "by phone"})
	var ticket struct{ ID int64 }
	require.NoError(t, json.Unmarshal([]byte(made), &ticket), made)
	b := browse(t, fmt.Sprintf("%s/softlayer/tickets/%d", w.url, ticket.ID))
	b.eventually(`document.querySelector("button[value=answer]") !== null`)
	b.script(`document.querySelector("button[value=answer]").click()`)
	b.eventually(`document.querySelector("[role=alert]").textContent.includes("an answer needs a text")`)
	b.script(`document.querySelector("#text").value = "Which rack?"; document.querySelector("[name=waits]").checked = true;
		document.querySelector("button[value=answer]").click()`)
	b.eventually(`document.body.innerText.includes("Waits for") && document.querySelectorAll("article").length === 2`)
	b.script(`document.querySelector("button[value=approve]").click()`)
	b.eventually(`document.body.innerText.includes("Approved, ends")`)
	b.script(`document.querySelector("button[value=close]").click()`)
	b.eventually(`document.querySelector("button[value=reopen]") !== null`)
}
