//go:build unix

package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/reconcile"
)

// differences is a comparison with names that a spreadsheet would run.
func differences() *reconcile.Result {
	made := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	r := reconcile.Compare([]reconcile.Cancellation{
		{ID: 1, Made: made, Status: "PENDING", User: "bot", Ticket: cancellation.TicketID{ID: 901, Number: "CS0000901"}, Servers: []reconcile.Server{{ID: 11, Name: "ours"}}},
		{ID: 2, Made: made, Status: "APPROVED", User: "=cmd|' /C calc'!A0", Ticket: cancellation.TicketID{ID: 902}, Servers: []reconcile.Server{{ID: 12, Name: "@web\x1b"}}},
		{ID: 3, Made: made, Status: "PENDING", Items: []int64{77, 78}},
	}, time.Time{}, map[int64]bool{901: true}, nil)
	r.Check(cancellation.Request{
		Ref: "7F3K2QXD0123456789ABCDEFGH", State: cancellation.Filed, SentAt: made, Ticket: cancellation.TicketID{ID: 904},
		Submission: cancellation.Submission{Card: cancellation.Card{Server: cancellation.Server{ID: 14, FQDN: "db-042.example.com"}}},
	})
	return r
}

func reconciled(t *testing.T, as form) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, printReconciled(&out, differences(), as))
	return out.String()
}

func TestReconcileIsATableForPeople(t *testing.T) {
	t.Parallel()
	assert.Equal(t, strings.TrimPrefix(`
at SoftLayer 3, by this bot 1, not by this bot 1, recorded here but not found 1, as far as this key sees
cannot tell 1: their ticket is not shown to this key, or a request here does not know its ticket yet

NOT BY THIS BOT  MADE                 STATUS    USER                TICKET  SERVER
2                2026-11-27 09:00:00  APPROVED  =cmd|' /C calc'!A0  902     @web?

CANNOT TELL  MADE                 STATUS   USER       TICKET  SERVER
3            2026-11-27 09:00:00  PENDING  not shown  -       not shown, 2 items

NOT FOUND  SENT                 STATE  TICKET  SERVER
7F3K-2QXD  2026-11-27 09:00:00  filed  904     db-042.example.com
`, "\n"), reconciled(t, asTable))
}

func TestReconcileInCSVHoldsNoFormula(t *testing.T) {
	t.Parallel()
	text := reconciled(t, asCSV)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, strings.Count(text, "\n"), strings.Count(text, "\r\n"))
	for _, row := range rows {
		for _, cell := range row {
			assert.NotRegexp(t, `^[=+\-@\t\r]`, cell)
		}
	}
	assert.Equal(t, []string{"kind", "count", "cancellation", "at", "status", "user", "ticket", "ticket_number", "servers", "server_ids", "ref"}, rows[0])
	assert.Equal(t, []string{"not by this bot", "", "2", "2026-11-27T09:00:00Z", "APPROVED", `'=cmd|' /C calc'!A0`, "902", "", "'@web?", "12", ""}, rows[6])
}

func TestReconcileInJSONIsAnObjectALine(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSuffix(reconciled(t, asJSON), "\n"), "\n")
	require.Len(t, lines, 8)
	assert.True(t, strings.HasPrefix(lines[0], `{"kind":"at SoftLayer","count":3,"cancellation":null,`), lines[0])
	assert.JSONEq(t, `{"kind":"not found","count":null,"cancellation":null,"at":"2026-11-27T09:00:00Z","status":"filed","user":null,
		"ticket":904,"ticket_number":null,"servers":"db-042.example.com","server_ids":"14","ref":"7F3K-2QXD"}`, lines[7])
	for _, line := range lines {
		assert.True(t, json.Valid([]byte(line)), line)
	}
}

func TestReconcileRefusesWrongUse(t *testing.T) {
	t.Parallel()
	for says, args := range map[string][]string{
		"not a time": {"--since", "yesterday"}, "two forms": {"--json", "--csv"}, "an argument": {"2026-11-01"},
	} {
		code, out, wrong := ran(t, append([]string{"reconcile"}, args...)...)
		assert.Equal(t, exitUsage, code, says)
		assert.Empty(t, out, says)
		assert.Contains(t, wrong, "reconcile", says)
	}
	code, out, _ := ran(t, "reconcile", "-h")
	assert.Equal(t, exitDone, code)
	assert.Equal(t, reconcileUsage, out)
}

