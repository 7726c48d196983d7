package words

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/review"
	"cancel-server/internal/serverlist"
	"cancel-server/internal/slackui/slacktest"
)

// aBatch is a list of requests in these states, one server after the other.
func aBatch(states ...cancellation.State) (cancellation.Batch, []cancellation.Request) {
	b := cancellation.Batch{ID: "b1", Digest: "d1", Size: len(states)}
	var rows []cancellation.Request
	for i, state := range states {
		r := slacktest.Request(state)
		if state == cancellation.Pending {
			r = slacktest.Request(state, slacktest.WaitsForTwo)
		}
		r.ID, r.Batch, r.Row = fmt.Sprint("r", i), b.ID, i
		s := &r.Submission.Card.Server
		s.ID, s.Hostname = 1000+int64(i), fmt.Sprintf("web-%02d", i)
		s.FQDN = s.Hostname + ".example.com"
		if i%2 == 1 {
			s.Datacenter = "fra04"
		}
		rows = append(rows, r)
	}
	b.Lead = rows[0].ID
	return b, rows
}

func goldenBatches() map[string]Message {
	w := testWords()
	const pending, scheduled, filed = cancellation.Pending, cancellation.Scheduled, cancellation.Filed
	all := map[string]Message{}
	b, rows := aBatch(pending, pending, pending)
	all["waits"] = w.Batch(cancellation.BatchResult, b, rows)
	all["waits-card"] = w.Batch(cancellation.BatchCard, b, rows)
	all["waits-direct"] = w.Batch(cancellation.BatchDirect("U8"), b, rows)
	all["waits-requester"] = w.Batch(cancellation.BatchDirect(rows[0].Submission.By.ID), b, rows)
	all["waits-reminder"] = w.BatchReminder(rows)
	all["waits-response"] = w.Batch("", b, rows)

	b, rows = aBatch(pending, scheduled, scheduled)
	for i := range rows {
		if i != 0 {
			slacktest.ApprovedBy("U8")(&rows[i])
		}
	}
	all["approved-in-part"] = w.Batch(cancellation.BatchCard, b, rows)
	b, rows = aBatch(filed, pending, pending)
	for i := 1; i < len(rows); i++ {
		rows[i].Why = cancellation.Reason{Code: cancellation.WhyTooFew}
	}
	all["waits-again"] = w.Batch(cancellation.BatchResult, b, rows)

	b, rows = aBatch(filed, scheduled, scheduled, cancellation.Declined)
	rows[3].Why, rows[3].EndedBy = cancellation.Reason{Detail: "still in use"}, cancellation.Person{Team: "T1", ID: "U8", Name: "Raj"}
	for i := 1; i < 3; i++ {
		rows[i].Why = cancellation.Reason{Code: cancellation.WhyHourFull, Detail: "60"}
		rows[i].Due = time.Date(2026, 11, 22, 15, 0, i, 0, time.UTC)
	}
	all["under-way"] = w.Batch(cancellation.BatchResult, b, rows)
	b, rows = aBatch(filed, cancellation.Rejected, cancellation.Declined, cancellation.Withdrawn)
	rows[2].Why, rows[2].EndedBy = cancellation.Reason{Detail: "still in use"}, cancellation.Person{Team: "T1", ID: "U8", Name: "Raj"}
	all["over"] = w.Batch(cancellation.BatchResult, b, rows)
	all["over-told"] = w.BatchEnd(b, rows)
	b, rows = aBatch(filed, filed)
	all["all-filed"] = w.Batch(cancellation.BatchResult, b, rows)
	b, rows = aBatch(filed, cancellation.Reverted, cancellation.Reverted)
	all["some-closed"] = w.Batch(cancellation.BatchResult, b, rows)
	b, rows = aBatch(cancellation.Rejected, cancellation.Rejected)
	for i := range rows {
		rows[i].Why = cancellation.Reason{Code: cancellation.WhyPractice}
	}
	all["practised"] = w.Batch(cancellation.BatchResult, b, rows)
	all["list-kept"] = ListKept(37, "sealed")
	all["list-kept-unread"] = ListKept(0, "sealed")
	maps.Copy(all, goldenTogether())
	all["list-gone"] = w.ListGone()
	all["list-not-opened"] = ListNotOpened()
	all["ended-in-part"] = w.BatchClicked(cancellation.BatchClick{Kind: cancellation.ClickDone, Done: 3, Late: 1, Later: rows}, nil, "withdraw")
	all["ended-later"] = BatchEndedLater(cancellation.Ended{Done: 7})
	all["ended-later-unread"] = BatchEndedLater(cancellation.Ended{Done: 7, Left: 3, Why: errors.New("SoftLayer is away")})
	all["ended-later-filed"] = BatchEndedLater(cancellation.Ended{Left: 3})
	return all
}

