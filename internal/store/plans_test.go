package store

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/inquiry"
	"cancel-server/internal/postgrestest"
	"cancel-server/internal/store/prepared"
	"cancel-server/internal/store/seals"
)

// question is a statement that is run again and again, with values for its placeholders.
type question struct {
	text   string
	values []string
	finds  []string // what SQLite's plan says of the indexes that lead to few rows
}

// questions are those that must cost the same however many requests have ended, and however many
// wait for later.
func questions(d dialect) map[string]question {
	found := func(f inquiry.Filter) string { text, _ := findSQL(f); return text }
	now := strconv.FormatInt(newHands().time().Add(time.Minute).UnixMilli(), 10)
	return map[string]question{
		"a look for work":             {d.lookSQL(requestWork), []string{now}, []string{"requests_due (due<?)", "requests_due (due>?)", "requests_changed (updated_at>?)"}},
		"a look for what is told":     {d.lookSQL(noticeWork), []string{now}, []string{"notices_due (due<?)", "notices_due (due>?)", "notices_url (response_url_until<?)"}},
		"a claim of requests":         {d.claimSQL(), []string{now, "o", now, "8"}, []string{"requests_due (due<?)"}},
		"a claim of notices":          {d.claimNoticesSQL(), []string{now, "o", now, "8"}, []string{"notices_due (due<?)"}},
		"due times that are ahead":    {pullInSQL, []string{now}, []string{"requests_changed (updated_at>?)"}},
		"response_urls to erase":      {d.eraseURLsSQL(), []string{now}, []string{"notices_url (response_url_until<?)"}},
		"what is overdue":             {overdueSQL, []string{now, "-1", "", "100"}, []string{"requests_open (state=?)", "notices_owed (owed_at<?)"}},
		"POSTs under way at a freeze": {underWaySQL, []string{now}, []string{"requests_open (state=?)", "requests_under_way (not_after>?)"}},
		"a person's last place":       {askedSQL, []string{"T0/U1", "1"}, []string{"requests_quota (requester=? AND quota_day=?)"}},
		"a person's place":            {slotSQL, []string{"T0/U1", "1", "1"}, []string{"requests_quota (requester=? AND quota_day=?)"}},
		"a request":                   {requestSQL, []string{"r"}, []string{"(id=?)"}},
		"a request by its reference":  {byRefSQL, []string{"r"}, []string{"(short_ref=?)"}},
		"who holds a server":          {liveSQL, []string{"1"}, []string{"requests_live (server_id=?)"}},
		"a request's notices":         {noticesSQL, []string{"r"}, []string{"(request_id=?)"}},
		"filed requests to look at":   {dueLooksSQL, []string{now, "100"}, []string{"followed_order (looked_at<?)"}},
		"those to look at again":      {againSQL, []string{now, "100"}, []string{"followed_again (again_at<?)"}},
		"answers that are waited for": {dueWaitsSQL, []string{now, "100"}, []string{"waits_due (act_at<?)"}},
		"a look for letters":          {d.lookSQL(mailWork), []string{now}, []string{"mailboxes_due (due<?)", "mailboxes_due (due>?)"}},
		"a claim of mailboxes":        {d.claimMailboxesSQL(), []string{now, "o", now, "8"}, []string{"mailboxes_due (due<?)"}},
		"what a person is owed":       {newsForSQL, []string{"U1", "8"}, []string{"news_unsettled (person=?)"}},
		"requests filed in a month":   {eachFiledSQL, []string{now, "", now, "100"}, []string{"requests_sent (<expr>>"}},
		"servers gone in a month":     {eachGoneSQL, []string{now, "", now, "100"}, []string{"requests_gone ((state_at,id)>(?,?)"}},
		"whose tickets these are":     {ownTicketsSQL(2), []string{"1", "2"}, []string{"requests_ticket (ticket_id=?)"}},
		"a person's requests":         {ofRequesterSQL, []string{"T0/U1", "10"}, []string{"requests_quota (requester=? AND quota_day>?)"}},
		"what waits for approval":     {pendingSQL, []string{"50"}, []string{"requests_pending (created_at>?)"}},
		"what ends next":              {endingSQL, []string{now, "50"}, []string{"requests_ending (ends_at>?)"}},
		"filed without a date":        {undatedSQL, []string{"50"}, []string{"requests_ending (ends_at=?)"}},
		"a server's requests":         {ofServerSQL, []string{"1", "10"}, []string{"requests_server (server_id=?)"}},
		"a standing request":          {ofRefSQL, []string{"r"}, []string{"(short_ref=?)"}},
		"what waits for an answer":    {waitingSQL, []string{"50"}, []string{"followed_waits (waits_since>?)"}},
		"requests by a name":          {namedSQL, []string{"db-1.", "db-1/", "10"}, []string{"requests_server_name (server_name>? AND server_name<?)"}},
		"what stays billed":           {staysSQL(2), []string{"r", "s"}, []string{"(request_id=?)"}},
		"a look for texts to send":    {d.lookSQL(updateWork), []string{now}, []string{"ticket_updates_due (due>? AND due<?)", "ticket_updates_due (due>?)"}},
		"a claim of texts":            {d.claimUpdatesSQL(), []string{now, "o", now, "4"}, []string{"ticket_updates_due (due>? AND due<?)"}},
		"a request's last reply":      {lastReplySQL, []string{"r"}, []string{"ticket_updates_request (request_id=?)"}},
		"what was proposed last":      {lastProposalSQL, []string{"r"}, []string{"ticket_updates_request (request_id=?"}},
		"the stop that stands":        {stopStandsSQL, []string{"r"}, []string{"ticket_updates"}},
		"requests found by time":      {found(inquiry.Filter{}), []string{now, "", "50"}, []string{"requests_created ((created_at,id)<(?,?)"}},
		"requests found by server":    {found(inquiry.Filter{Servers: []int64{1}}), []string{now, "", "100", "1"}, []string{"requests_server (server_id=?)"}},
		"requests found by person":    {found(inquiry.Filter{Requesters: []string{"T/U"}}), []string{now, "", "100", "T/U"}, []string{"requests_quota (requester=?)"}},
		"open requests found":         {found(inquiry.Filter{States: []cancellation.State{cancellation.Stuck}}), []string{now, "", "100", "stuck"}, []string{"requests_open (state=?)"}},
		"a request's news":            {newsOfSQL, []string{"r"}, []string{"news_request (request_id=?)"}},
		"a request's texts":           {textsOfSQL, []string{"r"}, []string{"ticket_updates_request (request_id=?)"}},
		"what is not sealed":          {seals.UnsealedSQL(d == postgresDialect), []string{"128"}, []string{"sqlite_autoindex_events_1 (position=?)", "PRIMARY KEY (request_id=?)"}},
		"a request's events":          {eventsSQL, []string{"r"}, []string{"(request_id=?)"}},
	}
}