// compared is the sums of bot reconcile, and what else it lists by kind.
func (w *world) compared(args ...string) (sums map[string]float64, listed map[string][]map[string]any) {
	w.t.Helper()
	code, said := w.ends(append([]string{"reconcile", "--json"}, args...))
	require.Equal(w.t, exitDone, code, said)
	sums, listed = map[string]float64{}, map[string][]map[string]any{}
	for line := range strings.Lines(said) {
		var row map[string]any
		require.NoError(w.t, json.Unmarshal([]byte(line), &row), line)
		kind := row["kind"].(string)
		if count, is := row["count"].(float64); is {
			sums[kind] = count
			continue
		}
		listed[kind] = append(listed[kind], row)
	}
	return sums, listed
}

// inDatabase makes a change alongside the bot.
func (w *world) inDatabase(text string, args ...any) {
	w.t.Helper()
	db := w.openDatabase()
	_, err := db.ExecContext(w.t.Context(), text, args...)
	require.NoError(w.t, errors.Join(err, db.Close()))
}

func TestReconcileComparesBothWays(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, setup{})
	before, _ := w.compared()
	w.accepted(w.cast.Channel, w.cast.User, w.server)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
	other := w.another()
	w.control(http.MethodPost, "/ticket", map[string]any{"server": other, "open": true, "entry": "By hand.", "user": "jdoe"}, nil)

	sums, listed := w.compared()
	assert.Equal(t, map[string]float64{
		"at SoftLayer": before["at SoftLayer"] + 2, "by this bot": 1, "not by this bot": before["at SoftLayer"] + 1, "cannot tell": 0, "not found": 0,
	}, sums)
	newest := listed["not by this bot"][len(listed["not by this bot"])-1]
	assert.Contains(t, newest["user"], "jdoe", "the SoftLayer user by name")
	assert.Equal(t, w.fqdn(other), newest["servers"])
	sums, _ = w.compared("--since", time.Now().Add(clockShift).Add(time.Hour).UTC().Format(time.RFC3339))
	assert.Zero(t, sums["at SoftLayer"])

	w.inDatabase(`update requests set ticket_id = 1, sent_at = sent_at - 3600000`)
	sums, listed = w.compared()
	assert.Equal(t, []float64{0, before["at SoftLayer"] + 2, 1}, []float64{sums["by this bot"], sums["not by this bot"], sums["not found"]})
	assert.Equal(t, w.fqdn(w.server), listed["not found"][0]["servers"])
	w.inDatabase(`update requests set state = 'stuck', ticket_id = 0`)
	sums, _ = w.compared()
	assert.Equal(t, []float64{before["at SoftLayer"] + 1, 1}, []float64{sums["not by this bot"], sums["cannot tell"]}, "it may be this request's")

	w.control(http.MethodPost, "/key", map[string]any{"revoke": []string{"ACCOUNT_SUMMARY_VIEW"}}, nil)
	code, said := w.ends([]string{"reconcile"})
	assert.Equal(t, exitFailed, code, "what could not be read is not none")
	assert.Contains(t, said, "SoftLayer does not let this key read that")
}

// reports is a setup whose report channel is the cast's.
func reports(more setup) setup {
	more.before = func(w *world) { w.extra = append(w.extra, "REPORT_CHANNEL="+w.cast.Channel) }
	more.slack.RateLimitsOff = true
	return more
}

// restarted has the bot look at once for what is due in the report channel.
func (w *world) restarted() {
	w.t.Helper()
	w.stop()
	w.start()
}

// passed waits until the bot that runs has had its turn in the report channel. It leaves its lease behind.
func (w *world) passed() {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	w.eventually("the bot has had its turn", func() bool {
		var turns int
		err := db.QueryRowContext(w.t.Context(), `select count(*) from bulletin_turn where lease_until is not null`).Scan(&turns)
		return err == nil && turns == 1
	})
}

