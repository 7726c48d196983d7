package seals_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"cancel-server/internal/audit"
)

func TestTheWordsOnACheckpointAreTrue(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.grown()
		saved := w.head()
		early, err := w.reading().Sealings(t.Context(), 9, 9)
		require.NoError(t, err)
		at9 := audit.Checkpoint{Origin: saved.Origin, Size: 9, Root: early[0].Root}
		var none audit.Frontier
		empty, wrong := audit.Checkpoint{Origin: saved.Origin, Root: none.Root()}, audit.Checkpoint{Origin: saved.Origin, Root: tlog.RecordHash(nil)}
		w.unguarded()
		restore := w.keeps()
		const asTheyWere = "events are in this log as they were."
		for says, c := range map[string]struct {
			does         string
			saved        audit.Checkpoint
			want, except string
		}{
			"all is well":                       {"", saved, "The checkpoint fits: its first 16 " + asTheyWere, "CHECKPOINT"},
			"a row that it saw":                 {`update events set detail = 'x' where position = 7`, saved, "The checkpoint fits the tree of its first 16 events. Rows that are not as they were sealed: 1 of these.", asTheyWere},
			"a row that it did not see":         {`update events set detail = 'x' where position = 11`, at9, "The checkpoint fits: its first 9 " + asTheyWere, "of these"},
			"a row that it saw, and others":     {`update events set detail = 'x' where position in (7, 8, 11)`, at9, "its first 9 events. Rows that are not as they were sealed: 2 of these.", asTheyWere},
			"a hash that it saw":                {`update events set hash = salt where position = 7`, saved, "its first 16 events. Rows that are not as they were sealed: 1 of these.", asTheyWere},
			"of no events":                      {"", empty, "The checkpoint is of no events: it fits whatever the log holds, and shows nothing.", "CHECKPOINT"},
			"of no events, with another root":   {"", wrong, "CHECKPOINT it is of no events, and its root is not that of an empty tree.", "removed"},
			"an end that is gone":               {`delete from events where position = 16`, saved, "CHECKPOINT  position 16: it cannot be compared, because an event before it is missing.", "last -"},
			"a log's row that counts less":      {`update audit_log set size = 8`, saved, "CHECKPOINT it saw 16 events, and the log has 8: the last 8 were removed", asTheyWere},
			"its segment is not in the records": {`delete from audit_segments`, saved, "CHECKPOINT it is of another log", asTheyWere},
			"its segment begins elsewhere":      {`update audit_segments set first_position = 3000`, saved, "CHECKPOINT it cannot be compared, because the log does not have its segment as it should.", asTheyWere},
		} {
			restore()
			if c.does != "" {
				w.does(c.does)
			}
			_, said := verified(t, w.reading(), &c.saved)
			assert.Contains(t, said, c.want, says)
			assert.NotContains(t, said, c.except, says)
		}
	})
}