// SQLite plans without statistics: an empty database shows what it does in a full one.
func TestSQLiteFindsWorkByIndex(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	for name, q := range questions(s.dialect) {
		t.Run(name, func(t *testing.T) {
			plan := strings.Join(sqlitePlan(t, s, q.text), "\n")
			for _, table := range []string{"requests", "notices", "events", "followed", "waits", "mailboxes", "news", "stays_billed", "ticket_updates"} {
				assert.NotRegexp(t, `SCAN `+table+`\b`, plan)
			}
			for _, found := range q.finds {
				assert.Contains(t, plan, found)
			}
		})
	}
}

func sqlitePlan(t *testing.T, s *Store, text string) []string {
	t.Helper()
	text = regexp.MustCompile(`\$\d`).ReplaceAllString(text, "1")
	rows, err := s.write.QueryContext(t.Context(), `explain query plan `+text)
	require.NoError(t, err)
	steps, err := collect(rows, func(from row) (step string, err error) {
		var id, parent, unused int
		return step, from.Scan(&id, &parent, &unused, &step)
	})
	require.NoError(t, err)
	return steps
}

// PostgreSQL plans by statistics, with the values or, after some uses of a statement, without.
func TestPostgreSQLFindsWorkByIndex(t *testing.T) {
	t.Parallel()
	s := open(t, Options{URL: postgrestest.Schema(t), Clock: newHands().time})
	fill(t, s, 10_000, 10_000)
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		for name, q := range questions(s.dialect) {
			t.Run(mode+"/"+name, func(t *testing.T) {
				plan := postgresPlan(t, s, mode, q)
				assert.NotContains(t, plan, "Seq Scan on requests")
				assert.NotContains(t, plan, "Seq Scan on notices")
				assert.NotContains(t, plan, "Seq Scan on events")
				for _, count := range regexp.MustCompile(`(?:actual rows=|Rows Removed by Filter: )(\d+)`).FindAllStringSubmatch(plan, -1) {
					read, err := strconv.Atoi(count[1])
					require.NoError(t, err)
					assert.Less(t, read, 100, plan)
				}
			})
		}
	}
}

// postgresPlan runs a statement, and undoes what it changed.
func postgresPlan(t *testing.T, s *Store, mode string, q question) string {
	t.Helper()
	tx, err := s.write.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	for _, text := range []string{`set local plan_cache_mode = ` + mode, `prepare asked as ` + q.text} {
		_, err := tx.ExecContext(t.Context(), text)
		require.NoError(t, err, text)
	}
	rows, err := tx.QueryContext(t.Context(), fmt.Sprintf(`explain (analyze, timing off) execute asked ('%s')`, strings.Join(q.values, `', '`)))
	require.NoError(t, err)
	lines, err := collect(rows, func(from row) (line string, err error) { return line, from.Scan(&line) })
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), `deallocate asked`)
	require.NoError(t, err)
	return strings.Join(lines, "\n")
}

func TestSQLiteParsesWhatRepeatsOnce(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	for name, q := range questions(s.dialect) {
		assert.True(t, prepared.Repeats(q.text), name)
	}
}
