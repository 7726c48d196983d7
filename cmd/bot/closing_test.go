//go:build unix

package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/closing"
)

// noClosing is what anyone reads who sees no server in a place that closes.
const noClosing = "No closing data center or pod has servers you may ask for."

// counted is how many servers of a place a board should show, and what those cost that are not asked for.
type counted struct {
	servers, asked, waiting, rest, unknown int
	fee                                    string
}

// countsIn counts the servers by SoftLayer's records: those in a place that a person sees. waiting are
// those whose request waits for approval.
func (w *world) countsIn(in, sees func(at int, h hardware) bool, waiting ...int64) (c counted) {
	w.t.Helper()
	fee := new(big.Rat)
	for at, h := range w.servers("") {
		if !in(at, h) || !sees(at, h) {
			continue
		}
		c.servers++
		switch {
		case slices.Contains(waiting, h.ID):
			c.waiting++
			continue
		case h.BillingItem != nil && h.BillingItem.Pending:
			c.asked++
			continue
		}
		c.rest++
		switch {
		case h.BillingItem == nil:
			c.unknown++
		case h.Hourly:
			fee.Add(fee, big.NewRat(483*730, 1000)) // what an hour costs with its parts, as the fake grows it
		default:
			amount, ok := new(big.Rat).SetString(fmt.Sprint(h.BillingItem.Monthly))
			require.True(w.t, ok)
			fee.Add(fee, amount)
		}
	}
	c.fee = fee.FloatString(2)
	return c
}

// line is the second line of a place on a board.
func (c counted) line() string {
	text := fmt.Sprintf("%d asked · %d waiting for approval · %d not asked yet, ", c.asked, c.waiting, c.rest)
	whole, cents, _ := strings.Cut(c.fee, ".")
	if len(whole) > 3 {
		whole = whole[:len(whole)-3] + "," + whole[len(whole)-3:]
	}
	text += whole + "." + cents + " USD a month"
	if c.unknown > 0 {
		text += fmt.Sprintf(" and %d whose cost this key cannot see", c.unknown)
	}
	return text
}

func everyone(int, hardware) bool { return true }

func unprotected(_ int, h hardware) bool { return !h.tagged("protected") && !h.tagged("Protected") }

func inCenter(name string) func(int, hardware) bool {
	return func(_ int, h hardware) bool { return h.Datacenter.Name == name }
}

// inPod is by a server's place in the account, which gives its pod.
func inPod(center string, pod int) func(int, hardware) bool {
	return func(at int, h hardware) bool { return h.Datacenter.Name == center && 1+at%2 == pod }
}

// closingFor is what somebody reads of the places that close.
func (w *world) closingFor(user string) string {
	w.t.Helper()
	before := len(w.ephemeral(w.cast.Channel, user))
	require.Empty(w.t, w.command(user, "closing").Error)
	w.eventually("an answer to closing", func() bool { return len(w.ephemeral(w.cast.Channel, user)) > before })
	answers := w.ephemeral(w.cast.Channel, user)
	return answers[len(answers)-1].Shown
}

// awaitClosing asks until the answer has these words: servers and costs are read after the start.
func (w *world) awaitClosing(user string, words ...string) (shown string) {
	w.t.Helper()
	for until := time.Now().Add(long); ; time.Sleep(100 * time.Millisecond) {
		if shown = w.closingFor(user); hasAll(shown, words) {
			return shown
		}
		if time.Now().After(until) {
			require.Fail(w.t, "the board never shows it", "%q\n%s", words, shown)
		}
	}
}

// closingSetup has a data center that closes, long after the test.
func closingSetup(more ...string) setup {
	s := follows()
	s.slack.RateLimitsOff = true
	s.extra = append(append(s.extra, "CLOSURE_DEADLINES=fra02=2099-06-10"), more...)
	return s
}