func goldenBatchForms() map[string]View {
	states := make([]cancellation.State, 12)
	for i := range states {
		states[i] = cancellation.Pending
	}
	b, rows := aBatch(states...)
	return map[string]View{
		"batch-approve": testWords().BatchApproveForm(b, rows[:11], rows[11:]),
		"batch-decline": BatchDeclineForm(b, rows),
		"list":          ListForm(Form{Place: rows[0].Submission.Place, Note: "Name at least one server."}, [2]string{"web-01\nweb-02"}, "sealed"),
		"list-reading":  ListReading(31, 40, "sealed"),
		"list-still":    ListStillRead(31, 40, "sealed"),
		"list-stands":   ListStands(ListStopped, "sealed"),
		"review":        testWords().ReviewForm(aReview(rows), "sealed"),
		"review-many":   testWords().ReviewForm(tooManyTogether(aReview(rows)), "sealed"),
		"review-empty":  testWords().ReviewForm(Review{Form: Form{Place: rows[0].Submission.Place}}, "sealed"),
		"batch-waits":   BatchRecorded(b, rows, cancellation.Freeze{}),
	}
}

// aReview has a row for each reason why a server cannot be asked for, and servers that were named, that have a
// warning, and that a query found.
func aReview(rows []cancellation.Request) Review {
	list, err := serverlist.Parse("hostname\nweb-00, web-00, web-99, web-7\ntag:old")
	if err != nil {
		panic(err)
	}
	row := func(r cancellation.Request, why review.Why) review.Row {
		card := r.Submission.Card
		return review.Row{
			Named: serverlist.Row{State: serverlist.Found, Server: serverlist.Server{ID: card.Server.ID, FQDN: card.Server.FQDN}, Entry: serverlist.Entry{Text: card.Server.FQDN}},
			Why:   why, Verdict: cancellation.RowVerdict{Card: card},
		}
	}
	unclear := func(text string, state serverlist.State, near string, same ...int64) review.Row {
		return review.Row{Named: serverlist.Row{Entry: serverlist.Entry{Text: text}, State: state, Near: near, Same: same}, Why: review.Unclear}
	}
	ticket := row(rows[0], review.Blocked)
	ticket.Verdict.Card.Server.OpenTicket = &cancellation.TicketID{ID: 153572280}
	ticket.Verdict.Blockers = []cancellation.Blocker{cancellation.BlockedByTicket}
	denied := row(rows[1], review.NotAllowed)
	denied.Verdict.Decision = authz.Decision{Effect: authz.Refused, Rule: "no-prod", Reason: "Production stays."}
	held := row(rows[2], review.Held)
	held.Verdict.Held = &rows[2]
	warned := row(rows[4], "")
	warned.Verdict.Card.Server.Gateway, warned.Warnings = true, []string{cancellation.WarningGateway}
	kept := []review.Row{row(rows[3], ""), warned, row(rows[5], ""), row(rows[6], "")}
	found := serverlist.Resolved{
		Groups: []serverlist.Group{{Name: "old", Tagged: true, Servers: []serverlist.Server{{ID: 1005}, {ID: 1006}}}}, Shown: 2, Of: 63,
		Queries: []serverlist.Matches{{Query: list.Queries[0], Servers: 63}}, Untagged: true,
	}
	return Review{
		Form: Form{Account: rows[0].Submission.Card.Account, Place: rows[0].Submission.Place, Typed: Typed{Reason: "No longer needed", Content: "The rack is emptied."}},
		List: found, Notes: ListNotes(list, found), Rows: kept, Ticked: map[int64]bool{1003: true, 1005: true},
		Review: review.Review{
			Left: []review.Row{
				unclear("web-99", serverlist.NotFound, "web-09.example.com"), unclear("web-7", serverlist.Ambiguous, "", 7, 8),
				ticket, denied, held, row(rows[7], review.Namesake), row(rows[8], review.Nobody), row(rows[9], review.Unread),
			},
			Rest: kept[:2], Read: 12, Of: 12, Sum: "825.00", Known: 2, Digest: "d0d0", Ends: review.EndsOf([]cancellation.End{rows[3].End()}),
		},
	}
}

