package words

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

func TestEveryPlaceNamesTheSameEnd(t *testing.T) {
	t.Parallel()
	const tue, jan, feb, late = "Tue 1 Dec 2026", "Fri 1 Jan 2027", "Mon 1 Feb 2027", 8 * 24 * time.Hour
	for name, c := range map[string]struct {
		cutoff string
		read   time.Duration // after noon of 22 Nov
		waits  string        // behind "due to end on"
		sent   time.Duration
		filed  string // behind "billed until"
		stop   string
	}{
		"before the cut-off": {
			"2026-11-28T00:00:00-06:00", 0, tue + " (US Central) if filed by Sat 28 Nov 2026, 00:00 (US Central), else on " + jan,
			time.Hour, tue + " (US Central);", "before Sat 28 Nov 2026, 00:00 (US Central).",
		},
		"asked before the cut-off, sent after it": {
			"2026-11-28T00:00:00-06:00", 0, tue + " (US Central) if filed by Sat 28 Nov 2026, 00:00 (US Central), else on " + jan,
			late, jan + " (US Central);", "in time.",
		},
		"after the cut-off, SoftLayer names the next": {
			"2026-12-29T00:00:00-06:00", late, jan + " (US Central) if filed by Tue 29 Dec 2026, 00:00 (US Central), else on " + feb,
			late, jan + " (US Central);", "before Tue 29 Dec 2026, 00:00 (US Central).",
		},
		"after the cut-off, SoftLayer still names it": {
			"2026-11-28T00:00:00-06:00", late, jan + " (US Central)",
			late, jan + " (US Central);", "in time.",
		},
		"a cut-off of no bill date": {
			"2026-12-12T00:00:00-06:00", 0, tue + " or " + jan + " (US Central), depending on SoftLayer's cut-off",
			time.Hour, tue + " or " + jan + " (US Central), depending on SoftLayer's cut-off;", "in time.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := testWords()
			r := slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo)
			r.Submission.Card.Cutoff, r.Submission.Card.ReadAt = c.cutoff, slacktest.Noon.Add(c.read)
			card := r.Submission.Card
			for where, text := range map[string]string{
				"the card":                 slacktest.TextIn(t, w.cardBlocks(card, nil, false)),
				"the approval message":     slacktest.TextIn(t, w.Live(cancellation.ApprovalCard, r).Blocks[0]),
				"its text":                 w.Live(cancellation.ApprovalCard, r).Text,
				"the requester's message":  slacktest.TextIn(t, w.Live(cancellation.Result, r).Blocks[0]),
				"the reminder":             slacktest.TextIn(t, w.Reminder(r).Blocks),
				"its text as well":         w.Reminder(r).Text,
				"the details":              slacktest.TextIn(t, w.Details(r)),
				"the question of a button": approveQuestion(r),
			} {
				assert.Regexp(t, "[dD]ue to end on "+regexp.QuoteMeta(c.waits), text, where)
				assert.NotContains(t, text, "month later", where)
				assert.NotContains(t, text, "before the cut-off", where)
			}
			assert.LessOrEqual(t, len(approveQuestion(r)), 300, "Slack cuts a question")

			r.State, r.SentAt, r.UpdatedAt = cancellation.Filed, slacktest.Noon.Add(c.sent), slacktest.Noon.Add(2*late)
			result := w.Live(cancellation.Result, r)
			for where, text := range map[string]string{"the result": slacktest.TextIn(t, result.Blocks), "its text": result.Text} {
				assert.Contains(t, text, "billed until "+c.filed, where)
				assert.Contains(t, text, "update the ticket "+c.stop, where)
			}
		})
	}
}
