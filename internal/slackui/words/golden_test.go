package words

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

var rewrite = flag.Bool("update", false, "write the golden files again")

// screens is every view and message by the golden file and the name that it has there. Messages are as
// they are sent: their text and blocks.
func screens(t *testing.T) map[string]map[string]any {
	t.Helper()
	w := testWords()
	all := map[string]map[string]any{"messages": {}, "approvals": {}, "answers": {}, "form": {}, "clicks": {}, "bulletins": {}, "letters": {}, "home": {}}
	for name, r := range goldenMessages() {
		all["messages"][name] = sent(w.Live(cancellation.Result, r))
	}
	for state, r := range goldenAlarms() {
		all["messages"]["alarm-"+string(state)] = sent(w.Alarm(r))
	}
	for name, problems := range goldenProblems() {
		all["messages"][name] = sent(w.PolicyRefused(problems))
	}
	all["messages"]["policy-mended"] = sent(w.PolicyMended())
	for name, problems := range goldenFindings() {
		all["messages"][name] = sent(w.ChecksFound(problems))
	}
	for name, m := range goldenApprovals() {
		all["approvals"][name] = sent(m)
	}
	for name, m := range goldenLines() {
		all["messages"]["line-"+name] = sent(m)
	}
	all["batches"] = map[string]any{}
	for name, m := range goldenBatches() {
		all["batches"][name] = sent(m)
	}
	for name, view := range goldenBatchForms() {
		all["batches"][name] = view
	}
	for name, m := range goldenBulletins() {
		all["bulletins"][name] = sent(m)
	}
	all["news"] = map[string]any{}
	for name, m := range goldenNews() {
		all["news"][name] = sent(m)
	}
	for name, m := range goldenLeft() {
		all["messages"][name] = sent(m)
	}
	for name, stays := range goldenStays() {
		all["messages"]["filed-"+name] = sent(w.Live(cancellation.Result, slacktest.Request(cancellation.Filed, withStays(stays))))
	}
	all["approvals"]["card-stays"] = sent(w.Live(cancellation.ApprovalCard, slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, withStays(goldenStays()["stays"]))))
	for name, m := range goldenAnswers() {
		all["answers"][name] = ephemeralBody(t, m)
	}
	for name, m := range goldenLetters() {
		all["letters"][name] = sent(m)
	}
	for name, view := range goldenLetterForms() {
		all["letters"][name] = view
	}
	for name, m := range goldenReplies() {
		all["letters"][name] = sent(m)
	}
	for name, view := range goldenReplyForms() {
		all["letters"][name] = view
	}
	for name, view := range goldenForms() {
		all["form"][name] = view
	}
	for name, view := range goldenHomes() {
		all["home"][name] = view
	}
	for name, m := range goldenLists() {
		all["home"]["list-"+name] = sent(m)
	}
	for name, view := range goldenViewsOfAnswers() {
		all["clicks"][name] = view
	}
	for name, view := range goldenClicks() {
		all["clicks"][name] = view
	}
	all["practice"] = goldenPractice()
	return all
}

// complete is the screens that have a golden file of their own too, with everything that is sent.
var complete = []string{"form.card-items", "approvals.card", "messages.filed"}

func sent(m Message) map[string]any { return map[string]any{"text": m.Text, "blocks": m.Blocks} }

// TestEveryScreenMatchesItsGoldenFile fails for a golden that no test makes as well.
func TestEveryScreenMatchesItsGoldenFile(t *testing.T) {
	t.Parallel()
	all, made := screens(t), make(map[string]string)
	for archive, sent := range all {
		made[archive+".txtar"] = asText(t, sent)
	}
	for _, name := range complete {
		archive, screen, _ := strings.Cut(name, ".")
		made[name+".json"] = asJSON(t, all[archive][screen])
	}
	if *rewrite {
		for name, text := range made {
			require.NoError(t, os.WriteFile(filepath.Join("testdata", name), []byte(text), 0o644))
		}
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(made)), filesIn(t, "testdata"), "testdata has what this test makes and nothing else")
	for name, text := range made {
		want, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err, "make golden writes it")
		assertSameScreens(t, name, string(want), text)
	}
}

