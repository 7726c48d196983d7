package slackui

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

// TestEachPossibleServerHasAButton chooses by the button, and does the rest of
// the job in that form.
func TestEachPossibleServerHasAButton(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(s *stage){
		"by an alert": func(s *stage) {
			m := s.alert("db-042 is down", "")
			s.use(s.cast.User, MessageShortcut, &m)
		},
		"by a command": func(s *stage) { s.command(s.cast.User, "db-042") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			open(s)
			view := s.waitFor(s.cast.User, "Choose the server that you mean.")
			ids := map[string]bool{}
			slacktest.Walk(decoded(t, view.View), func(object map[string]any) {
				if object["type"] == "button" && object["action_id"] != words.SeveralAction {
					ids[object["value"].(string)] = true
				}
			})
			assert.Equal(t, map[string]bool{strconv.FormatInt(db, 10): true, strconv.FormatInt(twin, 10): true}, ids, "both, and no other server")

			typed := fakeslack.Values{words.ContentBlock: {words.ContentAction: {"value": "Replaced by db-060."}}}
			ack, err := s.slack.Act(t.Context(), fakeslack.Action{
				User: s.cast.User, View: view.ID, BlockID: words.OffersBlock, ActionID: words.OfferAction + strconv.FormatInt(db, 10), Values: typed,
			})
			require.NoError(t, err)
			require.Empty(t, ack.Error)
			form := s.waitFor(s.cast.User, "Type "+dbName+" to confirm")
			assert.Contains(t, string(form.View), "Replaced by db-060.", "what was typed is kept")
			values := filled(db, dbName)
			delete(values, words.ServerBlock) // chosen by the button
			s.submit(s.cast.User, values)
			_, standing := s.live(db)
			assert.True(t, standing, "the server of the button is asked for")
			_, standing = s.live(twin)
			assert.False(t, standing)
		})
	}
}

func TestAlertReadInPartOffersNoServer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	m := s.alert(dbName+" web-001.stg.example.com 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.8 10.0.0.9", "")
	s.use(s.cast.User, MessageShortcut, &m)
	view := s.waitFor(s.cast.User, "Not all names in this message were looked up.")
	assert.NotContains(t, string(view.View), words.OfferAction, "the one that is meant may be among the others")
}