func TestCancelledElsewhereIsPostedOnce(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportSocket, reports(setup{}))
	w.control(http.MethodPost, "/ticket", map[string]any{"server": w.another(), "open": true, "entry": "It stood before.", "user": "early"}, nil)
	code, said := w.ends([]string{"reconcile"})
	require.Equal(t, exitDone, code, said)
	assert.Contains(t, said, "This was its first run.")
	code, said = w.ends([]string{"reconcile"})
	require.Equal(t, exitDone, code, said)
	assert.NotContains(t, said, "first run")
	for range 12 {
		w.control(http.MethodPost, "/ticket", map[string]any{"server": w.another(), "open": true, "entry": "By hand.", "user": "jdoe"}, nil)
	}
	w.accepted(w.cast.Channel, w.cast.User, w.server)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
	w.restarted()
	w.passed()
	assert.Empty(t, w.about(w.cast.Channel, "Cancelled elsewhere"), "a day has not passed")

	w.inDatabase(`update bulletin_turn set looked_at = looked_at - 86400000`)
	w.restarted()
	told := w.awaitMessage(w.cast.Channel, "Cancelled elsewhere: 12.")
	assert.Equal(t, 10, strings.Count(told.Shown, "\nNot asked for here: a cancellation of "), "ten lines: %s", told.Shown)
	assert.Contains(t, told.Shown, "And 2 more.")
	assert.Contains(t, told.Shown, "_jdoe@example.com on ")
	assert.NotContains(t, told.Shown, "early")
	assert.NotContains(t, told.Shown, w.fqdn(w.server), "what this bot asked for")

	w.inDatabase(`update bulletin_turn set looked_at = looked_at - 86400000`)
	w.inDatabase(`update bulletins set day = day - 1`)
	w.inDatabase(`update elsewhere set day = day - 1 where day > 0`)
	w.restarted()
	w.looked()
	w.stop()
	assert.Len(t, w.about(w.cast.Channel, "Cancelled elsewhere"), 1, "once")
}

// looked waits until the bot has looked for cancellations elsewhere again, and had its turn after that.
func (w *world) looked() {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	w.eventually("the bot has looked", func() bool {
		var looks int
		err := db.QueryRowContext(w.t.Context(), `select count(*) from bulletin_turn where looked_at > lease_until - 360000`).Scan(&looks)
		return err == nil && looks == 1
	})
}

func TestAReportIsPostedOnceThoughKilled(t *testing.T) {
	t.Parallel()
	for says, scopes := range map[string][]string{
		"the bot may read the history": append(fakeslack.DefaultScopes(), "channels:history", "groups:history"),
		"it may not":                   fakeslack.DefaultScopes(),
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			w := started(t, fakeslack.TransportHTTP, reports(setup{slack: fakeslack.Options{Scopes: scopes}}))
			w.passed()
			assert.Empty(t, w.messages(w.cast.Channel), "the month is not over")
			w.inDatabase(`update bulletin_turn set months_from = months_from - 1`)
			require.NoError(t, w.slack.Fault("chat.postMessage", fakeslack.FaultSlow, 1))
			w.restarted()
			w.awaitMessage(w.cast.Channel, "📊 ")
			w.kill()

			w.inDatabase(`update bulletins set announced_at = announced_at - 120000`)
			w.start()
			db := w.openDatabase()
			defer db.Close()
			w.eventually("it is known what became of the post", func() bool {
				var settled int
				err := db.QueryRowContext(t.Context(), `select settled from bulletins`).Scan(&settled)
				return err == nil && settled == 1
			})
			w.stop()
			posted := w.about(w.cast.Channel, "📊 ")
			require.Len(t, posted, 1, "killed between the post and its record")
			assert.Contains(t, posted[0].Shown, "no server gone")
			assert.Contains(t, posted[0].Shown, "bot report --month ")
		})
	}
}

func TestReplicasPostOneReport(t *testing.T) {
	t.Parallel()
	w, db := onPostgres(t, bySocket, 3, reports(setup{}))
	w.passed()
	w.stop()
	_, err := db.ExecContext(t.Context(), `update bulletin_turn set months_from = months_from - 1, lease_until = 1`)
	require.NoError(t, err)
	w.start()
	others := []*child{w.replica(), w.replica()}
	w.awaitMessage(w.cast.Channel, "📊 ")
	w.eventually("all three serve", func() bool { _, said := w.readyz(); return said.Replicas == 3 })
	assert.Len(t, others, 2)
	var posts int
	require.NoError(t, db.QueryRowContext(t.Context(), `select count(*) from bulletins`).Scan(&posts))
	assert.Equal(t, 1, posts)
	assert.Len(t, w.about(w.cast.Channel, "📊 "), 1, fmt.Sprint(w.messages(w.cast.Channel)))
}