// assertSameScreens shows each screen that differs, and the whole file only if none does.
func assertSameScreens(t *testing.T, file, want, got string) {
	t.Helper()
	wanted, same := make(map[string]string), true
	for _, f := range txtar.Parse([]byte(want)).Files {
		wanted[f.Name] = string(f.Data)
	}
	for _, f := range txtar.Parse([]byte(got)).Files {
		same = assert.Equal(t, wanted[f.Name], string(f.Data), "%s in %s; make golden accepts it", f.Name, file) && same
		delete(wanted, f.Name)
	}
	if assert.Empty(t, wanted, "%s: no test makes these", file) && same {
		assert.Equal(t, want, got, "%s; make golden accepts it", file)
	}
}

// asText is screens as their golden file has them.
func asText(t *testing.T, sent map[string]any) string {
	t.Helper()
	archive := txtar.Archive{Comment: []byte(legend)}
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		text, err := render(sent[name])
		require.NoError(t, err, "%s: the renderer knows all of it", name)
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(text + "\n")})
	}
	return strings.TrimSuffix(string(txtar.Format(&archive)), "\n")
}

func asJSON(t *testing.T, sent any) string {
	t.Helper()
	var got bytes.Buffer
	lines := json.NewEncoder(&got)
	lines.SetEscapeHTML(false)
	lines.SetIndent("", "  ")
	require.NoError(t, lines.Encode(sent))
	return got.String()
}

func filesIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, entry := range entries {
		if !entry.IsDir() { // the kept corpora of fuzz targets
			names = append(names, entry.Name())
		}
	}
	return names
}

