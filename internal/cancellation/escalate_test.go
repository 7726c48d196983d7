package cancellation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// TestEscalatedNewsReachesSomebody escalates news of a filed request, in a world where Slack takes or
// refuses some places.
func TestEscalatedNewsReachesSomebody(t *testing.T) {
	n := cancellation.News{To: "U1", Kind: cancellation.NewsNotCancelled, Detail: "a|b"}
	for name, c := range map[string]struct {
		channel string
		refused int      // posts that Slack refuses
		posted  []string // channel and thread
		people  []string // who is owed the news
	}{
		"in the escalation channel, and to nobody else":          {channel: "C9", posted: []string{"C9 "}},
		"in the thread and to those who may approve":             {posted: []string{"C:C1 in thread"}, people: []string{"U2", "U3"}},
		"there too if the escalation channel refuses":            {channel: "C9", refused: 1, posted: []string{"C:C1 in thread"}, people: []string{"U2", "U3"}},
		"to those who may approve if the thread refuses as well": {channel: "C9", refused: 2, people: []string{"U2", "U3"}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.others = map[string]authz.Principal{}
				for _, user := range []string{"U2", "U3", "U4"} {
					w.others[user] = authz.Principal{Team: "T1", User: user, GroupsKnown: true, Deactivated: user == "U4"}
				}
				r := w.submit()
				w.run(w.journal, time.Minute)
				notices, err := w.journal.Notices(t.Context(), r.ID)
				require.NoError(t, err)
				for range c.refused {
					w.deliveries = append(w.deliveries, cancellation.Refusing)
				}
				owed := r.Escalating(c.channel, n, notices)
				for range 2 { // owed once
					_, err = w.journal.Owe(t.Context(), r.ID, owed.Kind, owed.Place)
					require.NoError(t, err)
				}
				w.run(w.journal, time.Minute)

				_, messages := w.snapshot()
				var posted []string
				for _, m := range messages[1:] {
					told, _, ok := m.kind.Escalation()
					require.True(t, ok)
					assert.Equal(t, n, told)
					where := m.channel + " "
					if m.thread != "" {
						where += "in thread"
					}
					posted = append(posted, where)
				}
				assert.Equal(t, c.posted, posted)
				var people []string
				for _, user := range []string{"U1", "U2", "U3", "U4"} {
					owed, err := w.journal.NewsFor(t.Context(), user, 10)
					require.NoError(t, err)
					for _, news := range owed {
						people = append(people, news.To)
						assert.Equal(t, n.Kind, news.Kind)
						assert.Equal(t, n.Detail, news.Detail)
					}
				}
				assert.Equal(t, c.people, people)
			})
		})
	}
}
