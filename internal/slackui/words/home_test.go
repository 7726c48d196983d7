package words

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/closing"
	"cancel-server/internal/overview"
	"cancel-server/internal/slackui/slacktest"
)

// whole is a row that its reader sees whole.
func whole(r cancellation.Request, changes ...func(*overview.Row)) overview.Row {
	row := overview.Row{Request: r, Sight: overview.Whole}
	for _, change := range changes {
		change(&row)
	}
	return row
}

func asked(row *overview.Row)      { row.Asked = true }
func next(row *overview.Row)       { row.Rule, row.Next = "infra-leads", true }
func mayApprove(row *overview.Row) { row.Rule = "infra-leads" }
func waits(row *overview.Row)      { row.Waits, row.Answered = slacktest.Noon.Add(-48*time.Hour), true }

func listOf(rows ...overview.Row) overview.List { return overview.List{Rows: rows} }

// fullPage has a row in each section.
func fullPage() overview.Page {
	return overview.Page{
		AsOf: slacktest.Noon, Access: true, MayAsk: true,
		Approve: listOf(whole(slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo), next)),
		Answer:  listOf(whole(slacktest.Request(cancellation.Filed), mayApprove, waits)),
		Own:     listOf(whole(slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, slacktest.ApprovedBy("U8")), asked)),
		Ending:  listOf(whole(slacktest.Request(cancellation.Filed, slacktest.ApprovedBy("U8")), asked)),
	}
}

func june(day int) time.Time { return time.Date(2027, time.June, day, 0, 0, 0, 0, time.UTC) }

// closingBoard has the board of wording-next.md, and a pod without a date.
func closingBoard() closing.Board {
	return closing.Board{
		AsOf: slacktest.Noon, Listed: slacktest.Noon.Add(-7 * time.Minute), InForm: 50, LeftToday: 12,
		Places: []closing.Standing{
			{
				Closure: closing.Closure{Place: "che01", Datacenter: "che01", Announced: true, Day: june(10)},
				Servers: 63, Asked: 41, Waiting: 12, Rest: 10, Askable: 10, Fee: "4125.00",
			},
			{
				Closure: closing.Closure{Place: "dal09.pod03", Datacenter: "dal09", Announced: true, Sharing: []string{"dal09.pod04"}},
				Servers: 20, Rest: 20, Askable: 15, Fee: "412.50", Unknown: 18, Unread: 1, Unplaced: 3,
			},
		},
	}
}

// partialBoard has what is missing, days that are near or over, and a day that is used up.
func partialBoard() closing.Board {
	b := closing.Board{AsOf: june(9).Add(12 * time.Hour), Listed: june(9), InForm: 4, LeftToday: 50, Undecided: 7, Gap: true}
	for n := range maxPlaces + 2 {
		b.Places = append(b.Places, closing.Standing{
			Closure: closing.Closure{Place: fmt.Sprintf("che%02d", n+1), Datacenter: fmt.Sprintf("che%02d", n+1), Day: june(8 + n)},
			Servers: 5 + n, Asked: 5, Rest: n, Askable: n, Fee: "0.00", Unknown: n,
		})
	}
	b.Places[1].Outside = []string{"che02.pod01", "che02.pod02"}
	return b
}

func TestBoardsSayHowManyFitToday(t *testing.T) {
	t.Parallel()
	for says, c := range map[string]struct{ rest, askable, inForm, left int }{
		"You may ask for these 10, all of them today.":                                               {10, 10, 50, 50},
		"You may ask for these 10, 4 of them today. Then 6 remain.":                                  {10, 10, 50, 4},
		"You may ask for these 80, 50 of them in one form. Then 30 remain.":                          {80, 80, 50, 90},
		"You may ask for 7 of these 10, all of them today.":                                          {10, 7, 50, 50},
		"You may ask for these 10, but for none today: nobody may ask for more in a day. 10 remain.": {10, 10, 50, 0},
		"": {10, 0, 50, 50},
	} {
		assert.Equal(t, says, reviewable(closing.Board{InForm: c.inForm, LeftToday: c.left}, closing.Standing{Rest: c.rest, Askable: c.askable}))
	}
	assert.Empty(t, reviewable(closing.Board{InForm: 50, LeftToday: -1}, closing.Standing{Rest: 5, Askable: 5}), "the day could not be read")
}