// goldenMessages is every root message.
func goldenMessages() map[string]cancellation.Request {
	return map[string]cancellation.Request{
		"scheduled":     slacktest.Request(cancellation.Scheduled),
		"scheduled-why": slacktest.Request(cancellation.Scheduled, slacktest.Because(cancellation.WhyWaiting, "Rate limit of 50 requests for every 1 second(s) exceeded.")),
		"scheduled-unsent": slacktest.Request(cancellation.Scheduled, slacktest.Because(cancellation.WhyWaiting,
			"calling SoftLayer_Ticket/createCancelServerTicket: nothing was sent: lookup api.softlayer.com on 10.3.4.5:53: dial tcp [2001:db8::7]:443: refused by 169.50.1.2 in Class::call at 12:00:07.")),
		"scheduled-frozen":    slacktest.Request(cancellation.Scheduled, slacktest.HeldBy("T1/U8", "an outage at 10.3.4.5")),
		"scheduled-operators": slacktest.Request(cancellation.Scheduled, slacktest.HeldBy("operator:root", "an outage")),
		"filed-unseen":        slacktest.Request(cancellation.Filed, slacktest.Because(cancellation.WhyUnseen, ""), func(r *cancellation.Request) { r.Why.By = "operator:root" }, func(r *cancellation.Request) { r.Since = slacktest.Noon }),
		"sent-again":          slacktest.Request(cancellation.Scheduled, func(r *cancellation.Request) { r.LostPosts = 1 }),
		"filing":              slacktest.Request(cancellation.Filing),
		"filed":               slacktest.Request(cancellation.Filed),
		"filed-settled":       slacktest.Request(cancellation.Filed, func(r *cancellation.Request) { r.UpdatedAt = slacktest.Noon.Add(7 * 24 * time.Hour) }),
		"filed-late":          slacktest.Request(cancellation.Filed, func(r *cancellation.Request) { r.SentAt = slacktest.Noon.Add(7 * 24 * time.Hour) }),
		"filed-unsure":        slacktest.Request(cancellation.Filed, func(r *cancellation.Request) { r.SentAt = time.Time{} }),
		"filed-hourly":        slacktest.Request(cancellation.Filed, hourly),
		"filed-associated":    slacktest.Request(cancellation.Filed, func(r *cancellation.Request) { r.Submission.Associated = true }),
		"filed-unread-cutoff": slacktest.Request(cancellation.Filed, func(r *cancellation.Request) {
			r.Submission.Card.Cutoff, r.Ticket.Number = "", "153572280"
		}),
		"filed-unseen-billing": slacktest.Request(cancellation.Filed, func(r *cancellation.Request) {
			r.Submission.Card.Server.Billing = &cancellation.Billing{ID: 77}
		}),
		"duplicate":          slacktest.Request(cancellation.Duplicate),
		"denied":             slacktest.Request(cancellation.Denied, slacktest.ByRule("prod-data-team", "servers tagged prod are cancelled by the data team only.")),
		"pending":            slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo),
		"pending-approved":   slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, slacktest.ApprovedBy("U8")),
		"pending-dear":       slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, func(r *cancellation.Request) { r.ExpiresAt = slacktest.Noon.Add(30 * 24 * time.Hour) }),
		"pending-unseen":     slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, func(r *cancellation.Request) { r.Submission.Card.Server.Billing = &cancellation.Billing{ID: 77} }),
		"scheduled-approved": slacktest.Request(cancellation.Scheduled, slacktest.ApprovedBy("U8")),
		"scheduled-undo":     slacktest.Request(cancellation.Scheduled, slacktest.ApprovedBy("U8"), func(r *cancellation.Request) { r.UndoUntil = slacktest.Noon.Add(10 * time.Minute) }),
		"filed-approved":     slacktest.Request(cancellation.Filed, slacktest.ApprovedBy("U8", "U9")),
		"declined":           slacktest.Request(cancellation.Declined, slacktest.Because("", "we still need 10.3.4.5"), slacktest.EndedBy("U8")),
		"expired":            slacktest.Request(cancellation.Expired),
		"withdrawn-person":   slacktest.Request(cancellation.Withdrawn, slacktest.EndedBy("U7")),
		"rejected-key":       slacktest.Request(cancellation.Rejected, slacktest.Because("", "You do not have permission to this service.")),
		"rejected":           slacktest.Request(cancellation.Rejected, slacktest.Because("", "Cancellation reason must be provided.")),
		"rejected-changed":   slacktest.Request(cancellation.Rejected, slacktest.Because(cancellation.WhyChanged, "name, tags")),
		"rejected-blocked":   slacktest.Request(cancellation.Rejected, slacktest.Because(cancellation.WhyBlocked, "transaction, pending-cancellation")),
		"rejected-warned":    slacktest.Request(cancellation.Rejected, slacktest.Because(cancellation.WhyWarned, "gateway-member, recent-transaction")),
		"rejected-notfound":  slacktest.Request(cancellation.Rejected, slacktest.Because(cancellation.WhyNotFound, "")),
		"unknown":            slacktest.Request(cancellation.Unknown),
		"unknown-no-key":     slacktest.Request(cancellation.Unknown, slacktest.Because(cancellation.WhyKeyRefused, "")),
		"stuck-unclear":      slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyTicketsHidden, ""), slacktest.Lost(1)),
		"stuck-restarted":    slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyTicketsHidden, "")),
		"stuck-lost":         slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyTwoLost, "2")),
		"stuck-hidden":       slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyTicketHidden, "153572280")),
		"stuck-closed":       slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyClosedBlocks, "153572280")),
		"stuck-checked":      slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyChanged, "name")),
		"stuck-poison":       slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyPoison, "index out of range")),
		"withdrawn":          slacktest.Request(cancellation.Withdrawn, slacktest.Because("", "looked twice")),
		"reverted":           slacktest.Request(cancellation.Reverted, today, slacktest.Because(cancellation.WhyTicketClosed, "153572280")),
		"reclaimed":          slacktest.Request(cancellation.Reclaimed, today, slacktest.Because(cancellation.WhyServerGone, "")),
		"billing-ended":      slacktest.Request(cancellation.Reclaimed, today, slacktest.Because(cancellation.WhyItemEnded, "2026-12-01T00:00:00-06:00")),
	}
}

// today is when a request came to its state.
func today(r *cancellation.Request) { r.Since = slacktest.Noon }