func TestClosingBoardCountsWhatItsReaderSees(t *testing.T) {
	s := closingSetup("MAX_SERVERS_PER_DAY=4")
	inFra02 := func(h hardware) bool { return h.Datacenter.Name == "fra02" }
	s.before = func(w *world) {
		w.patch(w.anotherThat(inFra02), map[string]any{"tagReferences": []any{map[string]any{"id": 1, "tagId": 1, "tag": map[string]any{"id": 1, "name": "Protected"}}}})
	}
	overHTTP(t, s, func(t *testing.T, w *world) {
		server := w.anotherThat(inFra02)
		w.asksFor(server)
		own := w.countsIn(inCenter("fra02"), unprotected, server)
		require.Greater(t, own.rest, 3)
		board := w.awaitClosing(w.cast.Requester, "fra02 closes on Wed 10 June 2099 (date set by your administrator).", own.line())
		assert.Contains(t, board, fmt.Sprintf("You see %d of its servers.", own.servers))
		assert.Contains(t, board, " days are left.")
		assert.Contains(t, board, fmt.Sprintf("You may ask for these %d, 3 of them today. Then %d remain.", own.rest, own.rest-3))
		assert.NotContains(t, board, "SoftLayer has announced")

		all := w.countsIn(inCenter("fra02"), everyone, server)
		require.Greater(t, all.servers, own.servers, "some are protected: nobody may ask for them")
		leads := w.awaitClosing(w.cast.Approver, fmt.Sprintf("You see %d of its servers.", all.servers), all.line())
		assert.NotContains(t, leads, "You may ask", "they can only approve")

		for _, user := range []string{w.cast.Outsider, w.cast.Guest} {
			shown := w.closingFor(user)
			assert.Contains(t, shown, noClosing)
			assert.Empty(t, strings.TrimSpace(strings.ReplaceAll(shown, noClosing, "")), "and nothing else")
			assert.NotContains(t, w.opens(user).shown, "fra02")
		}
		w.opens(w.cast.Requester)
		w.refreshed(w.cast.Requester, "Closing", "fra02 closes on Wed 10 June 2099", own.line(), "Your requests")
		w.opens(w.cast.Approver)
		w.refreshed(w.cast.Approver, "Closing", all.line(), "Waiting for your approval")
		assert.Empty(t, w.broken(), "SoftLayer's and Slack's rules")
	})
}

func TestAnnouncedPodsAreOnTheBoard(t *testing.T) {
	overSocket(t, closingSetup(), func(t *testing.T, w *world) {
		w.awaitClosing(w.cast.Requester, "fra02 closes on")
		w.control(http.MethodPost, "/pod", map[string]any{"id": "dal13.pod01", "closing": true}, nil)
		w.control(http.MethodPost, "/pod", map[string]any{"id": "fra02.pod02", "closing": true}, nil)
		pod := w.countsIn(inPod("dal13", 1), unprotected)
		require.Positive(t, pod.rest)
		board := w.awaitClosing(w.cast.Requester, "SoftLayer has announced that dal13.pod01 will close. No date is set here.", pod.line())
		assert.Contains(t, board, fmt.Sprintf("You see %d of its servers.", pod.servers))
		assert.NotContains(t, board, "fra02.pod02", "it closes with its data center")
		assert.NotContains(t, board, "dal13.pod02")

		w.control(http.MethodPost, "/pod", map[string]any{"id": "dal13.pod01", "closing": false}, nil)
		w.eventually("SoftLayer takes it back", func() bool { return !strings.Contains(w.closingFor(w.cast.Requester), "dal13.pod01") })
		assert.Empty(t, w.posts())
		assert.Empty(t, w.broken())
	})
}

