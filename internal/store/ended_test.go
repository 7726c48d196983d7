package store

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ofOpen is a scan of an index that has no row of a request that has ended.
var ofOpen = regexp.MustCompile(`USING (COVERING )?INDEX (requests_open|requests_due|requests_leased|notices_due|notices_leased)`)

// What is asked at each start, and again and again after it, must not take longer with
// every request that has ended.
func TestNoQuestionReadsEveryRequestThatHasEnded(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Path: filepath.Join(t.TempDir(), "requests.db")})
	values := strings.NewReplacer("$1", "1", "$2", "2", "$3", "3", "$4", "4")
	for name, text := range map[string]string{
		"what is unfinished at a start": recheckSQL, "leases of requests": freeRequestsSQL, "leases of notices": freeNoticesSQL,
		"what is due": firstDueSQL, "what is due next": nextDueSQL, "what is to be told": noticeWorkSQL, "what is to be told next": nextNoticeSQL,
		"a look for work": s.dialect.lookSQL(requestWork), "a look for what is to be told": s.dialect.lookSQL(noticeWork),
		"response_urls to erase": s.dialect.eraseURLsSQL(), "what is overdue": overdueSQL, "how many are open": countsSQL,
	} {
		rows, err := s.write.QueryContext(t.Context(), `explain query plan `+values.Replace(text))
		require.NoError(t, err, name)
		steps, err := collect(rows, func(from row) (step string, err error) {
			var id, parent, unused int
			return step, from.Scan(&id, &parent, &unused, &step)
		})
		require.NoError(t, err, name)
		for _, step := range steps {
			if !ofOpen.MatchString(step) {
				assert.NotRegexp(t, `SCAN (requests|notices)\b`, step, fmt.Sprintf("%s is found by an index", name))
			}
		}
	}
}
