//go:build unix

package main

import (
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/report"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/store"
)

// november is a report with names that a spreadsheet would run.
func november() *report.Report {
	month, _ := report.ParseMonth("2026-11")
	sums := report.New(month, slacktest.Noon, true)
	gone := slacktest.Request(cancellation.Reclaimed, func(r *cancellation.Request) {
		r.Since = slacktest.Noon
		r.Submission.Card.Server.Tags = []string{`=HYPERLINK("http://x")`, "staging"}
		r.Submission.By.Name = "+Ana\x1b[2J"
	})
	sums.AddRequested(gone)
	sums.AddGone(gone, &billed.Stays{Items: []billed.Item{{Kind: billed.Volume, ID: 1, Fee: "98.00"}, {Kind: billed.Subnet, ID: 2}}})
	gone.Shows = "2027-01-01T00:00:00-06:00"
	gone.Submission.Card.Server.Tags, gone.Submission.Card.Server.Datacenter = nil, "dal10"
	sums.AddGone(gone, nil)
	gone.Submission.Card.Server.Billing = nil
	sums.AddGone(gone, nil)
	return sums
}

func printed(t *testing.T, as form) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, printReport(&out, november(), store.Binding{App: "B0", Team: "T0", Account: "307608"}, as))
	return out.String()
}

func TestReportIsATableForPeople(t *testing.T) {
	t.Parallel()
	assert.Equal(t, strings.TrimPrefix(`
2026-11, as of 2026-11-22 12:00:00 UTC. `+store.Binding{App: "B0", Team: "T0", Account: "307608"}.String()+`

     REQUESTED  GONE  SAVED A MONTH          LATE  COST OF LATE  LEFT BEHIND            STILL BILLED          GONE THIS YEAR  SAVED THIS YEAR
all  1          3     825.00, and 1 unknown  1     412.50        2, 2 servers not read  98.00, and 1 unknown  3               825.00, and 1 unknown

DATA CENTER  REQUESTED  GONE  SAVED A MONTH          LATE  COST OF LATE  LEFT BEHIND  STILL BILLED          GONE THIS YEAR  SAVED THIS YEAR
fra02        1          1     412.50                 0     0.00          2            98.00, and 1 unknown  1               412.50
dal10        0          2     412.50, and 1 unknown  1     412.50        not read     not read              2               412.50, and 1 unknown

TAG                     REQUESTED  GONE  SAVED A MONTH          LATE  COST OF LATE  LEFT BEHIND  STILL BILLED          GONE THIS YEAR  SAVED THIS YEAR
=hyperlink("http://x")  1          1     412.50                 0     0.00          2            98.00, and 1 unknown  1               412.50
staging                 1          1     412.50                 0     0.00          2            98.00, and 1 unknown  1               412.50
(none)                  0          2     412.50, and 1 unknown  1     412.50        not read     not read              2               412.50, and 1 unknown

ASKED BY          REQUESTED  GONE  SAVED A MONTH          LATE  COST OF LATE  LEFT BEHIND            STILL BILLED          GONE THIS YEAR  SAVED THIS YEAR
+Ana?[2J (T1/U7)  1          3     825.00, and 1 unknown  1     412.50        2, 2 servers not read  98.00, and 1 unknown  3               825.00, and 1 unknown

US dollars, by the price when each server was asked for. A server counts once it is gone. LATE: billed
longer because a cut-off was missed. LEFT BEHIND: things that were still billed when their server was gone;
STILL BILLED: what they cost a month, subtracted from nothing. A server with several tags counts in each.
bot report -h says more.
`, "\n"), printed(t, asTable))
}

func TestReportInCSVHoldsNoFormula(t *testing.T) {
	t.Parallel()
	text := printed(t, asCSV)
	assert.Equal(t, strings.Count(text, "\n"), strings.Count(text, "\r\n"), "RFC 4180 ends each line with CRLF")
	assert.Equal(t, "month,as_of,by,name,id,requested,gone,gone_cost_unknown,saved_a_month_usd,late,late_cost_unknown,late_usd,"+
		"left_behind,left_behind_servers_not_read,still_billed_a_month_usd,still_billed_cost_unknown,"+
		"gone_this_year,gone_this_year_cost_unknown,saved_this_year_usd", strings.Split(text, "\r\n")[0])
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	var names []string
	for _, row := range rows[1:] {
		names = append(names, row[3])
		for _, cell := range row {
			assert.NotRegexp(t, `^[=+\-@\t\r]`, cell)
		}
	}
	assert.Equal(t, []string{"", "fra02", "dal10", `'=hyperlink("http://x")`, "staging", "(none)", "'+Ana?[2J"}, names)
	assert.Equal(t, "825.00", rows[1][8])
	assert.Equal(t, []string{"2", "2", "98.00", "1"}, rows[1][12:16])
	assert.Equal(t, []string{"", "2", "", ""}, rows[3][12:16], "what was not read is no 0")
}

