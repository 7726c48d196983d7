package slackui

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/serverlist"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

func TestManifestHasTheBotsShortcuts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../manifest.yaml")
	require.NoError(t, err)
	assert.Contains(t, string(text), "type: global\n      callback_id: "+GlobalShortcut+"\n")
	assert.Contains(t, string(text), "type: message\n      callback_id: "+MessageShortcut+"\n")
}

func TestNamesAreFoundInAnAlert(t *testing.T) {
	t.Parallel()
	var many []string
	for n := range 20 {
		many = append(many, fmt.Sprintf("web-%03d", n))
	}
	for said, want := range map[string][]string{
		"":                             nil,
		"The disk is full.":            nil,
		"on db-042, disk /dev/sda 93%": {"db-042"},
		"<http://DB-042.stg.example.com|DB-042.stg.example.com>: down.":      {"db-042.stg.example.com"},
		"load on web001, then db-042.stg.example.com (10.3.4.5:9100) at 12h": {"db-042.stg.example.com", "10.3.4.5", "web001"},
		"<@U0ABC123> and <#C0ABC123|x-1> see <!subteam^S0ABC123> v1.2.3":     {},
		"2026-11-26 10:00 -- 300.1.1.1 ::1 -db- a-":                          nil,
		"*db-042*, _db-042_ `DB-042`":                                        {"db-042"},
		"db-04…, db-05... db-06[1-3] db-07{1,2} 10.3.4.1… db-042.":           {"db-042"},
		"mx-1.example.com[10.3.4.5]: lost":                                   {"mx-1.example.com", "10.3.4.5"},
		"prod_db-042, prod_db-042.stg.example.com and db-042_old":            nil,
		"https://grafana.example.com/d/x?var-host=db-042&from=now-6h":        {"grafana.example.com", "var-host", "db-042", "now-6h"},
		strings.Join(many, " ") + " 10.1.2.3":                                append([]string{"10.1.2.3"}, many...),
	} {
		got, cut := candidates(said)
		assert.ElementsMatch(t, want, got, said)
		assert.False(t, cut, said)
	}
	got, _ := candidates("b-1 a.example.com 10.0.0.1")
	assert.Equal(t, []string{"a.example.com", "10.0.0.1", "b-1"}, got, "what is certainly a name comes first")
	got, cut := candidates(strings.Repeat(" ", receive.MaxMessageText-11) + "db-042 db-0")
	assert.True(t, cut, "the rest of it was not read")
	assert.Equal(t, []string{"db-042"}, got, "the last word may go on")
}

func TestAllThatAMessageSaysIsRead(t *testing.T) {
	t.Parallel()
	got, err := receive.ParseInteraction([]byte(`{"type":"message_action","callback_id":"cancel-server-message","trigger_id":"1.2","team":{"id":"T1"},
	 "user":{"id":"U1","name":"ana"},"channel":{"id":"C1","name":"ops"},"message_ts":"5.6","response_url":"https://hooks.slack.com/a",
	 "message":{"type":"message","ts":"5.6","thread_ts":"5.1","text":"top",
	  "blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"link","url":"http://db-042"},{"type":"text","text":"in rich text"}]}]},
	            {"type":"section","text":{"type":"mrkdwn","text":"in a section"},"fields":[{"type":"mrkdwn","text":"in a field"}]}],
	  "attachments":[{"fallback":"fell back","pretext":"before","title":"titled","fields":[{"title":"Host","value":"web-001","short":true}],"actions":[{"type":"button","text":"Ack","value":"old-button"}],
	   "blocks":[{"type":"header","text":{"type":"plain_text","text":"deep"}},
	    {"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"Silence"},"value":"button-1"},
	     {"type":"static_select","options":[{"text":{"type":"plain_text","text":"one"},"value":"option-1"}]}]}]}]}}`))
	require.NoError(t, err)
	assert.Equal(t, "cancel-server-message", got.CallbackID)
	assert.Equal(t, []string{"C1", "ops", "5.6", "5.1"}, []string{got.Channel, got.ChannelName, got.MessageTS, got.ThreadTS})
	for _, part := range []string{"top", "http://db-042", "in rich text", "in a section", "in a field", "fell back", "before", "titled", "Host", "web-001", "deep", "Silence"} {
		assert.Contains(t, got.MessageText, part)
	}
	for _, unseen := range []string{"button-1", "option-1", "old-button"} {
		assert.NotContains(t, got.MessageText, unseen, "nobody sees what a button sends")
	}
	huge, err := receive.ParseInteraction([]byte(`{"type":"message_action","callback_id":"c","trigger_id":"1","user":{"id":"U1"},"channel":{"id":"C1"},
	 "message":{"ts":"1.2","text":"` + strings.Repeat("é", 30_000) + `","blocks":"not a list"}}`))
	require.NoError(t, err)
	assert.LessOrEqual(t, len(huge.MessageText), receive.MaxMessageText)
}

