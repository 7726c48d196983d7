package slackui

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

// awaited is a store with one batch: SoftLayer waits for an answer about all its servers.
type awaited struct {
	oneBatch
	gathered []cancellation.Gathered
}

func (b awaited) Awaited(context.Context, string) ([]cancellation.Request, error) {
	return b.oneBatch, nil
}

func (b awaited) Gathered(context.Context, string, cancellation.NoticeKind) ([]cancellation.Gathered, error) {
	return b.gathered, nil
}

// awaitedBatch is an announcer with a batch of ana's, about whose servers SoftLayer waits.
func awaitedBatch(t *testing.T) (*Announcer, *awaited) {
	t.Helper()
	a, _ := announcerFor(t, slacktest.NewAnswers(t, slacktest.AnswerJSON(`{"ok":true}`)))
	b := &awaited{}
	for i, name := range []string{"web-1.dal10", "web-2.dal10", "db-1.fra02"} {
		r := posted()
		r.ID, r.Batch, r.State, r.Row = name, "b1", cancellation.Filed, i
		r.Submission.Count = 3
		r.Submission.Card.Server.Hostname, r.Submission.Card.Server.FQDN = name, name+".example.com"
		b.oneBatch = append(b.oneBatch, r)
	}
	a.o.Words, a.o.Batches = words.Writer{MayWrite: func() bool { return true }}, b
	return a, b
}

func TestLetterNamesOnlyWhatItsReaderSees(t *testing.T) {
	t.Parallel()
	const detail = "5|2026-03-02T09:00:00Z|2"
	for name, c := range map[string]struct {
		to   string
		kind cancellation.NewsKind
		all  bool
	}{
		"the requester owes all answers":            {ana.ID, cancellation.NewsWaits, true},
		"the requester still owes all answers":      {ana.ID, cancellation.NewsStillWaits, true},
		"who approved one server owes its answer":   {"UAPPROVED", cancellation.NewsWaits, false},
		"who may approve one hears of its answer":   {"UMAY", cancellation.NewsUnanswered, false},
		"one unanswered is not all who are awaited": {ana.ID, cancellation.NewsUnanswered, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := awaitedBatch(t)
			item := cancellation.Item{News: cancellation.News{To: c.to, Kind: c.kind, Detail: detail}, Request: b.oneBatch[0]}
			text := a.letter(t.Context(), c.to, "x", []cancellation.Item{item}, false).Text
			assert.Contains(t, text, "web-1.dal10")
			for _, other := range []string{"web-2.dal10", "db-1.fra02"} {
				if c.all {
					assert.Contains(t, text, other)
				} else {
					assert.NotContains(t, text, other)
				}
			}
		})
	}
}

func TestOtherChannelsReadOnlyWhatIsEscalated(t *testing.T) {
	t.Parallel()
	a, b := awaitedBatch(t)
	channel := func(kind cancellation.NewsKind, rows ...int) string {
		t.Helper()
		b.gathered = nil
		var class cancellation.Class
		for _, i := range rows {
			r := b.oneBatch[i]
			of := cancellation.Said(cancellation.Line{What: cancellation.LineWaits, Update: int64(i)})
			if kind != "" {
				of = r.Escalating("CESCALATION", cancellation.News{To: ana.ID, Kind: kind, Detail: "5"}, nil).Kind
			}
			class, _ = of.Gathers()
			b.gathered = append(b.gathered, cancellation.Gathered{Request: r, Kind: of, Waits: slacktest.Noon})
		}
		post, err := a.gatheredContent(t.Context(), cancellation.NoticeKind(class.Prefix()+"2026-03-02"), b.oneBatch[0])
		require.NoError(t, err)
		return post.Text
	}
	for _, kind := range []cancellation.NewsKind{cancellation.NewsUnanswered, cancellation.NewsWaits} {
		assert.NotContains(t, channel(kind, 0, 1), "db-1.fra02", kind)
	}
	assert.Contains(t, channel("", 0, 1), "db-1.fra02", "the list's own thread names all that wait")
}
