//go:build unix

package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// What the vendors hold.

// control asks the fake SoftLayer's steering, which also reads its books.
func (w *world) control(method, path string, body any, answer any) {
	w.t.Helper()
	var payload bytes.Buffer
	if body != nil {
		require.NoError(w.t, json.NewEncoder(&payload).Encode(body))
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, &payload)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	recorder := httptest.NewRecorder()
	w.softlayer.Control().ServeHTTP(recorder, r)
	require.Less(w.t, recorder.Code, 300, "%s %s: %s", method, path, recorder.Body)
	if answer != nil {
		require.NoError(w.t, json.Unmarshal(recorder.Body.Bytes(), answer))
	}
}

func (w *world) hardware(server int64) hardware {
	w.t.Helper()
	found := w.servers(strconv.FormatInt(server, 10))
	require.NotEmpty(w.t, found, "SoftLayer has server %d", server)
	return found[0]
}

// fqdn is the full name that a server had at the start.
func (w *world) fqdn(server int64) string {
	w.t.Helper()
	at := slices.IndexFunc(w.atStart(), func(h hardware) bool { return h.ID == server })
	require.GreaterOrEqual(w.t, at, 0, "SoftLayer had server %d", server)
	return w.atStart()[at].FullyQualifiedDomainName
}

// another is a server that can be cancelled and that no other test of this world has.
func (w *world) another() int64 {
	w.t.Helper()
	return w.anotherThat(func(hardware) bool { return true })
}

// anotherThat is such a server with a property of its own.
func (w *world) anotherThat(has func(hardware) bool) int64 {
	w.t.Helper()
	return w.which("nothing special", func(h hardware) bool {
		known := h.OpenCancellationTicket == nil && h.ActiveTransaction == nil && h.BillingItem != nil
		if !known || h.young() || h.Gateway || h.Hourly || h.Disconnected || h.Notes != "" || h.LastTransaction.Group.Name != "Service Setup" {
			return false
		}
		return h.BillingItem.Allowed == 1 && !h.BillingItem.Pending && h.BillingItem.Agreement == nil && len(w.called(h.Hostname)) == 1 &&
			!h.tagged("protected") && !h.tagged("prod") && has(h)
	})
}

// which is a server that has a property and that was not handed out yet.
func (w *world) which(property string, has func(hardware) bool) int64 {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.atStart() { // nobody changed one that was not handed out
		if !w.given[h.ID] && has(h) {
			w.given[h.ID] = true
			return h.ID
		}
	}
	require.Fail(w.t, "SoftLayer has no server left with "+property)
	return 0
}

// called are the servers that had a host name at the start.
func (w *world) called(hostname string) []hardware {
	var found []hardware
	for _, h := range w.atStart() {
		if h.Hostname == hostname {
			found = append(found, h)
		}
	}
	return found
}

// hardware is one of SoftLayer's servers, as far as the tests look.
type hardware struct {
	ID                       int64
	Hostname, Domain, Notes  string
	FullyQualifiedDomainName string
	PrimaryIPAddress         string `json:"primaryIpAddress"`
	PrimaryBackendIPAddress  string `json:"primaryBackendIpAddress"`
	Gateway                  bool   `json:"networkGatewayMemberFlag"`
	Hourly                   bool   `json:"hourlyBillingFlag"`
	Disconnected             bool   `json:"blockCancelBecauseDisconnectedFlag"`
	Datacenter               struct{ Name string }
	TagReferences            []struct{ Tag struct{ Name string } }
	ProvisionDate            time.Time
	ActiveTransaction        *struct{ ID int64 }
	LastTransaction          struct {
		Group struct{ Name string } `json:"transactionGroup"`
	}
	OpenCancellationTicket *struct {
		ID     int64
		Number string `json:"serviceProviderResourceId"`
	}
	BillingItem *struct {
		Allowed    int64            `json:"allowCancellationFlag"`
		Agreement  any              `json:"activeAgreement"`
		Pending    bool             `json:"pendingCancellationFlag"`
		Monthly    any              `json:"nextInvoiceTotalRecurringAmount"`
		Associated []map[string]any `json:"activeAssociatedChildren"`
	}
}