// alert is a message that another app posts, under somebody's name.
func (s *stage) alert(text string, thread string) fakeslack.Message {
	s.t.Helper()
	m, err := s.slack.Say(s.t.Context(), fakeslack.Said{User: s.cast.Requester, Channel: s.cast.Channel, Text: text, ThreadTS: thread})
	require.NoError(s.t, err)
	return m
}

func (s *stage) use(user, callback string, on *fakeslack.Message) {
	s.t.Helper()
	used := fakeslack.Shortcut{User: user, CallbackID: callback}
	if on != nil {
		used.Message = &fakeslack.MessageRef{Channel: on.Channel, TS: on.TS}
	}
	before := s.answers()
	ack, err := s.slack.Shortcut(s.t.Context(), used)
	require.NoError(s.t, err)
	require.Empty(s.t, ack.Error)
	if callback == GlobalShortcut && on == nil || callback == MessageShortcut && on != nil {
		s.answered(before)
	}
}

func TestMessageShortcutShowsTheNamedServer(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a full name": "CRITICAL db-042.stg.example.com: disk 97%", "an address": "no ping from 10.3.4.5 for 5m",
		"both": "db-042.stg.example.com (10.3.4.5) is down since 2h", "among others": "web-999 says that db-042.stg.example.com is down",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			m := s.alert(text, "")
			s.use(s.cast.User, MessageShortcut, &m)
			view := s.waitFor(s.cast.User, "Type "+dbName+" to confirm")
			assert.Contains(t, slacktest.TextOf(view.View), "the result goes to the message's thread in #infra-changes")
			s.submit(s.cast.User, filled(db, dbName))
			r, standing := s.live(db)
			require.True(t, standing)
			assert.Equal(t, s.cast.Channel, r.Submission.Place.Channel)
			assert.Equal(t, m.TS, r.Submission.Place.Thread)
			assert.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "The result goes to the message's thread in #infra-changes.")
		})
	}
}

func TestThreadMessageIsAnsweredInItsThread(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	root := s.alert("Something is wrong.", "")
	m := s.alert("It is db-042.stg.example.com.", root.TS)
	s.use(s.cast.User, MessageShortcut, &m)
	s.waitFor(s.cast.User, "Type "+dbName+" to confirm")
	s.submit(s.cast.User, filled(db, dbName))
	r, standing := s.live(db)
	require.True(t, standing)
	assert.Equal(t, root.TS, r.Submission.Place.Thread)
	at, delivery, _ := s.announcer().Post(t.Context(), r.Submission.Place, cancellation.Result, r)
	require.Equal(t, cancellation.Delivered, delivery)
	messages, err := s.slack.Messages(t.Context(), s.cast.Channel, 0)
	require.NoError(t, err)
	last := messages[len(messages)-1]
	assert.Equal(t, at.TS, last.TS)
	assert.Equal(t, root.TS, last.ThreadTS, "the result stands in the thread")
}