func TestWarningsOfAListAreReadWhole(t *testing.T) {
	t.Parallel()
	b, rows := aBatch(cancellation.Pending, cancellation.Pending)
	card := &rows[1].Submission.Card
	s := &card.Server
	s.ID, s.Gateway, s.GatewayName, s.PartnersKnown, s.Partners = 1234567, true, "gw-fra02-01", true, []string{"mail-018"}
	s.ProvisionDate = card.ReadAt.AddDate(0, 0, -1).Format(time.RFC3339)
	s.LastTransaction, s.LastTransactionAt = "OS Reload", s.ProvisionDate
	assert.Equal(t, "⚠ id 1234567 · fra04 · 412.50 USD a month · ends Tue 1 Dec 2026", cardFacts(*card, card.End()), "no fact of a row with a warning is cut off")

	asks := Review{}.boxes(WarnedBlock, "Tick:", []review.Row{{Verdict: cancellation.RowVerdict{Card: *card}}})
	approves := testWords().BatchApproveForm(b, rows, nil).Blocks.BlockSet
	for name, shown := range map[string][]slack.Block{"who asks": asks[:1], "who approves": approves[:1]} {
		text := textOf(t, View{Blocks: slack.Blocks{BlockSet: shown}})
		assert.NotContains(t, text, "web-00.example.com", name)
		for _, words := range []string{"web-01.example.com", "Member of gateway gw-fra02-01; its partner mail-018 stays.", "Ordered less than a week ago.", "Its last transaction was OS Reload"} {
			assert.Contains(t, text, words, "%s reads all before the box", name)
		}
	}
	assert.Contains(t, testWords().Batch(cancellation.BatchResult, b, rows).Text, "Confirmed with a warning: web-01.example.com (gateway member, recent transaction, recently provisioned).")
}

// tooManyTogether is a review whose servers a policy refuses, some because of how many are ticked and one because nobody
// may approve so many.
func tooManyTogether(v Review) Review {
	v.Ticked = map[int64]bool{}
	for i, row := range v.Rows {
		v.Ticked[row.Named.Server.ID] = true
		row.Why, row.Verdict.Decision = review.NotAllowed, authz.Decision{Effect: authz.Refused, Rule: "few", Reason: "two at once are enough"}
		if i == 0 {
			row.Why, row.Verdict.Nobody = review.Nobody, true
		}
		v.Together = append(v.Together, row)
	}
	v.Review.Rest, v.Review.Sum, v.Review.Ends = nil, "0", review.Ends{}
	return v
}

