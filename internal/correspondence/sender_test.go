package correspondence_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
)

func TestTextIsNotTriedPastItsTime(t *testing.T) {
	for name, broken := range map[string]error{
		"SoftLayer does not answer":   errors.New("no answer"),
		"the key sees no such ticket": cancellation.ErrTicketHidden,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.broken = broken
				w.writes(correspondence.Stop, correspondence.Recorded)
				w.runs(14 * time.Minute)
				assert.Equal(t, correspondence.Recorded, w.text().State)
				w.broken = broken
				w.runs(62 * time.Minute) // the next try may be an hour away
				assert.Equal(t, correspondence.NotSent, w.text().State)
				assert.Equal(t, correspondence.WhyLate, w.text().Why)
				w.broken = nil
				w.runs(time.Hour)
				assert.Empty(t, w.entries)
			})
		})
	}
}

// settles marks the messages that ask to send the text as delivered, or as given up.
func (w *world) settles(delivered map[string]bool) {
	w.t.Helper()
	claim, err := w.store.ClaimNotices(w.t.Context(), "notifier", time.Minute, 9)
	require.NoError(w.t, err)
	for _, n := range claim.Rows {
		if _, user, asks, ok := n.Kind.Letter(); ok && asks {
			if delivered[user] {
				n.Channel, n.TS = "D1", "1.0"
			}
			n.Shown, n.Posts, n.Due = 99, 1, time.Time{}
			_, err := w.store.ApplyNotice(w.t.Context(), n, false)
			require.NoError(w.t, err)
		}
	}
}

func TestWriterHearsThatNobodyCouldBeAsked(t *testing.T) {
	for name, c := range map[string]struct {
		delivered map[string]bool
		state     correspondence.State
		errors    int
	}{
		"Slack refuses every message": {nil, correspondence.NotSent, 1},
		"one reaches somebody":        {map[string]bool{"U9": true}, correspondence.Proposed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.writes(correspondence.Reply, correspondence.Proposing)
				w.runs(10 * time.Second)
				require.Equal(t, correspondence.Proposed, w.text().State)
				w.runs(10 * time.Minute)
				require.Equal(t, correspondence.Proposed, w.text().State, "they are still to be asked")
				w.settles(c.delivered)
				w.runs(20 * time.Minute)
				assert.Equal(t, c.state, w.text().State)
				assert.True(t, w.text().Due.IsZero())
				assert.Equal(t, c.errors, w.errors(), w.log.String())
				last, err := w.store.LastProposal(t.Context(), "r1")
				require.NoError(t, err)
				assert.Equal(t, "Contract 7.", last.Text, "the form of who may send it holds it")
				notices, err := w.store.Notices(t.Context(), "r1")
				require.NoError(t, err)
				told := false
				for _, n := range notices {
					told = told || n.Kind == cancellation.Written(last.Number, "U1") && !n.Due.IsZero()
				}
				assert.True(t, told, "its message shows it")
			})
		})
	}
}

func TestStepThatFailsIsTriedLessAndLess(t *testing.T) {
	t.Run("the request cannot be read", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.lost = errors.New("disk on fire")
			w.writes(correspondence.Reply, correspondence.Recorded)
			w.runs(10 * time.Minute)
			assert.Less(t, w.reads, 15)
			assert.Equal(t, 1, w.errors(), w.log.String())
			w.lost = nil
			w.runs(20 * time.Minute)
			assert.Equal(t, correspondence.NotSent, w.text().State, "it is too late by then")
		})
	})
	t.Run("a step panics", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.may = func() ([]string, error) { panic("no words") }
			w.writes(correspondence.Reply, correspondence.Proposing)
			w.runs(time.Hour)
			assert.Less(t, w.reads, 20)
			assert.Equal(t, 3, w.errors(), "the panic, the failure and the end: %s", w.log.String())
			assert.Equal(t, correspondence.NotSent, w.text().State)
			assert.Equal(t, correspondence.WhyLate, w.text().Why)
		})
	})
	t.Run("the request's documents are damaged", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.damaged = true
			w.writes(correspondence.Reply, correspondence.Recorded)
			w.runs(time.Minute)
			assert.Equal(t, correspondence.Sent, w.text().State, "what is sent is recorded whole")
			assert.Len(t, w.entries, 1)
		})
	})
}

func TestAskingSomebodyElsesApproverDoesNotCount(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.mayOf = map[string]string{"r10": "U8", "r11": "U9"}
		w.proposesAll(2)
		w.runs(10 * time.Second)
		w.settles(map[string]bool{"U8": true, "U9": false})
		w.runs(30 * time.Minute)
		for id, why := range map[string]correspondence.Why{"of r10": "", "of r11": correspondence.WhyNobody} {
			u, err := w.store.UpdateByID(t.Context(), id)
			require.NoError(t, err)
			assert.Equal(t, why, u.Why, "%s is %s: U8 was asked, who may not answer for r11", id, u.State)
			assert.True(t, u.Due.IsZero(), "%s is done", id)
		}
	})
}

func TestProposalReadsItsBatchOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.proposesAll(2)
		w.runs(10 * time.Second)
		assert.Equal(t, 2, w.leads, "once for each text")
	})
}