func TestAMessageShortcutPicksNoServerAmongSeveral(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, says string
		failing    error
	}{
		"two names":           {"db-042.stg.example.com and web-001.stg.example.com", "This message names 2 servers: db-042.stg.example.com, web-001.stg.example.com. Choose the server that you mean.", nil},
		"a short name of two": {"db-042 is down", "This message names 2 servers: db-042.stg.example.com, db-042.prod.example.com. Choose the server that you mean.", nil},
		"none of the names":   {"cache-7 and cache-8 are down", "No server has any of these names: cache-7, cache-8. Choose the server that you mean.", nil},
		"one name of nobody":  {"cache-7 is down", "No server is called exactly cache-7. Choose the server that you mean.", nil},
		"more than are looked up": {
			dbName + " 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.8 10.0.0.9 web-001.stg.example.com",
			"Not all names in this message were looked up. Servers found: db-042.stg.example.com. Choose the server that you mean.", nil,
		},
		"no name at all":         {"It is down!", "This message names no server. Choose the server that you mean.", nil},
		"SoftLayer is not there": {"db-042.stg.example.com", "SoftLayer did not answer about all names in this message. Choose the server that you mean.", errors.New("down")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.rack.fail(c.failing)
			m := s.alert(c.text, "")
			s.use(s.cast.User, MessageShortcut, &m)
			view := s.waitFor(s.cast.User, c.says)
			assert.NotContains(t, slacktest.TextOf(view.View), "to confirm")
		})
	}
}

func TestAGlobalShortcutAnswersByDirectMessage(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.use(s.cast.User, GlobalShortcut, nil)
	view := s.waitFor(s.cast.User, "What ran here")
	assert.Contains(t, slacktest.TextOf(view.View), "the result goes to you")
	s.choose(s.cast.User, db)
	s.waitFor(s.cast.User, "Type "+dbName+" to confirm")
	s.submit(s.cast.User, filled(db, dbName))
	r, standing := s.live(db)
	require.True(t, standing)
	assert.Empty(t, r.Submission.Place.Channel)
	assert.Empty(t, r.Submission.Place.Thread)
	assert.Equal(t, s.slack.TeamID(), r.Submission.By.Team)
}

func TestShortcutRefusalIsSeenByOnePerson(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	m := s.alert("db-042.stg.example.com is down", "")
	s.use(s.cast.Guest, MessageShortcut, &m)
	s.whispered(s.cast.Guest, s.cast.Channel, "You may not ask for cancellations here")
	s.use(s.cast.Guest, GlobalShortcut, nil)
	slacktest.Eventually(t, func() bool {
		all, err := s.slack.Messages(t.Context(), s.cast.Guest, 0)
		require.NoError(t, err)
		return len(all) == 1 && strings.Contains(all[0].Text, "You may not ask for cancellations here")
	}, "a global shortcut has no response_url: they read it in their direct messages")
	open, err := s.slack.Views(s.cast.Guest)
	require.NoError(t, err)
	assert.Empty(t, open)
}

func TestMessageShortcutShowsNoServerToTheUnknown(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	require.NoError(t, s.slack.Fault("users.info", "internal_error", 2))
	m := s.alert("db-042.stg.example.com and web-001.stg.example.com are down", "")
	s.use(s.cast.Guest, MessageShortcut, &m)
	view := s.waitFor(s.cast.Guest, words.Writer{}.PeopleUnread(nil))
	assert.NotContains(t, string(view.View), "db-042")
	s.rack.mu.Lock()
	defer s.rack.mu.Unlock()
	assert.Zero(t, s.rack.reads)
}

func TestUnknownShortcutDoesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	m := s.alert("db-042.stg.example.com is down", "")
	s.use(s.cast.User, "another", nil)
	s.use(s.cast.User, MessageShortcut, nil)
	s.use(s.cast.User, GlobalShortcut, &m)
	assert.Zero(t, s.count("views.open"))
}

func TestAShortcutDeliveredTwiceOpensOneForm(t *testing.T) {
	t.Parallel()
	for callback, onMessage := range map[string]bool{GlobalShortcut: false, MessageShortcut: true} {
		s := newStage(t)
		var on *fakeslack.Message
		if onMessage {
			m := s.alert("db-042.stg.example.com is down", "")
			on = &m
		}
		method := map[bool]string{false: "shortcut", true: "message_action"}[onMessage]
		require.NoError(t, s.slack.Fault(method, fakeslack.FaultRedeliver, 1))
		s.use(s.cast.User, callback, on)
		s.waitFor(s.cast.User, "What ran here")
		assert.Equal(t, 1, s.count("views.open"), callback)
	}
}

func TestMessageShortcutOpensTheFormAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	gate := make(chan struct{})
	s.rack.hold(db, gate)
	m := s.alert("db-042.stg.example.com is down", "")
	s.use(s.cast.User, MessageShortcut, &m)
	s.waitFor(s.cast.User, "Looking up the servers in this message")
	close(gate)
	s.waitFor(s.cast.User, "Type "+dbName+" to confirm")
}

func TestThreadResultGoesByResponseURL(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, slacktest.AnswerJSON(`{"ok":true}`))
	a, _ := announcerFor(t, slackAPI)
	r := posted()
	r.Submission.Place.Thread = "5.6"
	delivery, _ := a.Respond(t.Context(), slackAPI.URL+"/api/response", r)
	require.Equal(t, cancellation.Delivered, delivery)
	sent := slackAPI.Received()[0].JSON
	assert.Equal(t, "5.6", sent["thread_ts"])
	assert.Equal(t, "in_channel", sent["response_type"])
	assert.Equal(t, false, sent["replace_original"], "or the message that was acted on is overwritten")
}

func TestLostPostInAThreadIsSearchedThere(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w := slacktest.NewWorkspace(t, fakeslack.Options{})
		w.SetScopes("chat:write", "im:write", "channels:history")
		a := NewAnnouncer(AnnouncerOptions{Web: clientIn(t, w), Words: plainWords{}, Log: slacktest.Silent()})
		root, err := w.Say(t.Context(), fakeslack.Said{User: w.Cast().User, Channel: w.Cast().Channel, Text: "down"})
		require.NoError(t, err)
		r := posted()
		r.Submission.Place = cancellation.Place{Channel: w.Cast().Channel, Thread: root.TS}
		_, isThere, known := a.Find(t.Context(), r.Submission.Place, cancellation.Result, r, time.Now())
		assert.True(t, !isThere && known)

		at, delivery, _ := a.Post(t.Context(), r.Submission.Place, cancellation.Result, r)
		require.Equal(t, cancellation.Delivered, delivery)
		found, isThere, known := a.Find(t.Context(), r.Submission.Place, cancellation.Result, r, time.Now())
		assert.True(t, isThere && known)
		assert.Equal(t, at, found)

		w.SetScopes("chat:write")
		_, _, known = a.Find(t.Context(), r.Submission.Place, cancellation.Result, r, time.Now())
		assert.False(t, known, "no scope, no knowledge")
		r.Submission.Place.Thread = "1.1"
		w.SetScopes("chat:write", "channels:history")
		_, _, known = a.Find(t.Context(), r.Submission.Place, cancellation.Result, r, time.Now())
		assert.False(t, known, "nor where the thread is gone")
	})
}

func TestChannelCalledDirectmessageIsNoDirectMessage(t *testing.T) {
	t.Parallel()
	public := metadata{Channel: "C1", ChannelName: "directmessage"}.place()
	assert.False(t, public.Alone)
	assert.True(t, metadata{Channel: "D1", ChannelName: "directmessage"}.place().Alone)
}

// FuzzTyped holds that nothing that people type or point at makes reading it panic, and that what is read is bounded.
func FuzzTyped(f *testing.F) {
	for _, text := range []string{
		"", "db.example.com", "10.3.4.5", "freeze an outage", "unfreeze", "mine", "status db", "1234567", "web-01, web-02; tag:old", "dc: x",
		"please cancel <http://db-1.example.com|db-1.example.com> and `web2`, not <@U1> <!channel>",
		strings.Repeat("a1.example.com ", 3000), "\xff\u2028|<>", strings.Repeat("<", 20_000),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		names, _ := candidates(text)
		inputs, _ := filledIn(names)
		assert.Less(t, max(len(inputs[0]), len(inputs[1])), serverlist.MaxInput)
		for _, name := range names {
			assert.NotEmpty(t, name)
			assert.NotContains(t, name, " ")
		}
		order, _ := freezeOrder(text)
		assert.LessOrEqual(t, utf8.RuneCountInString(order.Why), words.MaxWhy)
		assert.NotContains(t, order.Why, "\n")
		standingOrder(text)
		isList(text)
	})
}
