//go:build unix

package main

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
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
		t.Skip("no chromium on this machine: the page is not tried")
	}
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(
		chromedp.NoSandbox, chromedp.WindowSize(1200, 1150), chromedp.Flag("disable-background-networking", true),
	))
	t.Cleanup(cancel)
	b := tab{t, ctx}
	b.do(chromedp.Navigate(url))
	return b
}

func (b tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	for _, action := range actions {
		require.NoError(b.t, chromedp.Do(b.ctx, action))
	}
}

// eventually waits until a JavaScript expression holds.
func (b tab) eventually(expression string) {
	b.t.Helper()
	holds, err := chromedp.Run(b.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(20*time.Second)))
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

// A newcomer with a browser: the page, the modal, the message, the link.
func TestTheMainJobOnThePage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the bot")
	}
	r := start(t, os.Environ())
	b := browse(t, r.url)
	b.eventually(`document.querySelector("#bot-state").textContent.includes("connected")`)
	b.do(chromedp.SendKeys("#composer-input", "/cancel-server\r"), chromedp.WaitVisible("#modal"))
	b.eventually(`document.querySelector("#modal-title").textContent === "Cancel a server"`)

	b.do(chromedp.SendKeys("#input-server", "db-001"), chromedp.WaitVisible("#modal [data-value]"), chromedp.Click("#modal [data-value]"))
	b.eventually(`document.querySelector("[data-block^='confirm:'] input") !== null`)
	name := b.text(`document.querySelector("#input-server").value`)
	b.script(`const s = document.querySelector("#input-reason"); s.value = [...s.options].find(o => o.text === "No longer needed").value; s.dispatchEvent(new Event("change"))`)
	b.do(chromedp.SendKeys("#input-content", "Replaced by db-060. Last backup 20 Nov, kept one year."))
	b.do(chromedp.SendKeys("[data-block^='confirm:'] input", "DB-001"))
	b.script(`document.querySelector("#modal-blocks").style.maxHeight = "none"; document.querySelector("#modal-blocks").scrollTop = 0`)
	b.picture("#modal", "modal.png")
	b.do(chromedp.Click("#modal-submit"))

	b.eventually(`[...document.querySelectorAll(".message")].some(m => m.textContent.includes("Cancellation requested"))`)
	b.eventually(`document.querySelector("#modal-title").textContent !== "Cancel a server"`)
	assert.Contains(t, b.text(`document.querySelector("#modal").textContent`), name, "the modal says what was recorded")
	b.do(chromedp.Click("#modal-close"))
	b.eventually(`!document.querySelector("#modal").open`) // nothing stands before the message
	assert.Contains(t, b.text(`document.querySelector(".message").textContent`), name)
	b.picture(".message", "message.png")

	b.do(chromedp.Navigate(b.text(`document.querySelector(".message a").href`)))
	b.eventually(`document.body.textContent.includes("Replaced by db-060.")`)
	assert.Contains(t, b.text(`document.body.textContent`), name, "the link opens the ticket at SoftLayer")
}
