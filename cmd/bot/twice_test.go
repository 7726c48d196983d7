//go:build unix

package main

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// ages makes what cards have shown of filed requests a quarter of an hour older.
func (w *world) ages() {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	var triggers []string // the history cannot be changed while they stand
	rows, err := db.QueryContext(w.t.Context(), `select name from sqlite_master where type = 'trigger' and tbl_name = 'events'`)
	require.NoError(w.t, err)
	for rows.Next() {
		var name string
		require.NoError(w.t, rows.Scan(&name))
		triggers = append(triggers, `drop trigger "`+name+`"`)
	}
	require.NoError(w.t, errors.Join(rows.Err(), rows.Close()))
	for _, text := range append(triggers, `update events set at = at - 900000 where kind = 'evidence'`) {
		_, err := db.ExecContext(w.t.Context(), text)
		require.NoError(w.t, err)
	}
}

func TestClosedTicketIsSeenTwiceBeforeAnEnd(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, setup{})
	w.accepted(w.cast.Channel, w.cast.User, w.server)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
	w.blockedForm(w.cast.User, w.server) // it stands

	w.control(http.MethodPost, "/ticket", map[string]any{"id": w.tickets(w.server)[0].ID, "close": true}, nil)
	assert.Contains(t, w.blockedForm(w.cast.User, w.server).text(w), "one look is not enough to be sure. Open this form again after")
	w.blockedForm(w.cast.User, w.server)
	assert.Equal(t, map[string]int{"filed": 1}, w.recorded(), "one closed ticket that was seen frees no server")

	w.ages()
	w.accepted(w.cast.Channel, w.cast.User, w.server)
	w.awaitMessage(w.cast.Channel, "Stopped", w.fqdn(w.server))
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
	assert.Len(t, w.tickets(w.server), 2)
	assert.Equal(t, map[string]int{"reverted": 1, "filed": 1}, w.recorded())
}

func TestMissingServerIsSeenTwiceBeforeAnEnd(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportSocket, patient())
	name, id := w.fqdn(w.server), strconv.FormatInt(w.server, 10)
	w.accepted(w.cast.Channel, w.cast.User, w.server)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", name)
	looks := func(shows string) {
		w.command(w.cast.User, "")
		w.pick(w.cast.User, option(id))
		w.eventually("the form shows: "+shows, func() bool { return strings.Contains(w.top(w.cast.User).text(w), shows) })
	}
	w.control(http.MethodPost, "/server", map[string]any{"id": w.server, "remove": true}, nil)
	looks("Whether the server is gone will be known after")
	assert.Equal(t, map[string]int{"filed": 1}, w.recorded())
	w.ages()
	looks("SoftLayer has no such server, or this key may not see it.")
	w.awaitMessage(w.cast.Channel, "Gone", name)
	assert.Equal(t, map[string]int{"reclaimed": 1}, w.recorded())
}