// goldenLines is what the thread of a filed request is told.
func goldenLines() map[string]Message {
	filed := slacktest.Request(cancellation.Filed)
	gone := slacktest.Request(cancellation.Reclaimed, today, slacktest.Because(cancellation.WhyServerGone, ""))
	not := slacktest.Request(cancellation.Reverted, today, slacktest.Because(cancellation.WhyTicketClosed, "153572280"))
	later := cancellation.Line{What: cancellation.LineMoved, Was: "2026-12-01T00:00:00-06:00", Now: "2027-01-01T00:00:00-06:00"}
	sooner := cancellation.Line{What: cancellation.LineMoved, Was: later.Now, Now: later.Was}
	said := testWords().Said
	return map[string]Message{
		"staff": said(cancellation.Line{What: cancellation.LineStaff, Update: 17}, filed), "unclear": said(cancellation.Line{What: cancellation.LineUnclear}, filed),
		"waits": said(cancellation.Line{What: cancellation.LineWaits, Update: 17}, filed),
		"later": said(later, filed), "sooner": said(sooner, filed),
		"gone": said(cancellation.Line{What: cancellation.LineEnded}, gone), "not-cancelled": said(cancellation.Line{What: cancellation.LineEnded}, not),
	}
}

// goldenNews is letters, and what more people are told.
func goldenNews() map[string]Message {
	w := testWords()
	me := slacktest.Request(cancellation.Filed).Submission.By.ID
	filed := slacktest.Request(cancellation.Filed)
	gone := slacktest.Request(cancellation.Reclaimed, today, slacktest.Because(cancellation.WhyServerGone, ""))
	not := slacktest.Request(cancellation.Reverted, today, slacktest.Because(cancellation.WhyTicketClosed, "153572280"))
	moved := cancellation.Line{What: cancellation.LineMoved, Was: "2026-12-01T00:00:00-06:00", Now: "2027-01-01T00:00:00-06:00"}
	item := func(kind cancellation.NewsKind, r cancellation.Request) cancellation.Item {
		return cancellation.Item{News: cancellation.News{To: me, Kind: kind, Detail: moved.Detail()}, Request: r}
	}
	times := func(n int, kind cancellation.NewsKind, r cancellation.Request) (all []cancellation.Item) {
		for i := range n {
			r.Submission.Card.Server.FQDN = fmt.Sprintf("web-%02d.example.com", i+1)
			all = append(all, item(kind, r))
		}
		return all
	}
	left := item(cancellation.NewsBilled, gone)
	left.Detail = goldenStays()["stays"].Detail()
	each := []cancellation.Item{
		item(cancellation.NewsEnded, gone), item(cancellation.NewsEnds, filed), item(cancellation.NewsStill, filed), item(cancellation.NewsMoved, filed),
		item(cancellation.NewsStaff, filed), item(cancellation.NewsUnclear, filed), left,
	}
	var full []cancellation.Item // five of each kind
	for _, i := range each {
		full = append(full, times(5, i.Kind, i.Request)...)
	}
	var none cancellation.Posted
	stuck := slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyTwoLost, "2"))
	at := cancellation.Posted{Channel: "C1", TS: "1763812800.000100"}
	resolving := w
	resolving.Workspace, resolving.CasesURL, resolving.PeopleResolve = "https://acme.slack.com/", "https://cloud.ibm.com/unifiedsupport/cases", func() bool { return true }
	many := slices.Concat(times(40, cancellation.NewsEnded, gone), times(6, cancellation.NewsEnds, filed), times(7, cancellation.NewsMoved, filed))
	return map[string]Message{
		"not-cancelled":             w.Letter(me, []cancellation.Item{item(cancellation.NewsNotCancelled, not)}, true),
		"not-cancelled-to-approver": w.Letter("U8", []cancellation.Item{item(cancellation.NewsNotCancelled, not)}, true),
		"stopped":                   w.Letter(me, []cancellation.Item{item(cancellation.NewsStopped, stopped(not))}, false),
		"waits":                     w.Letter(me, []cancellation.Item{item(cancellation.NewsWaits, filed)}, true),
		"waits-quoted":              w.Letter(me, []cancellation.Item{{News: cancellation.News{To: me, Kind: cancellation.NewsWaits, Detail: "17"}, Request: filed, Said: "“Which contract? <!channel>”"}}, true),
		"waits-to-approver":         w.Letter("U8", []cancellation.Item{item(cancellation.NewsWaits, filed)}, true),
		"still-waits":               w.Letter(me, []cancellation.Item{{News: cancellation.News{To: me, Kind: cancellation.NewsStillWaits, Detail: "17|2026-11-24T10:00:00Z|0"}, Request: filed}}, false),
		"escalated-unanswered":      w.Escalated(cancellation.News{To: me, Kind: cancellation.NewsUnanswered, Detail: "17|2026-11-24T10:00:00Z|1"}, filed, none),
		"at-once-about-ten":         w.Letter(me, times(10, cancellation.NewsNotCancelled, not), true),
		"digest-of-each-kind":       w.Letter(me, each, false),
		"digest-to-somebody-else":   w.Letter("U8", each[:1], false),
		"digest-of-many":            w.Letter(me, many, false),
		"digest-of-five-of-each":    w.Letter(me, full, false),
		"escalated-not-cancelled":   w.Escalated(cancellation.News{To: me, Kind: cancellation.NewsNotCancelled}, not, none),
		"escalated-waits":           w.Escalated(cancellation.News{To: me, Kind: cancellation.NewsWaits}, filed, none),
		"escalated-stuck":           resolving.Escalated(cancellation.News{Kind: cancellation.NewsStuck}, stuck, at),
		"escalated-stuck-to-some":   w.Escalated(cancellation.News{Kind: cancellation.NewsStuck}, stuck, at),
		"stuck-to-approver":         resolving.Letter("U8", []cancellation.Item{{News: cancellation.News{To: "U8", Kind: cancellation.NewsStuck}, Request: stuck, At: at}}, true),
		"ordered-freeze":            resolving.Ordered(orderedIn("C1", "ops", true, "T1/U8"), none),
		"ordered-by-operator":       w.Ordered(orderedIn("", "", true, "operator:root"), none),
		"ordered-by-the-bot":        w.Ordered(orderedIn("", "", true, cancellation.RestoreActor), none),
		"ordered-unfreeze":          resolving.Ordered(orderedIn("C2", "privategroup", false, "T1/U8"), at),
		"ordered-in-direct-message": w.Ordered(orderedIn("D2", "directmessage", false, "T1/U8"), at),
		"line-ends":                 w.Said(cancellation.Line{What: cancellation.LineEnds}, filed),
		"line-still":                w.Said(cancellation.Line{What: cancellation.LineStill, Update: 2}, filed),
		"line-taken":                w.Said(cancellation.Line{What: cancellation.LineTaken, Was: "U8", Now: "2026-12-20T12:00:00Z"}, filed),
	}
}