// goldenHomes is every Home tab.
func goldenHomes() map[string]View {
	w := testWords()
	w.Contact, w.MayWrite = "#infra-help", func() bool { return true }
	frozen, partial := fullPage(), fullPage()
	frozen.Frozen = cancellation.Freeze{Frozen: true, Actor: "T1/U8", Why: "an outage", At: slacktest.Noon}
	partial.Approve.More, partial.Answer.Part, partial.Answer.Gap, partial.Own, partial.Ending = true, 200, true, overview.List{}, overview.List{Gap: true}
	closes := fullPage()
	closes.Closing = closingBoard()
	return map[string]View{
		"closing": w.Home(closes), "only-closing": w.Home(overview.Page{AsOf: slacktest.Noon, Access: true, Closing: closingBoard()}),
		"closing-unread": w.Home(overview.Page{AsOf: slacktest.Noon, Access: true, Closing: closing.Board{Gap: true, Closing: 1}}),
		"full":           w.Home(fullPage()), "frozen": w.Home(frozen), "partial": w.Home(partial), "unread": w.HomeUnread(),
		"empty":     w.Home(overview.Page{AsOf: slacktest.Noon, Access: true}),
		"no-access": w.Home(overview.Page{AsOf: slacktest.Noon}),
		"outsider":  w.Home(overview.Page{}),
		"small":     Small(notRecorded("Press again.")),
	}
}

// goldenLists is what mine, pending and status answer.
func goldenLists() map[string]Message {
	w, p := testWords(), fullPage()
	w.Command = "/cancel-server"
	stuck := slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyTicketsHidden, ""))
	undo := slacktest.Request(cancellation.Scheduled, func(r *cancellation.Request) { r.ID, r.UndoUntil = "6f", slacktest.Noon.Add(10*time.Minute) })
	return map[string]Message{
		"closing": w.Closing(overview.Page{Closing: closingBoard()}), "closing-none": w.Closing(overview.Page{}),
		"closing-partial": w.Closing(overview.Page{Closing: partialBoard()}), "closing-unread": w.Closing(overview.Page{Closing: closing.Board{Gap: true}}),
		"mine": w.Mine(p), "mine-none": w.Mine(overview.Page{}), "pending": w.PendingFor(p), "pending-none": w.PendingFor(overview.Page{}),
		"status": w.Status("db-042", listOf(
			overview.Row{Request: slacktest.Request(cancellation.Filed), Sight: overview.Standing},
			whole(stuck, mayApprove), whole(undo, asked), whole(slacktest.Request(cancellation.Declined, slacktest.EndedBy("U8")), func(row *overview.Row) { row.Voted = true }),
		)),
		"status-none": w.Status("db-042", overview.List{}), "status-what": w.StatusOfWhat(), "unread": ListUnread(),
		"warned": w.Mine(overview.Page{}).And(w.CalledLike(MineCommand, "1234567")), "recorded": NowIs(slacktest.Request(cancellation.Scheduled)),
	}
}

func TestSlackTakesEveryHomeTabAndList(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	for name, view := range goldenHomes() {
		if view.Type == slack.VTHomeTab {
			require.NoError(t, judge.Publish(view), "Slack takes %s", name)
		}
	}
	for name, m := range goldenLists() {
		require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes %s", name)
	}
}

// The fullest page has ten rows in each section, each with the most that a row says.
func TestFullestHomeTabFitsSlacksLimits(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	for _, evil := range slacktest.Hostile() {
		var rows []overview.Row
		for i := range overview.MostRows {
			r := slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, slacktest.ApprovedBy("U8"), slacktest.Because("", evil))
			r.ID = fmt.Sprintf("%064d", i)
			s := &r.Submission
			s.Card.Server.FQDN, s.Card.Account.Name, s.By.Name, s.Reason, s.Content = evil, evil, evil, evil, evil
			r.Ticket = cancellation.TicketID{ID: 7, Number: evil}
			rows = append(rows, overview.Row{Request: r, Sight: overview.Whole, Rule: evil, Next: true, Waits: slacktest.Noon, Answered: true})
		}
		list := overview.List{Rows: rows, More: true, Gap: true}
		page := overview.Page{
			AsOf: slacktest.Noon, Access: true, Approve: list, Answer: list, Own: list, Ending: list,
			Frozen: cancellation.Freeze{Frozen: true, Actor: "T1/U8", Why: evil, At: slacktest.Noon},
		}
		w := Writer{TicketURL: func(cancellation.TicketID) string { return "https://cloud.ibm.com/x" }}
		view := w.Home(page)
		require.NoError(t, judge.Publish(view), "Slack takes it with %.20q", evil)
		assert.LessOrEqual(t, len(view.Blocks.BlockSet), 100)
		messages := []Message{w.Mine(page), w.PendingFor(page), w.Status(evil, list), w.Status(evil, overview.List{})}
		sets := [][]slack.Block{view.Blocks.BlockSet}
		for _, m := range messages {
			require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes it with %.20q", evil)
			sets = append(sets, m.Blocks)
		}
		for _, set := range sets {
			blocks, err := json.Marshal(set)
			require.NoError(t, err)
			slacktest.AssertInert(t, blocks)
			assert.NotContains(t, string(blocks), "10.3.4.5")
		}
	}
}

