package words

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
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
	all["waits-response"] = w.Batch("", b, rows)

	b, rows = aBatch(pending, scheduled, scheduled)
	for i := range rows {
		if i != 0 {
			slacktest.ApprovedBy("U8")(&rows[i])
		}
	}
	all["approved-in-part"] = w.Batch(cancellation.BatchCard, b, rows)

	b, rows = aBatch(filed, scheduled, scheduled, cancellation.Declined)
	for i := 1; i < 3; i++ {
		rows[i].Why = cancellation.Reason{Code: cancellation.WhyHourFull, Detail: "60"}
		rows[i].Due = time.Date(2026, 11, 22, 15, 0, i, 0, time.UTC)
	}
	all["under-way"] = w.Batch(cancellation.BatchResult, b, rows)
	b, rows = aBatch(filed, cancellation.Rejected, cancellation.Declined)
	all["over"] = w.Batch(cancellation.BatchResult, b, rows)
	all["over-told"] = w.BatchEnd(b, rows)
	b, rows = aBatch(filed, filed)
	all["all-filed"] = w.Batch(cancellation.BatchResult, b, rows)
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
	}
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