// orderedIn is an order about filing that was given in a channel.
func orderedIn(channel, name string, frozen bool, by string) cancellation.Freeze {
	return cancellation.Freeze{
		Frozen: frozen, Actor: by, Why: "an outage <!channel>, see 10.3.4.5", At: slacktest.Noon, Number: 4,
		Place: cancellation.Place{Channel: channel, ChannelName: name},
	}
}

// goldenApprovals is the other forms of a request that waits, and its reminder.
func goldenApprovals() map[string]Message {
	r := slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo)
	asked := slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo)
	asked.Decision.Asked = []authz.AskedGroup{{ID: "S0LEADS", Ping: true}, {ID: "S0NET"}, {ID: "S0NEW"}, {ID: "S04"}, {ID: "S05"}, {ID: "S06"}, {ID: "S07"}}
	return map[string]Message{
		"card":     testWords().Live(cancellation.ApprovalCard, r),
		"groups":   testWords().Live(cancellation.ApprovalCard, asked),
		"unpinged": testWords().Result(asked),
		"card-dm":  testWords().Live(cancellation.Direct("U8"), r),
		"untold":   testWords().Live(cancellation.Direct(r.Submission.By.ID), r),
		"reminder": testWords().Reminder(r),
	}
}

func TestWhereApproversAreAskedTheCardAsksThem(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	for name, m := range goldenApprovals() {
		require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes %s", name)
	}
}