func TestReportListsClosingPlaces(t *testing.T) {
	overHTTP(t, closingSetup(), func(t *testing.T, w *world) {
		w.control(http.MethodPost, "/pod", map[string]any{"id": "dal13.pod01", "closing": true}, nil)
		server := w.anotherThat(func(h hardware) bool { return h.Datacenter.Name == "fra02" })
		w.asksFor(server)
		w.awaitClosing(w.cast.Requester, "fra02 closes on") // the list of servers is there
		all, pod := w.countsIn(inCenter("fra02"), everyone, server), w.countsIn(inPod("dal13", 1), everyone)

		code, said := w.ends([]string{"report", "--closing", "--json"})
		require.Equal(t, exitDone, code, said)
		lines := strings.Split(strings.TrimSpace(said), "\n")
		require.Len(t, lines, 2)
		for n, want := range []counted{all, pod} {
			var row map[string]any
			require.NoError(t, json.Unmarshal([]byte(lines[n]), &row), said)
			assert.Equal(t, []any{[]string{"fra02", "dal13.pod01"}[n], n == 1}, []any{row["place"], row["announced"]})
			assert.Equal(t, []any{float64(want.servers), float64(want.asked), float64(want.waiting), float64(want.rest), want.fee, float64(want.unknown)},
				[]any{row["servers"], row["asked"], row["waiting"], row["not_asked"], row["not_asked_a_month_usd"], row["not_asked_cost_unknown"]})
		}
		code, said = w.ends([]string{"report", "--closing"})
		require.Equal(t, exitDone, code, said)
		assert.Regexp(t, fmt.Sprintf(`(?m)^fra02 +no +2099-06-10 +\d+ +%d +%d +1 +%d +%s`, all.servers, all.asked, all.rest, all.fee), said)
		assert.Regexp(t, `(?m)^dal13\.pod01 +yes +no date set `, said)
		assert.Empty(t, w.broken())

		require.NoError(t, w.softlayer.Fault("SoftLayer_Network_Pod/getAllObjects", "html", 100))
		code, said = w.ends([]string{"report", "--closing"})
		assert.Equal(t, exitFailed, code, said)
		assert.Contains(t, said, "reading SoftLayer's pods", "without them, places would be missing")
	})
}

// strange is a board whose names a spreadsheet would run.
func strange() closing.Board {
	return closing.Board{Places: []closing.Standing{
		{Closure: closing.Closure{Place: `=HYPERLINK("http://x")`, Announced: true}, Servers: 3, Rest: 3, Fee: "10.00", Unknown: 1, Unread: 1, Unplaced: 2},
		{Closure: closing.Closure{Place: "che01\x1b[2J", Datacenter: "che01", Day: time.Date(2027, time.June, 10, 0, 0, 0, 0, time.UTC)}},
	}, AsOf: time.Date(2027, time.June, 12, 9, 0, 0, 0, time.UTC)}
}

func TestClosingPlacesInCSVHoldNoFormula(t *testing.T) {
	t.Parallel()
	var out, table strings.Builder
	require.NoError(t, printClosingRows(&out, strange(), asCSV))
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 3)
	for _, row := range rows[1:] {
		for _, cell := range row {
			assert.NotRegexp(t, `^[=+\-@\t\r]`, cell)
			assert.NotContains(t, cell, "\x1b")
		}
	}
	assert.Equal(t, []string{`'=HYPERLINK("http://x")`, "true", "", "", "3", "0", "0", "3", "10.00", "2", "2"}, rows[1][2:])
	assert.Equal(t, []string{"false", "2027-06-10", "0"}, rows[2][3:6], "no days are left")
	require.NoError(t, printClosingTable(&table, strange()))
	assert.NotContains(t, table.String(), "\x1b")
	assert.Contains(t, table.String(), "2 more servers may stand in a closing pod")
	table.Reset()
	require.NoError(t, printClosingTable(&table, closing.Board{}))
	assert.Contains(t, table.String(), "SoftLayer has announced no closure")
}

func TestReportOfClosingsTakesNoMonth(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--closing", "--month", "2026-11"}, {"--closing", "--by-person"}} {
		code, out, wrong := ran(t, append([]string{"report"}, args...)...)
		assert.Equal(t, exitUsage, code)
		assert.Empty(t, out)
		assert.Contains(t, wrong, "--closing")
	}
}
