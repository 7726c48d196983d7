package words

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/cancellation"
)

// FuzzCarried holds that nothing that a button or a form carries makes reading it panic, and that what is read is what
// was written: Slack hands it back, and a person may have changed it on the way.
func FuzzCarried(f *testing.F) {
	for _, text := range []string{"r1@1764000000000", "b1@d1@0,1,2", "r1@7@8", "@@", "b@d@", "b@d@-1,+2", "r@9223372036854775808", "a@b@1@2", "\x00@\xff@1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, since, ok := StuckOf(text); ok {
			again, at, ok := StuckOf(stuckAs(cancellation.Request{ID: id, Since: since}))
			assert.True(t, ok)
			assert.Equal(t, id, again)
			assert.True(t, since.Equal(at), "%q", text)
		}
		if id, digest, rows, ok := BatchOf(text); ok {
			assert.NotEmpty(t, rows, "%q", text)
			again, list, others, ok := BatchOf(id + "@" + digest + "@" + joined(rows))
			assert.True(t, ok)
			assert.Equal(t, []any{id, digest, rows}, []any{again, list, others}, "%q", text)
		}
		if id, seen, _, ok := LetterOf(text); ok {
			assert.GreaterOrEqual(t, seen, int64(0), "%q", text)
			assert.NotContains(t, id, "@")
		}
	})
}

func joined(rows []int) string {
	texts := make([]string, len(rows))
	for i, row := range rows {
		texts[i] = strconv.Itoa(row)
	}
	return strings.Join(texts, ",")
}