func TestNoAddressThatPeopleTypeReachesAChannel(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{
		"10.3.4.5", "was ip:10.3.4.5", "10.3.4.5_old", "v10.3.4.5", "db.10.3.4.5", "10.3.4.5.example.com", "10.3.4.5:ssh", "10.3.4.5:22",
		"010.003.004.005", "http://10.3.4.5/", "(10.3.4.5)", "10.3.4.5/24", "10.3.4.5-10.3.4.5", "10.\u200b3.4.5", "::ffff:10.3.4.5", "64:ff9b::10.3.4.5",
		"2001:db8::7", "see 2001:db8::7.", "2001:db8::7: refused", "ip:2001:db8::7", "2001:db8::7_old", "[2001:db8::7]:443", "2001:db8::/32",
		"2001:db8::7/64", "2001:db8::7%eth0", "2001:DB8:0:0:0:0:0:7", "2001:db8:0:0:0:0:0:7:443", "::1", "fe80::abcd",
	} {
		said := public("we need " + typed + " still")
		assert.NotRegexp(t, `[0-9]\.[0-9]|(?i)db8|::1|fe80|ff9b`, said, typed)
		assert.Contains(t, said, "(address)", typed)
		assert.Regexp(t, `^we need .* still$`, said, typed)
	}
	for _, typed := range []string{
		"1.2.3", "v1.26.8", "go1.26", "26.11.2026", "at 12:00:07.", "00:1a:2b:3c:4d:5e", "Class::call", "SoftLayer_Ticket::getObject", "std::add", "Face::Bad",
		"db-042.stg.example.com:443", "net::ERR_1", "a: b", "1,2,3,4", "100.50 USD", "10:30", "::",
	} {
		assert.Equal(t, typed, public(typed))
	}
	assert.Equal(t, "(address): refused by (address).", public("10.3.4.5: refused by 2001:db8::7."))
}

func hourly(r *cancellation.Request) {
	s := &r.Submission.Card.Server
	s.Hourly, s.Billing.HourlyFee, s.Billing.MonthlyTotal = true, "0.565", "101.13"
}

func TestSlackTakesEveryMessageWithoutAnAddress(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	messages := goldenMessages()
	for _, name := range slices.Sorted(maps.Keys(messages)) {
		m := testWords().Live(cancellation.Result, messages[name])
		require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes %s", name)
		blocks, err := json.Marshal(m.Blocks)
		require.NoError(t, err)
		for _, said := range []string{m.Text, string(blocks)} {
			assert.NotContains(t, said, "10.3.4.5", "%s: no address in a channel", name)
			assert.NotContains(t, said, "169.50.1.2", "%s: no address in a channel", name)
			assert.NotContains(t, said, "2001:db8::7", "%s: no address in a channel", name)
			assert.Contains(t, said, "7F3K-2QXD", name)
			assert.Contains(t, said, "db-042.stg.example.com", name)
		}
		assert.NotContains(t, m.Text, "\n", "%s: the text is one line", name)
	}
}

// goldenAlarms is a request in every state that operators are called for.
func goldenAlarms() map[cancellation.State]cancellation.Request {
	alarms := make(map[cancellation.State]cancellation.Request)
	for _, state := range []cancellation.State{cancellation.Filing, cancellation.Unknown, cancellation.Stuck, cancellation.Filed} {
		alarms[state] = slacktest.Request(state, slacktest.Because(cancellation.WhyUnclear, "ticket 9 cannot be read"), slacktest.Lost(1))
	}
	return alarms
}

func TestSlackTakesEveryAlarm(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	for _, r := range goldenAlarms() {
		m := testWords().Alarm(r)
		require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes it")
		assert.Contains(t, m.Text, "7F3K-2QXD")
	}
}

// goldenProblems is the problems of refused policies.
func goldenProblems() map[string][]string {
	problem := func(i int) string { return fmt.Sprintf("POLICY_FILE: policy.cedar:%d:1: <!channel> & *unknown*", i) }
	return map[string][]string{
		"policy-refused":      {problem(1)},
		"policy-refused-long": {problem(1), problem(2), problem(3) + strings.Repeat("x", 1000), problem(4), problem(5), problem(6), problem(7)},
	}
}

// goldenFindings is what checks found.
func goldenFindings() map[string][]string {
	const found = "NOTIFY_CHANNEL: the bot is not in #<!channel> & *x*. Invite the bot to #<!channel> with /invite @cancel-server."
	return map[string][]string{"checks-found-one": {found}, "checks-found": {found, "b", "c"}, "checks-over": nil}
}