// young is what the card warns of: a server that was ordered a moment ago.
func (h hardware) young() bool {
	return time.Now().Add(clockShift).Sub(h.ProvisionDate) < 8*24*time.Hour
}

func (h hardware) tagged(name string) bool {
	for _, t := range h.TagReferences {
		if t.Tag.Name == name {
			return true
		}
	}
	return false
}

// servers are those of SoftLayer's that a query finds, or all.
func (w *world) servers(query string) []hardware {
	w.t.Helper()
	var found []hardware
	w.control(http.MethodGet, "/servers?q="+url.QueryEscape(query), nil, &found)
	return found
}

// ticket is one of SoftLayer's, as far as the tests look.
type ticket struct {
	ID               int64
	Title            string
	AttachedHardware []struct{ ID int64 }
	FirstUpdate      struct{ Entry string }
}

// tickets are the cancellation tickets of a server, open and closed.
func (w *world) tickets(server int64) []ticket {
	w.t.Helper()
	var all, found []ticket
	w.control(http.MethodGet, "/tickets", nil, &all)
	for _, t := range all {
		if strings.HasPrefix(t.Title, "Server Cancellation") && len(t.AttachedHardware) == 1 && t.AttachedHardware[0].ID == server {
			found = append(found, t)
		}
	}
	return found
}

// posts are the calls of createCancelServerTicket that SoftLayer received.
func (w *world) posts() []fakesoftlayer.Exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []fakesoftlayer.Exchange
	for _, e := range w.sl {
		if e.Method == "SoftLayer_Ticket/createCancelServerTicket" {
			found = append(found, e)
		}
	}
	return found
}

// postsFor are those of them for one server.
func (w *world) postsFor(server int64) []fakesoftlayer.Exchange {
	var found []fakesoftlayer.Exchange
	for _, e := range w.posts() {
		raw, _ := e.Request.(json.RawMessage)
		if strings.Contains(string(raw), strconv.FormatInt(server, 10)) {
			found = append(found, e)
		}
	}
	return found
}

// broken lists the vendors' rules that the bot broke.
func (w *world) broken() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var rules []string
	for _, e := range w.slk {
		for _, b := range e.Broke {
			rules = append(rules, e.Method+": "+b.Rule)
		}
	}
	for _, e := range w.sl {
		for _, b := range e.Broke {
			rules = append(rules, e.Method+": "+b.Rule)
		}
	}
	return rules
}

// message is one that people see, with all its text in one.
type message struct {
	fakeslack.Message
	Shown string // top-level text, text of the blocks, links
}

// messages are a conversation's, from its oldest on.
func (w *world) messages(channel string) []message {
	w.t.Helper()
	seen, err := w.slack.Messages(w.t.Context(), channel, 0)
	require.NoError(w.t, err)
	var all []message
	for _, m := range seen {
		all = append(all, message{m, m.Text + "\n" + shownIn(m.Blocks)})
	}
	return all
}

// about are the messages for everybody that have these words.
func (w *world) about(channel string, words ...string) []message {
	w.t.Helper()
	var found []message
	for _, m := range w.messages(channel) {
		if m.To == "" && hasAll(m.Shown, words) {
			found = append(found, m)
		}
	}
	return found
}

func hasAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// awaitMessage waits for a message for everybody in a conversation that has these words.
func (w *world) awaitMessage(channel string, words ...string) message {
	w.t.Helper()
	var found []message
	w.eventually("a message with "+strings.Join(words, ", "), func() bool {
		found = w.about(channel, words...)
		return len(found) > 0
	})
	return found[0]
}

