//go:build unix

package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOperatorResolvesAStuckRequest(t *testing.T) {
	overSocket(t, patient(), func(t *testing.T, w *world) {
		require.NoError(t, w.softlayer.Fault(filing, "error_before", 8)) // two lost answers each
		servers := []int64{w.another(), w.another(), w.another(), w.another()}
		for _, server := range servers {
			w.accepted(w.cast.Channel, w.cast.User, server)
		}
		refs := make([]string, len(servers))
		for i, server := range servers {
			told := w.awaitSettled(w.cast.Channel, "Needs a person", w.fqdn(server))
			refs[i] = w.ref(told.Shown)
			assert.Contains(t, told.Shown, "bot resolve "+refs[i])
			assert.Len(t, w.postsFor(server), 2, "two answers were lost, and nothing more is sent")
		}
		require.Equal(t, map[string]int{"stuck": 4}, w.recorded())

		t.Run("wrong use changes nothing", func(t *testing.T) { w.in(t).wrongResolutions(refs[0]) })
		t.Run("filed: a ticket of ours ends it as filed", func(t *testing.T) {
			w := w.in(t)
			w.control(http.MethodPost, "/ticket", map[string]any{"server": servers[0], "open": true, "entry": "Please cancel. " + w.marker(refs[0])}, nil)
			w.resolves(refs[0], "filed", w.ticketOf(servers[0]))
			w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(servers[0]), w.ticketOf(servers[0]))
		})
		t.Run("filed: somebody else's ticket ends it as a duplicate", func(t *testing.T) {
			w := w.in(t)
			w.control(http.MethodPost, "/ticket", map[string]any{"server": servers[1], "open": true, "entry": "By staff."}, nil)
			w.resolves(refs[1], "filed", w.ticketOf(servers[1]))
			w.awaitMessage(w.cast.Channel, "Already requested", w.fqdn(servers[1]), w.ticketOf(servers[1]))
		})
		t.Run("none: it is sent once more, with every check", func(t *testing.T) {
			w := w.in(t)
			w.resolves(refs[2], "none")
			w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(servers[2]))
			assert.Len(t, w.tickets(servers[2]), 1)
			assert.Len(t, w.postsFor(servers[2]), 3)
		})
		t.Run("drop: it is over, and the server is free", func(t *testing.T) {
			w := w.in(t)
			w.resolves(refs[3], "drop")
			w.awaitMessage(w.cast.Channel, "Withdrawn", w.fqdn(servers[3]), "I looked.")
			assert.Empty(t, w.tickets(servers[3]))
			w.accepted(w.cast.Channel, w.cast.User, servers[3])
			w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(servers[3]))
			assert.Len(t, w.tickets(servers[3]), 1)
		})
		code, said := w.ends([]string{"resolve", refs[0], "none", "--why", "again"})
		assert.Equal(t, 1, code, "what is not stuck cannot be resolved: %s", said)
		assert.Equal(t, map[string]int{"filed": 3, "duplicate": 1, "withdrawn": 1}, w.recorded())
		w.exportsResolutions(refs, []string{"filed", "filed", "none", "drop"})
	})
}

// wrongResolutions tries what must not change a stuck request.
func (w *world) wrongResolutions(ref string) {
	w.t.Helper()
	elsewhere := strconv.FormatInt(w.hardware(w.which("a ticket", func(h hardware) bool { return h.OpenCancellationTicket != nil })).OpenCancellationTicket.ID, 10)
	for _, wrong := range []struct {
		name string
		args []string
		code int
	}{
		{"nothing said", nil, 2},
		{"no finding", []string{ref, "--why", "x"}, 2},
		{"an unknown finding", []string{ref, "maybe", "--why", "x"}, 2},
		{"no ticket", []string{ref, "filed", "--why", "x"}, 2},
		{"a ticket that is no number", []string{ref, "filed", "CS12", "--why", "x"}, 2},
		{"no why", []string{ref, "none"}, 2},
		{"a why of spaces", []string{ref, "none", "--why", "  "}, 2},
		{"an unknown flag", []string{ref, "none", "--force", "--why", "x"}, 2},
		{"no reference at all", []string{"hello", "none", "--why", "x"}, 2},
		{"an unknown reference", []string{"0000-0000", "none", "--why", "x"}, 1},
		{"a ticket about another server", []string{ref, "filed", elsewhere, "--why", "x"}, 1},
	} {
		code, said := w.ends(append([]string{"resolve"}, wrong.args...))
		assert.Equal(w.t, wrong.code, code, "%s: %s", wrong.name, said)
		assert.NotEmpty(w.t, said, wrong.name)
	}
	assert.Equal(w.t, map[string]int{"stuck": 4}, w.recorded())
}

// resolves says what a person found, and holds the program to taking it.
func (w *world) resolves(ref string, finding ...string) {
	w.t.Helper()
	args := append([]string{"resolve", ref}, finding...)
	code, said := w.ends(append(args, "--why", "I looked."))
	require.Zero(w.t, code, said)
	assert.Contains(w.t, said, ref)
}

// exportsResolutions holds the audit log to what people found about requests.
func (w *world) exportsResolutions(refs, findings []string) {
	w.t.Helper()
	w.sealed()
	lines, _ := w.exported()
	found := map[string]string{}
	for _, line := range lines {
		if line["kind"] != "resolved" {
			continue
		}
		var said struct{ Finding, Why string }
		require.NoError(w.t, json.Unmarshal([]byte(line["detail"].(string)), &said))
		assert.Positive(w.t, line["position"], "it is sealed")
		assert.Regexp(w.t, `^operator:.`, line["actor"])
		assert.Equal(w.t, "stuck", line["from"])
		assert.Equal(w.t, "I looked.", said.Why)
		ref := line["ref"].(string)
		assert.Empty(w.t, found[ref], "one resolution each")
		found[ref] = said.Finding
	}
	want := map[string]string{}
	for i, ref := range refs {
		want[ref] = findings[i]
	}
	assert.Equal(w.t, want, found)
}

// ticketOf is the id of a server's newest cancellation ticket.
func (w *world) ticketOf(server int64) string {
	w.t.Helper()
	found := w.tickets(server)
	require.NotEmpty(w.t, found)
	return strconv.FormatInt(found[len(found)-1].ID, 10)
}

// marker is the line by which a ticket is known as this request's.
func (w *world) marker(ref string) string {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	var whole string
	require.NoError(w.t, db.QueryRowContext(w.t.Context(), "select ref from requests where short_ref = $1", ref).Scan(&whole))
	return "[cancel-server " + ref + " " + whole + "]"
}