func TestWhatChecksFoundMentionsNobody(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	for _, problems := range goldenFindings() {
		m := testWords().ChecksFound(problems)
		require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes it")
		assert.NotContains(t, m.Text, "<!channel>")
	}
	m := testWords().PolicyMended()
	require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes it")
}

func TestARefusedPolicyMentionsNobody(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	for _, problems := range goldenProblems() {
		m := testWords().PolicyRefused(problems)
		require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes it")
	}
	assert.NotContains(t, testWords().PolicyRefused(goldenProblems()["policy-refused"]).Text, "<!channel>")
}

func TestUnreadableRequestIsNamedByItsReference(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	r := cancellation.Request{Ref: slacktest.Ref, State: cancellation.Stuck, Why: cancellation.Reason{Code: cancellation.WhyPoison, Detail: "not JSON"}}
	for _, m := range []Message{testWords().Result(r), testWords().Alarm(r)} {
		require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes it")
		assert.Contains(t, m.Text, "request 7F3K-2QXD")
		assert.NotContains(t, m.Text, "Asked by")
	}
}

func TestEveryStateHasItsMessage(t *testing.T) {
	t.Parallel()
	heads := make(map[string]cancellation.State)
	for _, state := range cancellation.States() {
		text := testWords().Result(slacktest.Request(state)).Text
		head := text[:strings.Index(text, ":")]
		assert.Empty(t, heads[head], "%s says the same as another state", state)
		heads[head] = state
		head = strings.TrimPrefix(strings.ToLower(head), "🚨 not cancelled")
		assert.NotContains(t, head, "cancelled", "it is requested, and takes effect later")
	}
}

// goldenAnswers is what only one person reads.
func goldenAnswers() map[string]Message {
	w := Writer{Command: "/cancel-server"}
	return map[string]Message{
		"help":       w.Help(),
		"refused":    w.MayNotAsk(authz.Decision{Rule: "builtin-guest", Reason: "guests may not ask for cancellations; a full member may."}, false),
		"not-opened": w.NotOpened(),
	}
}

func TestSlackTakesEveryAnswer(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	for name, m := range goldenAnswers() {
		require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes %s", name)
	}
}

// TestForeignTextIsInertInEveryMessage puts hostile text wherever text of people or
// of SoftLayer can be.
func TestForeignTextIsInertInEveryMessage(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	for _, evil := range slacktest.Hostile() {
		for name, r := range goldenMessages() {
			s := &r.Submission
			s.Card.Server.FQDN, s.Card.Account.Name, s.By.Name, s.Reason, s.Content = evil, evil, evil, evil, evil
			r.Ticket.Number, r.Decision.Rule, r.EndedBy.Name = evil, evil, evil
			for i := range r.Approvals {
				r.Approvals[i].By.Name = evil
			}
			if r.Why != (cancellation.Reason{}) {
				r.Why.Detail = evil
			}
			m := testWords().Live(cancellation.ApprovalCard, r)
			require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes %s with %.20q", name, evil)
			blocks, err := json.Marshal(m.Blocks)
			require.NoError(t, err)
			slacktest.AssertInert(t, blocks)
			text := strings.ReplaceAll(strings.ReplaceAll(m.Text, "<https://cloud.ibm.com/unifiedsupport/cases", ""), "\u200b`\u200b", "")
			for _, active := range []string{"<!", "<http", "<@U123", "`", "://evil"} {
				assert.NotContains(t, text, active, "%s with %.20q", name, evil)
			}
		}
	}
}

// ephemeralBody is a message as the answer to a command holds it.
func ephemeralBody(t *testing.T, m Message) json.RawMessage {
	t.Helper()
	body, err := json.Marshal(struct {
		Type   string        `json:"response_type"`
		Text   string        `json:"text"`
		Blocks []slack.Block `json:"blocks"`
	}{"ephemeral", m.Text, m.Blocks})
	require.NoError(t, err)
	return body
}

// stopped is a request that ended after SoftLayer was asked to stop.
func stopped(r cancellation.Request) cancellation.Request {
	r.StopAsked = r.Since.Add(-time.Hour)
	return r
}