func TestReviewOfFiftyServersFitsSlack(t *testing.T) {
	t.Parallel()
	states := make([]cancellation.State, 50)
	for i := range states {
		states[i] = cancellation.Pending
	}
	_, rows := aBatch(states...)
	v := aReview(rows)
	v.Rows = nil
	for i, r := range rows {
		server := &r.Submission.Card.Server
		server.FQDN = strings.Repeat("x", 200) + fmt.Sprintf("-%02d.example.com", i)
		v.Rows = append(v.Rows, review.Row{Named: serverlist.Row{State: serverlist.Found, Server: serverlist.Server{ID: server.ID}}, Verdict: cancellation.RowVerdict{Card: r.Submission.Card}})
		v.Review.Left = append(v.Review.Left, review.Row{Named: serverlist.Row{Entry: serverlist.Entry{Text: strings.Repeat("é", 255)}, State: serverlist.NotFound, Near: server.FQDN}, Why: review.Unclear})
	}
	judge := slacktest.NewJudge(t)
	_, err := judge.Open(testWords().ReviewForm(v, "sealed"))
	require.NoError(t, err, "Slack takes a review of 50 with as many that are left out")
}

func TestBatchMessageNamesServersOrCountsTheRest(t *testing.T) {
	t.Parallel()
	states := make([]cancellation.State, 50)
	for i := range states {
		states[i] = cancellation.Pending
	}
	b, rows := aBatch(states...)
	for i := range rows {
		rows[i].Submission.Card.Server.FQDN = strings.Repeat("x", 60) + fmt.Sprintf("-%02d.example.com", i)
	}
	text := slacktest.TextIn(t, testWords().Batch(cancellation.BatchCard, b, rows).Blocks)
	named := strings.Count(text, ".example.com")
	assert.Positive(t, named)
	assert.Contains(t, text, fmt.Sprintf("and %d more", 50-named), "no server is left out in silence")
	assert.Contains(t, text, "Approve 50 cancellations?")
}

func TestBatchSaysWhyServersWereNotFiled(t *testing.T) {
	t.Parallel()
	const declined, expired, denied = cancellation.Declined, cancellation.Expired, cancellation.Denied
	b, rows := aBatch(cancellation.Filed, declined, declined, declined, expired, denied, cancellation.Withdrawn, cancellation.Rejected)
	for i, why := range map[int]string{1: "still in use", 2: "still in use", 3: "ask 10.1.2.3"} {
		rows[i].Why, rows[i].EndedBy = cancellation.Reason{Detail: why}, cancellation.Person{Team: "T1", ID: "U2", Name: "Raj"}
	}
	rows[6].Why, rows[6].EndedBy = cancellation.Reason{Code: cancellation.WhyTakenOver}, cancellation.Person{Team: "T1", ID: "U3", Name: "Kim"}
	rows[7].Why = cancellation.Reason{Code: cancellation.WhyNotFound}
	w := testWords()
	for _, m := range []Message{w.Batch(cancellation.BatchResult, b, rows), w.BatchEnd(b, rows)} {
		assert.Contains(t, m.Text, ": “still in use”: web-01.example.com, web-02.example.com.", "one line for one reason")
		assert.Contains(t, m.Text, "“ask (address)”: web-03.example.com.")
		assert.Contains(t, m.Text, "Too few people approved in time: web-04.example.com.")
		assert.Contains(t, m.Text, "Not allowed: "+strings.TrimSuffix(w.deniedWhy(rows[5]), ".")+": web-05.example.com.")
		assert.Contains(t, m.Text, "Taken over by")
		assert.Contains(t, m.Text, "this key may not see it: web-07.example.com.")
	}
}

func TestReasonsOfABatchAreBounded(t *testing.T) {
	t.Parallel()
	b, rows := aBatch(slices.Repeat([]cancellation.State{cancellation.Declined}, 50)...)
	for i := range rows {
		rows[i].Why.Detail = strings.Repeat("é", 3000) + fmt.Sprint(i)
		if i >= 12 {
			rows[i].Why.Detail = "the same"
		}
	}
	long := slacktest.TextIn(t, testWords().BatchEnd(b, rows).Blocks)
	assert.Less(t, len([]rune(long)), maxOutcomes*(maxOutcomeWhy+maxOutcomeNames+50))
	for i := range rows {
		rows[i].Why.Detail = fmt.Sprint(i)
	}
	text := slacktest.TextIn(t, testWords().BatchEnd(b, rows).Blocks)
	assert.Equal(t, maxOutcomes, strings.Count(text, "Declined by"))
	assert.Contains(t, text, "And 40 more.")
}

