package fakeslack_test

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cancel-server/internal/fakeslack"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var pictures = flag.String("pictures", "", "folder that the test of the Home tab writes pictures to")

// picture shows the page as it is, at this width, where pictures are asked for.
func (b browser) picture(name string, width, height int64) {
	b.t.Helper()
	if *pictures == "" {
		return
	}
	b.do(chromedp.EmulateViewport(width, height))
	shot, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(*pictures, name+".png"), shot, 0o600))
}

// homeBot publishes what a person sees when they open the Home tab, and a form when they
// press Refresh.
func homeBot(t *testing.T) *stage {
	t.Helper()
	var s *stage
	var at int
	b := newBot(t, listener(func(method string, payload map[string]any) (int, string) {
		switch event, _ := payload["event"].(map[string]any); {
		case method == "block_actions":
			trigger, _ := payload["trigger_id"].(string)
			s.call("views.open", map[string]any{"trigger_id": trigger, "view": modal(textInput("why", "text"))})
			fallthrough
		case event["tab"] == "home":
			at++
			publish(s, s.Cast().User, home(
				map[string]any{"type": "header", "text": plain("Your requests")},
				map[string]any{"type": "section", "text": mrkdwn("*db-042* waits for your answer.\nTicket <https://example.com/1|153572280>.")},
				refreshButton(),
				map[string]any{"type": "divider"},
				map[string]any{"type": "context", "elements": []any{mrkdwn("As of 14:0" + string(rune('0'+at%10)) + ".")}},
			), "")
		}
		return http.StatusOK, ""
	}))
	s = newStage(t, withHome(fakeslack.Options{Endpoint: b.url, Now: time.Now, RateLimitsOff: true}))
	return s
}

// openApp goes to the app in the sidebar.
func (b browser) openApp() {
	b.t.Helper()
	b.eventually(`document.querySelector("#channel-direct") !== null`)
	b.press("#channel-direct")
}

func TestPageShowsAHomeTab(t *testing.T) {
	t.Parallel()
	s := homeBot(t)
	b := browse(s)
	b.eventually(`document.querySelector("#tabs").hidden && !document.querySelector("#composer-input").hidden`)
	b.openApp()
	b.eventually(`!document.querySelector("#tabs").hidden && document.querySelector("#tab-messages").getAttribute("aria-current") === "page"`)
	b.press("#tab-home")
	b.eventually(`document.querySelector("#home-blocks").textContent.includes("db-042") && document.querySelector("#composer-input").hidden`)
	b.picture("home-desktop", 1200, 800)
	b.picture("home-phone", 375, 740)
	b.press("#home-blocks button")
	b.eventually(`document.querySelector("#modal").open && document.querySelector("#home-blocks").textContent.includes("14:02")`)
	b.picture("home-modal", 375, 740)
	b.press("#modal-close")
	b.eventually(`!document.querySelector("#modal").open`)
	b.do(chromedp.Reload())
	b.eventually(`document.querySelector("#home-blocks").textContent.includes("14:03")`)
	b.choose("#user", s.Cast().Requester)
	b.eventually(`document.querySelector("#home-blocks").textContent.includes("work in progress")`)
	b.picture("home-empty", 1200, 800)
}

func TestPageHidesAHomeTabNotEnabled(t *testing.T) {
	t.Parallel()
	bot := newBot(t, silent)
	s := newStage(t, fakeslack.Options{Endpoint: bot.url, Manifest: &fakeslack.Manifest{}})
	b := browse(s)
	b.openApp()
	b.eventually(`document.querySelector("#channel-name").textContent === "cancel-server" && document.querySelector("#tabs").hidden`)
	b.do(chromedp.Navigate(b.address("home")))
	b.eventually(`document.querySelector("#channel-name").textContent.includes("infra-changes")`)
	require.Empty(t, bot.requests())
}

// address is the page's own, at another channel.
func (b browser) address(channel string) string {
	b.t.Helper()
	url, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`(() => { const u = new URL(location.href); u.searchParams.set("channel", "`+channel+`"); return u.href })()`))
	require.NoError(b.t, err)
	return url
}

func TestPageSaysWhenTheBotIsAway(t *testing.T) {
	t.Parallel()
	s := newStage(t, withHome(fakeslack.Options{Endpoint: "http://127.0.0.1:1"}))
	require.True(t, publish(s, s.Cast().User, home(refreshButton()), "").OK)
	b := browse(s)
	b.openApp()
	b.eventually(`!document.querySelector("#tabs").hidden`)
	b.press("#tab-home")
	b.eventually(`document.querySelector("#home-trouble").textContent.includes("dispatch_failed")`)
	b.eventually(`document.querySelector("#home-blocks button") !== null`)
}
