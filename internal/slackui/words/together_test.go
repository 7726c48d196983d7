package words

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

// newsOf is news of the first servers of a batch of forty.
func newsOf(kind cancellation.NewsKind, state cancellation.State, count int) (items []cancellation.Item) {
	_, rows := aBatch(slices.Repeat([]cancellation.State{state}, count)...)
	for i, r := range rows {
		r.ID, r.Batch, r.Submission.Count = fmt.Sprintf("r%d", i), "b1", 40
		r.Ticket = cancellation.TicketID{ID: 153572280 + int64(i)}
		slacktest.ApprovedBy("U8", fmt.Sprint("U", 9-i%2))(&r)
		items = append(items, cancellation.Item{News: cancellation.News{To: r.Submission.By.ID, Kind: kind}, Request: r})
	}
	return items
}

// goldenTogether is what becomes of several servers of a batch, in channels and by letter.
// writing is a writer whose key may write into tickets.
func writing() Writer {
	w := testWords()
	w.MayWrite = func() bool { return true }
	return w
}

func goldenTogether() map[string]Message {
	w := writing()
	all := map[string]Message{}
	kinds := map[cancellation.NewsKind]cancellation.State{
		cancellation.NewsWaits: cancellation.Filed, cancellation.NewsUnanswered: cancellation.Filed, cancellation.NewsStuck: cancellation.Stuck,
		cancellation.NewsNotCancelled: cancellation.Reverted, cancellation.NewsStopped: cancellation.Reverted, cancellation.NewsEnds: cancellation.Filed,
		cancellation.NewsStill: cancellation.Filed, cancellation.NewsUnclear: cancellation.Filed, cancellation.NewsMoved: cancellation.Filed,
		cancellation.NewsStaff: cancellation.Filed, cancellation.NewsEnded: cancellation.Reclaimed, cancellation.NewsStands: cancellation.Filed,
		cancellation.NewsOverdue: cancellation.Filing,
	}
	for kind, state := range kinds {
		all["together-"+strings.ReplaceAll(string(kind), "_", "-")] = w.Gathered(newsOf(kind, state, 3))
	}
	mine := newsOf(cancellation.NewsWaits, cancellation.Filed, 7)
	me := mine[0].Request.Submission.By.ID
	all["together-letter-waits"] = w.Letter(me, mine, true)
	left := newsOf(cancellation.NewsBilled, cancellation.Reclaimed, 2)
	left[0].Detail = goldenStays()["stays"].Detail()
	all["together-letter"] = w.Letter(me, slices.Concat(
		newsOf(cancellation.NewsEnded, cancellation.Reclaimed, 23), left, newsOf(cancellation.NewsEnds, cancellation.Filed, 8),
		newsOf(cancellation.NewsStillWaits, cancellation.Filed, 3), newsOf(cancellation.NewsWaits, cancellation.Filed, 5),
	), false)
	all["together-letter-to-approver"] = w.Letter("U8", newsOf(cancellation.NewsUnanswered, cancellation.Filed, 3), false)
	return all
}

// pressable are the buttons of a message.
func pressable(m Message) (buttons []*slack.ButtonBlockElement) {
	for _, b := range m.Blocks {
		if row, is := b.(*slack.ActionBlock); is {
			for _, e := range row.Elements.ElementSet {
				buttons = append(buttons, e.(*slack.ButtonBlockElement))
			}
		}
	}
	return buttons
}

func TestNewsOfSeveralLeadsToTheirTickets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		w      Writer
		kind   cancellation.NewsKind
		count  int
		action string // "" for no buttons
	}{
		"a stop of each":                  {writing(), cancellation.NewsEnds, 5, StopAction},
		"an answer of each":               {writing(), cancellation.NewsStaff, 2, AnswerAction},
		"an answer without the right":     {testWords(), cancellation.NewsStaff, 5, AnswerAction},
		"a question without the right":    {testWords(), cancellation.NewsWaits, 3, AnswerAction},
		"a long wait without the right":   {testWords(), cancellation.NewsUnanswered, 3, AnswerAction},
		"no stop without the right":       {testWords(), cancellation.NewsEnds, 3, ""},
		"too many stops":                  {writing(), cancellation.NewsEnds, 6, ""},
		"too many answers":                {writing(), cancellation.NewsStaff, 6, ""},
		"too many questions to only read": {testWords(), cancellation.NewsWaits, 6, ""},
		"too many still there":            {writing(), cancellation.NewsStill, 6, ""},
		"too many not cancelled":          {writing(), cancellation.NewsNotCancelled, 6, ""},
		"what nobody can see":             {writing(), cancellation.NewsUnclear, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := c.w.Gathered(newsOf(c.kind, cancellation.Filed, c.count))
			points := "/cancel-server status NAME"
			if c.action == "" {
				assert.Empty(t, pressable(m))
				assert.Contains(t, m.Text, points)
				return
			}
			assert.NotContains(t, m.Text, points)
			buttons := pressable(m)
			if assert.Len(t, buttons, c.count) {
				for i, b := range buttons {
					assert.Equal(t, []string{c.action, fmt.Sprintf("r%d", i)}, []string{b.ActionID, b.Value})
				}
			}
		})
	}
}