// awaitSoon is awaitMessage for what comes after a pause: no clock of the fakes moves the
// bot's, so that the pauses of what waits to be filed are ended in its database.
func (w *world) awaitSoon(channel string, words ...string) message {
	w.t.Helper()
	return w.awaitAfter(`update requests set due = created_at
		where state in ('scheduled', 'unknown') and lease_owner is null and due > created_at`, channel, words)
}

// awaitSettled is awaitMessage for what comes once a lost answer has settled: in the bot's
// database the POST can be under way no more, and clean reads are a day old.
func (w *world) awaitSettled(channel string, words ...string) message {
	w.t.Helper()
	return w.awaitAfter(cleanSince("created_at - 86400000"), channel, words)
}

// cleanSince is a change to the bot's database: no POST of what nobody works at can be under
// way any more, and SoftLayer's records were clean since a time if they were read at all.
func cleanSince(at string) string {
	return `update requests set due = created_at, not_after = case when not_after is null then null else created_at end,
		clean_since = case when clean_since is null then null else ` + at + ` end
		where state in ('scheduled', 'unknown') and lease_owner is null and (not_after > created_at or clean_since > ` + at + `)`
}

// awaitAfter is awaitMessage while a change is made to the bot's database.
func (w *world) awaitAfter(change, channel string, words []string) message {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	var found []message
	w.eventually("a message with "+strings.Join(words, ", "), func() bool {
		_, err := db.ExecContext(w.t.Context(), change)
		require.NoError(w.t, err)
		found = w.about(channel, words...)
		return len(found) > 0
	})
	return found[0]
}

// ref is the reference that a text shows.
func (w *world) ref(text string) string {
	w.t.Helper()
	found := regexp.MustCompile(`ref ([0-9A-Z]{4}-[0-9A-Z]{4})`).FindStringSubmatch(text)
	require.NotNil(w.t, found, "a reference is shown: %s", text)
	return found[1]
}

// recorded is how many requests the bot's database holds, by state.
func (w *world) recorded() map[string]int { return w.byState("requests") }

// byState counts a table's rows by their state.
func (w *world) byState(table string) map[string]int {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	rows, err := db.QueryContext(w.t.Context(), "select state, count(*) from "+table+" group by state")
	require.NoError(w.t, err)
	defer rows.Close()
	found := map[string]int{}
	for rows.Next() {
		var state string
		var count int
		require.NoError(w.t, rows.Scan(&state, &count))
		found[state] = count
	}
	require.NoError(w.t, rows.Err())
	return found
}

// openDatabase opens the bot's database alongside it.
func (w *world) openDatabase() *sql.DB {
	w.t.Helper()
	driver, name := "sqlite", w.database()+"?_pragma=busy_timeout(10000)" // the drivers are the store's
	if w.postgres != "" {
		driver, name = "pgx", w.postgres
	}
	db, err := sql.Open(driver, name)
	require.NoError(w.t, err)
	return db
}

// calls are the requests of one method between Slack and the bot.
func (w *world) calls(method string) []fakeslack.Exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []fakeslack.Exchange
	for _, e := range w.slk {
		if e.Method == method {
			found = append(found, e)
		}
	}
	return found
}

// databasePause is how often eventually looks where no exchange tells it to: the bot's
// database and its log tell nobody.
const databasePause = 50 * time.Millisecond

// eventually waits for something that another process does.
func (w *world) eventually(what string, happened func() bool) {
	w.t.Helper()
	overdue := time.NewTimer(long)
	defer overdue.Stop()
	pause := time.NewTicker(databasePause)
	defer pause.Stop()
	for {
		news := w.news() // before the look, so that none is missed
		if happened() {
			return
		}
		select {
		case <-news:
		case <-pause.C:
		case <-overdue.C:
			said := ""
			if w.child != nil {
				said = w.child.log.String()
			}
			require.Fail(w.t, "did not happen: "+what, "the database holds %v; the bot said:\n%s", w.recorded(), said)
		}
	}
}
