package fakeslack_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"cancel-server/internal/fakeslack"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documented reads one table of the package comment: name to faithful, partial or absent.
func documented(t *testing.T, heading string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(raw), "// # "+heading+"\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "// # ")
	table := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^//\t(\S+)\s+(faithful|partial|absent)\b`).FindAllStringSubmatch(section, -1) {
		table[row[1]] = row[2]
	}
	return table
}

func TestPackageCommentListsEveryMethod(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	table := documented(t, "Methods")
	for method, status := range table {
		got := s.call(method, nil)
		assert.Equal(t, status == "absent", got.Error == "unknown_method", "%s is said to be %s", method, status)
	}
	for _, method := range fakeslack.APIMethodNames() {
		assert.Contains(t, table, method, "every method is documented")
	}
}

func TestPackageCommentListsEveryDelivery(t *testing.T) {
	t.Parallel()
	table := documented(t, "Deliveries")
	for _, method := range append(fakeslack.DeliveryNames(), "response_url") {
		assert.Contains(t, []string{"faithful", "partial"}, table[method], method)
		delete(table, method)
	}
	for method, status := range table {
		assert.Equal(t, "absent", status, method)
	}
}

func TestPackageCommentListsEveryDisturbance(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(raw), "// # Socket Mode\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "// # ")
	var rows []string
	for _, row := range regexp.MustCompile(`(?m)^//\t(\S+)`).FindAllStringSubmatch(section, -1) {
		rows = append(rows, row[1])
	}
	assert.ElementsMatch(t, fakeslack.Disturbances(), rows)
	for _, c := range fakeslack.New(fakeslack.Options{}).Calls() {
		if c.Path == "/socket" {
			for _, do := range fakeslack.Disturbances() {
				assert.Contains(t, c.Body, `"`+do+`"`)
			}
		}
	}
}
