package slackui

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/receive"
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

// goesOn presses "Several servers…" in a form that waits for a choice, and returns the list and what it begins with.
func (s *stage) goesOn() (list fakeslack.View, begins []string) {
	s.t.Helper()
	view := s.waitFor(s.cast.User, "Choose the server that you mean.")
	ack, err := s.slack.Act(s.t.Context(), fakeslack.Action{User: s.cast.User, View: view.ID, BlockID: "several", ActionID: words.SeveralAction})
	require.NoError(s.t, err)
	require.Empty(s.t, ack.Error)
	list = s.waitFor(s.cast.User, "Which servers?")
	return list, beginning(s.t, list)
}

// beginning returns the names that stand in a list.
func beginning(t *testing.T, list fakeslack.View) (names []string) {
	t.Helper()
	slacktest.Walk(decoded(t, list.View), func(object map[string]any) {
		if object["action_id"] == words.NamesAction {
			text, _ := object["initial_value"].(string)
			names = append(names, strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == ',' })...)
		}
	})
	return names
}

// sendsNames sends the list as it is.
func (s *stage) sendsNames() {
	s.t.Helper()
	values := filled(db, dbName)
	body := s.submit(s.cast.User, fakeslack.Values{words.ReasonBlock: values[words.ReasonBlock], words.ContentBlock: values[words.ContentBlock]})
	require.Equal(s.t, "update", body["response_action"], body)
}

func TestNameOfSeveralServersTicksNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		command, alert string
		begins         []string
		review         string
		ticked         int64
	}{
		"by a command": {"db-042", "", []string{"db-042"}, "Review: 0 of 1", 0},
		"by an alert":  {"", "db-042 is down", []string{"db-042"}, "Review: 0 of 1", 0},
		"next to a name of one": {
			"", "db-042, " + webName + " and cache-7 are down", []string{webName, "db-042"}, "Review: 1 of 2", web,
		},
		"next to its full name": {"", dbName + " (db-042) is down", []string{dbName, "db-042"}, "Review: 1 of 2", db},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, withLists)
			s.changes(twin, func(server *cancellation.Server) { server.Tags = nil }) // nothing but the name tells them apart
			if c.alert != "" {
				m := s.alert(c.alert, "")
				s.use(s.cast.User, MessageShortcut, &m)
			} else {
				s.command(s.cast.User, c.command)
			}
			_, begins := s.goesOn()
			assert.Equal(t, c.begins, begins)
			s.sendsNames()
			review := s.waitFor(s.cast.User, c.review)
			assert.Contains(t, slacktest.TextOf(review.View), "2 servers have this name.")
			for _, server := range []int64{db, twin, web} {
				assert.Equal(t, server == c.ticked, strings.Contains(string(review.View), fmt.Sprintf(`"value":"%d"`, server)), server)
			}
		})
	}
}

func TestNamesOfAnAlertBeginAList(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLists)
	m := s.alert(dbName+" and "+webName+" are down, see grafana.example.com", "")
	s.use(s.cast.User, MessageShortcut, &m)
	_, begins := s.goesOn()
	assert.Equal(t, []string{dbName, webName}, begins)
	s.sendsNames()
	s.waitFor(s.cast.User, "Review: 2 of 2")
}

func TestLongAlertGoesOnInAList(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for n := range 400 {
		fmt.Fprintf(&many, " app-%03d.example.com", n)
	}
	for name, c := range map[string]struct {
		text    string
		names   int
		missing bool
	}{
		"eleven names":                           {dbName + " " + webName + " 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.8 10.0.0.9", 11, false},
		"more than both inputs hold":             {dbName + " " + webName + many.String(), 298, true},
		"a message that was not read to its end": {dbName + " " + webName + strings.Repeat(" and", receive.MaxMessageText/4), 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, withLists)
			m := s.alert(c.text, "")
			s.use(s.cast.User, MessageShortcut, &m)
			list, begins := s.goesOn()
			assert.Len(t, begins, c.names)
			assert.Subset(t, begins, []string{dbName, webName})
			assert.Equal(t, c.missing, strings.Contains(slacktest.TextOf(list.View), words.NamesMissing))
		})
	}
}

func TestListSaysThatNamesAreMissing(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLists)
	s.app.sealer.cards = fullCardStore{s.app.sealer.cards}
	s.command(s.cast.User, "db-042")
	list, begins := s.goesOn()
	assert.Empty(t, begins)
	assert.Contains(t, slacktest.TextOf(list.View), words.NamesNotKept)
}

func TestLongCommandIsNotCutInSilence(t *testing.T) {
	t.Parallel()
	names := func(count int) (all []string) {
		for n := range count {
			all = append(all, fmt.Sprintf("app-%03d.example.com", n))
		}
		return all
	}
	long := strings.Join(names(200), " ")
	for name, c := range map[string]struct {
		text   string
		begins []string
		note   bool
	}{
		"one input takes it":          {strings.Join(names(140), ", "), names(140), false},
		"both inputs take it":         {long, names(200), false},
		"with a query":                {"tag:old " + long, append(names(200), "tag:old"), false},
		"with a wrong query":          {"tags:old " + long, nil, true},
		"as a table":                  {"id,name\n1234567,db-042\n" + long, nil, true},
		"a word longer than an input": {dbName + " " + strings.Repeat("a.", 2000) + "com", nil, true},
		"more than both inputs":       {strings.Join(names(400), " "), nil, true},
		"the same again and again":    {strings.Repeat(dbName+" "+webName+" ", 80), []string{dbName, webName}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, withLists)
			s.command(s.cast.User, c.text)
			list := s.waitFor(s.cast.User, "Which servers?")
			assert.Equal(t, c.begins, beginning(t, list))
			assert.Equal(t, c.note, strings.Contains(slacktest.TextOf(list.View), words.PasteHere))
		})
	}
}
