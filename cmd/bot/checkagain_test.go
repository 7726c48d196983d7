//go:build unix

package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What can be wrong while a bot serves is wrong at once here.
func TestReadyzNamesProblemsAndStaysReady(t *testing.T) {
	t.Parallel()
	w := rightly(t)
	var wanted []string
	for _, wrong := range wrongSetups {
		if wrong.runs {
			w.extra = append(w.extra, wrong.apply(w)...)
			wanted = append(wanted, wrong.says[0])
		}
	}
	require.Greater(t, len(wanted), 6)
	w.start()
	for _, line := range wanted {
		w.eventually("/readyz says: "+line, func() bool { _, problems := w.ready(); return strings.Contains(problems, line) })
	}
	status, _ := w.ready()
	assert.Equal(t, http.StatusOK, status, "what checks find never makes a bot unready")
	w.eventually("the log says so", func() bool {
		return strings.Contains(w.child.log.String(), "a check found a problem")
	})
	for _, m := range w.messages(w.cast.Channel) {
		assert.NotContains(t, m.Text, "SERVER_CANCEL", "what the key may do is posted nowhere")
	}
}