func TestReportInJSONIsAnObjectALine(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSuffix(printed(t, asJSON), "\n"), "\n")
	require.Len(t, lines, 7)
	assert.JSONEq(t, `{"month":"2026-11","as_of":"2026-11-22T12:00:00Z","by":"all","name":"","id":"","requested":1,
		"gone":3,"gone_cost_unknown":1,"saved_a_month_usd":"825.00","late":1,"late_cost_unknown":0,"late_usd":"412.50",
		"left_behind":2,"left_behind_servers_not_read":2,"still_billed_a_month_usd":"98.00","still_billed_cost_unknown":1,
		"gone_this_year":3,"gone_this_year_cost_unknown":1,"saved_this_year_usd":"825.00"}`, lines[0])
	assert.Contains(t, lines[2], `"left_behind":null,"left_behind_servers_not_read":2,"still_billed_a_month_usd":null`)
}

func TestReportRefusesWrongUse(t *testing.T) {
	t.Parallel()
	for says, args := range map[string][]string{
		"not a month": {"--month", "november"}, "two forms": {"--json", "--csv"},
		"an argument": {"2026-11"}, "an unknown flag": {"--by-tag"},
	} {
		code, out, wrong := ran(t, append([]string{"report"}, args...)...)
		assert.Equal(t, exitUsage, code, says)
		assert.Empty(t, out, says)
		assert.Contains(t, wrong, "report", says)
	}
}

func TestReportHasItsOwnHelp(t *testing.T) {
	t.Parallel()
	for _, ask := range []string{"-h", "--help"} {
		code, out, _ := ran(t, "report", ask)
		assert.Equal(t, exitDone, code)
		assert.Equal(t, reportUsage, out)
	}
}

// isGone has SoftLayer reclaim a server whose cancellation was requested, and waits until the bot has
// seen that.
func (w *world) isGone(server int64) {
	w.t.Helper()
	before := w.recorded()["reclaimed"]
	w.ticketDoes(server, map[string]any{"do": "approve"})
	w.softlayer.Advance(40 * 24 * time.Hour)
	w.sighted()
	w.eventually("the server is gone", func() bool { return w.recorded()["reclaimed"] == before+1 })
}

// reported is the lines of bot report, by what they are about.
func (w *world) reported(args ...string) map[string]map[string]any {
	w.t.Helper()
	code, said := w.ends(append([]string{"report", "--json"}, args...))
	require.Equal(w.t, exitDone, code, said)
	lines := map[string]map[string]any{}
	for line := range strings.Lines(said) {
		var object map[string]any
		require.NoError(w.t, json.Unmarshal([]byte(line), &object), line)
		lines[strings.TrimSpace(object["by"].(string)+" "+object["name"].(string))] = object
	}
	return lines
}

func TestReportCountsWhatIsGone(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, follows())
	stays := w.another()
	var costs struct {
		BillingItem struct {
			Total json.Number `json:"nextInvoiceTotalRecurringAmount"`
		}
	}
	for _, server := range []int64{w.server, stays} {
		w.accepted(w.cast.Channel, w.cast.User, server)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
	}
	var found []json.RawMessage
	w.control("GET", "/servers?q="+strconv.FormatInt(w.server, 10), nil, &found)
	require.NoError(t, json.Unmarshal(found[0], &costs))
	all := w.reported()["all"]
	assert.Equal(t, []any{2.0, 0.0, "0.00"}, []any{all["requested"], all["gone"], all["saved_a_month_usd"]}, "asked for is not gone")

	w.isGone(w.server)
	lines := w.reported("--by-person")
	all = lines["all"]
	cost, ok := amountOf(costs.BillingItem.Total.String())
	require.True(t, ok, costs)
	assert.Equal(t, []any{2.0, 1.0, cost, 1.0, cost}, []any{all["requested"], all["gone"], all["saved_a_month_usd"], all["gone_this_year"], all["saved_this_year_usd"]})
	places, people := 0, 0
	for _, line := range lines {
		if line["by"] == "datacenter" && line["gone"] == 1.0 {
			places++
			assert.Equal(t, cost, line["saved_a_month_usd"])
		}
		if line["by"] == "person" {
			people++
			assert.Contains(t, line["id"], "/"+w.cast.User)
		}
	}
	assert.Equal(t, []int{1, 1}, []int{places, people})
	assert.Equal(t, 0.0, w.reported("--month", "2020-02")["all"]["gone"])
	for line := range w.reported() {
		assert.NotContains(t, line, "person", "people only if asked for")
	}
}

// amountOf is an amount of SoftLayer's as a report writes it.
func amountOf(given string) (string, bool) {
	fee := cancellation.Server{Billing: &cancellation.Billing{MonthlyTotal: given}}.MonthlyFee()
	return fee, fee != ""
}