func TestRowOffersOnlyItsReadersButtons(t *testing.T) {
	t.Parallel()
	w := Writer{PeopleResolve: func() bool { return true }, MayWrite: func() bool { return true }}
	filed := slacktest.Request(cancellation.Filed)
	pending := slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo)
	scheduled := slacktest.Request(cancellation.Scheduled)
	stuck := slacktest.Request(cancellation.Stuck, slacktest.Because(cancellation.WhyTicketsHidden, ""))
	voted := func(row *overview.Row) { row.Voted = true }
	for says, c := range map[string]struct {
		row  overview.Row
		want []string
	}{
		"the requester withdraws":                         {whole(pending, asked), []string{DetailsAction, WithdrawAction}},
		"an approver approves":                            {whole(pending, next), []string{ApproveAction, DeclineAction, DetailsAction}},
		"one whose approval counts later declines":        {whole(pending, mayApprove), []string{DeclineAction, DetailsAction}},
		"one who approved declines":                       {whole(pending, voted), []string{DeclineAction, DetailsAction}},
		"the requester takes an accepted request back":    {whole(scheduled, asked), []string{UndoAction}},
		"an approver declines an accepted request":        {whole(scheduled, mayApprove), []string{DeclineAction}},
		"an approver says what became of a stuck request": {whole(stuck, mayApprove), []string{FoundAction, NoneAction, LeaveAction, CheckAction}},
		"its requester does not":                          {whole(stuck, asked), nil},
		"the requester asks SoftLayer to stop":            {whole(filed, asked), []string{StopAction}},
		"and replies where SoftLayer waits":               {whole(filed, asked, waits), []string{AnswerAction, ReplyAction, StopAction}},
		"so does one who may approve":                     {whole(filed, mayApprove, waits), []string{AnswerAction, ReplyAction, StopAction}},
		"one who only voted reads, and does not reply":    {whole(filed, voted, waits), []string{AnswerAction}},
		"the answer to what was not cancelled is read":    {whole(slacktest.Request(cancellation.Reverted), asked), []string{AnswerAction, AgainAction}},
		"one who only may ask for the server has none":    {overview.Row{Request: pending, Sight: overview.Standing, Rule: "r"}, nil},
	} {
		var got []string
		for _, e := range w.RowButtons(c.row) {
			got = append(got, e.(*slack.ButtonBlockElement).ActionID)
		}
		assert.Equal(t, c.want, got, says)
	}
}

func TestWhoOnlyAsksReadsNoTextOrCost(t *testing.T) {
	t.Parallel()
	r := slacktest.Request(cancellation.Filed)
	m := testWords().Status("db-042", listOf(overview.Row{Request: r, Sight: overview.Standing}))
	said := slacktest.TextIn(t, m.Blocks) + m.Text
	assert.Contains(t, said, "Cancellation requested")
	assert.Contains(t, said, "CS1234567")
	for _, hidden := range []string{"412.50", "No longer needed", "Replaced by", "7F3K", "Ana", "U7"} {
		assert.NotContains(t, said, hidden)
	}
}

func TestUndecidedServersAreNamedInTheText(t *testing.T) {
	t.Parallel()
	m := testWords().Closing(overview.Page{Closing: closing.Board{Undecided: 3, AsOf: slacktest.Noon, Listed: slacktest.Noon}})
	assert.Contains(t, m.Text, "Some servers are not counted")
}