func TestClosedTicketIsNoSuccess(t *testing.T) {
	t.Parallel()
	b, rows := aBatch(cancellation.Filed, cancellation.Reverted, cancellation.Scheduled)
	assert.Contains(t, testWords().Batch(cancellation.BatchResult, b, rows).Text, "1 filed · 1 not cancelled · 1 waiting to be filed")
	b, rows = aBatch(cancellation.Filed, cancellation.Reverted)
	over := testWords().Batch(cancellation.BatchResult, b, rows).Text
	assert.NotContains(t, over, "✅")
	assert.Contains(t, over, "Cancellation requested for 1 of 2 servers. 1 not cancelled: SoftLayer closed the ticket.")
}

func TestPracticeSaysWhatWouldHaveBeenFiled(t *testing.T) {
	t.Parallel()
	b, rows := aBatch(cancellation.Rejected, cancellation.Rejected, cancellation.Declined)
	for i := range 2 {
		rows[i].Why = cancellation.Reason{Code: cancellation.WhyPractice}
	}
	assert.Contains(t, testWords().BatchEnd(b, rows).Text, "PRACTICE: 2 servers would have been filed now. Nothing was sent. 1 not filed.")
}

func TestApprovalOfAListShowsEachServer(t *testing.T) {
	t.Parallel()
	states := make([]cancellation.State, 50)
	for i := range states {
		states[i] = cancellation.Pending
	}
	b, rows := aBatch(states...)
	judge := slacktest.NewJudge(t)
	view := testWords().BatchApproveForm(b, rows, nil)
	_, err := judge.Open(view)
	require.NoError(t, err, "Slack takes a list of 50")
	text := slacktest.TextIn(t, view)
	for _, r := range rows {
		assert.Contains(t, text, r.Submission.Card.Server.FQDN)
	}
	assert.Equal(t, "Approve 50", view.Submit.Text)
}

func TestEndOfAListSaysWhatGoesOn(t *testing.T) {
	t.Parallel()
	b, rows := aBatch(cancellation.Filed, cancellation.Filing, cancellation.Declined, cancellation.Withdrawn)
	c := cancellation.BatchClick{Kind: cancellation.ClickDone, Batch: b, Requests: rows, Done: 1}
	for _, verb := range []string{"decline", "withdraw"} {
		assert.Contains(t, testWords().BatchClicked(c, nil, verb).Text, "2 of 4 cannot be stopped here any more", verb)
	}
	assert.True(t, testWords().BatchClicked(c, nil, "approve").Empty(), "an approval stops nothing")
	c.Requests = rows[2:]
	assert.True(t, testWords().BatchClicked(c, nil, "decline").Empty(), "all are stopped")
}

func TestListSaysThatApprovalsNoLongerCount(t *testing.T) {
	t.Parallel()
	b, rows := aBatch(cancellation.Filed, cancellation.Pending, cancellation.Pending)
	const again = "some approvals no longer count"
	assert.NotContains(t, slacktest.TextIn(t, testWords().Batch(cancellation.BatchResult, b, rows).Blocks), again)
	rows[2].Why = cancellation.Reason{Code: cancellation.WhyTooFew}
	said := slacktest.TextIn(t, testWords().Batch(cancellation.BatchResult, b, rows).Blocks)
	assert.Contains(t, said, "1 waits again: some approvals no longer count, or more are needed.")
}

func TestReviewSaysThatServersAreStillBeingRead(t *testing.T) {
	t.Parallel()
	found := serverlist.Resolved{Unlisted: true, Queries: []serverlist.Matches{{Query: serverlist.Query{Word: serverlist.DC, Name: "fra02"}}}}
	assert.Equal(t, []string{
		"⚠ The account's servers are still being read, so nothing was looked up by tag, data center or pod, or by what closes. Edit the list in a minute to look again.",
	}, ListNotes(serverlist.List{}, found))
}