func TestDigestLeadsOnWhereButtonsDoNotFit(t *testing.T) {
	t.Parallel()
	const lists, each = 12, 5
	var items []cancellation.Item
	for n := range lists {
		of := newsOf(cancellation.NewsEnds, cancellation.Filed, each)
		for i := range of {
			of[i].Request.ID, of[i].Request.Batch = fmt.Sprintf("r%d-%d", n, i), fmt.Sprint("b", n)
		}
		items = append(items, of...)
	}
	m := writing().Letter(items[0].Request.Submission.By.ID, items, false)
	raw, err := json.Marshal(m.Blocks)
	require.NoError(t, err)
	pressed := len(pressable(m)) / each
	assert.Positive(t, pressed)
	assert.Less(t, pressed, lists, "not all buttons fit")
	assert.Equal(t, lists-pressed, strings.Count(string(raw), "status NAME leads to the ticket of each"), "each list has its buttons, or says where to go")
}

func TestBeingOnItLeadsToTheTicketsToo(t *testing.T) {
	t.Parallel()
	m := writing().Gathered(newsOf(cancellation.NewsStill, cancellation.Filed, 3))
	assert.Len(t, pressable(m), 3)
	assert.Contains(t, m.Text, "/cancel-server status NAME")
}

func TestWaitsOfABatchHaveOneButton(t *testing.T) {
	t.Parallel()
	w := writing()
	items := newsOf(cancellation.NewsWaits, cancellation.Filed, 7)
	me := items[0].Request.Submission.By.ID
	for name, m := range map[string]Message{
		"at once": w.Letter(me, items, true), "in the digest": w.Letter(me, items, false), "in the thread": w.Gathered(items),
		"escalated": w.Gathered(newsOf(cancellation.NewsUnanswered, cancellation.Filed, 7)),
	} {
		buttons := pressable(m)
		if assert.Len(t, buttons, 1, name) {
			assert.Equal(t, ActionReplyBatch, buttons[0].ActionID, name)
			assert.Equal(t, "b1", buttons[0].Value, name)
		}
		assert.Contains(t, m.Text, "7 of 40 servers", name)
	}
}

func TestWaitsWithoutTheRightHaveNoButton(t *testing.T) {
	t.Parallel()
	m := testWords().Gathered(newsOf(cancellation.NewsWaits, cancellation.Filed, 7))
	assert.Empty(t, slices.DeleteFunc(m.Blocks, func(b slack.Block) bool { return b.BlockType() != slack.MBTAction }))
}

func TestLongNamesOfABatchFit(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	var items []cancellation.Item
	for _, kind := range digestOrder {
		items = append(items, newsOf(kind, cancellation.Filed, 50)...)
	}
	for i := range items {
		r := &items[i].Request
		r.Submission.Card.Server.FQDN = strings.Repeat("long-", 40) + r.Submission.Card.Server.FQDN
		r.Shows = time.Date(2027, 1, 1+i%50, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)
	}
	me := items[0].Request.Submission.By.ID
	for _, m := range []Message{testWords().Letter(me, items, false), testWords().Letter(me, items, true), testWords().Gathered(items[:50]), testWords().Gathered(newsOf(cancellation.NewsStill, cancellation.Filed, 50)), testWords().Gathered(newsOf(cancellation.NewsStill, cancellation.Filed, 5))} {
		assert.NoError(t, judge.Post(m.Text, m.Blocks))
	}
}