func TestReviewSaysWhichPodsShareARouter(t *testing.T) {
	t.Parallel()
	shared := []serverlist.Sharing{{Pod: "dal09.pod01", Others: []string{"dal09.pod02"}}}
	notes := ListNotes(serverlist.List{}, serverlist.Resolved{Queries: []serverlist.Matches{
		{Query: serverlist.Query{Word: serverlist.Closing}, Servers: 3, Shared: shared},
		{Query: serverlist.Query{Word: serverlist.Pod, Name: "dal09.pod02"}, Unsure: 3, Shared: shared},
	}})
	assert.Equal(t, []string{
		"closing: finds 3 servers that you may ask for.",
		"⚠ dal09.pod01 shares a router with dal09.pod02: some of these servers may stand there.",
		"pod:dal09.pod02 finds 0 servers that you may ask for.",
		"⚠ For 3 servers nobody can tell whether pod:dal09.pod02 finds them: their pod cannot be told.",
		"⚠ dal09.pod01 shares a router with dal09.pod02: some of these servers may stand there. pod:dal09.pod01 lists them.",
	}, notes)
}

func TestListSaysWhichServersAQueryShows(t *testing.T) {
	t.Parallel()
	for order, says := range map[serverlist.Order]string{
		serverlist.ByEnd:     "Showing 50 of 63: those that are due to end first. Name others to look at them.",
		serverlist.ByName:    "Showing 50 of 63: the first by name. End dates are read for 500 at most. Name others to look at them.",
		serverlist.EndUnread: "Showing 50 of 63: the first by name. Their end dates could not be read. Name others to look at them.",
	} {
		notes := ListNotes(serverlist.List{}, serverlist.Resolved{Shown: 50, Of: 63, Order: order, Undecided: 51})
		assert.Equal(t, []string{"⚠ For some servers nobody can tell yet whether you may ask for them. They are left out: edit the list in a minute to look again.", says}, notes)
	}
}

func TestOneServerIsNotSpokenOfAsSeveral(t *testing.T) {
	t.Parallel()
	one := serverlist.Matches{Query: serverlist.Query{Word: serverlist.Pod, Name: "dal09.pod03"}, Servers: 1, Held: 1, Unsure: 1}
	notes := strings.Join(queryNotes(serverlist.Resolved{Queries: []serverlist.Matches{one}}), "\n")
	assert.Contains(t, notes, "1 of them is asked for already")
	assert.Contains(t, notes, "For 1 server nobody can tell whether pod:dal09.pod03 finds it: its pod cannot be told.")
	b, rows := aBatch(cancellation.Pending)
	said := textOf(t, BatchRecorded(b, rows, cancellation.Freeze{}))
	assert.Contains(t, said, "1 waits for approval. Nothing is filed for it. You can withdraw it until it is filed.")
	_, rows = aBatch(cancellation.Scheduled)
	assert.Contains(t, textOf(t, BatchRecorded(b, rows, cancellation.Freeze{})), "1 will be filed.")
	assert.Contains(t, BatchEndedLater(cancellation.Ended{Left: 1}).Text, "1 server stays as it is: it is filed")
}

func TestFullDayIsSaidWithItsEnd(t *testing.T) {
	t.Parallel()
	list, err := serverlist.Parse("db-042", "")
	require.NoError(t, err)
	query, err := serverlist.Parse("tag:old", "")
	require.NoError(t, err)
	for _, said := range []string{FewerLeft(0), ListProblem(list, nil, 50, 0), ListProblem(query, nil, 50, 0)} {
		assert.Equal(t, DayFull, said)
	}
	assert.Equal(t, "You can ask for 3 more today. Leave some out.", FewerLeft(3))
	assert.Contains(t, flat(testWords().chosenLines(Review{})...), "Nothing on this list can be asked for now.")
}
