package slackui

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

func TestEarlyFormShowsTheRefusedNoServer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	who := s.cast.Stranger
	require.NoError(t, s.slack.Fault("users.info", fakeslack.FaultError500, 1))
	s.command(who, "")
	form := s.top(who)
	offered, err := s.slack.Options(t.Context(), fakeslack.Lookup{User: who, View: form.ID, BlockID: words.ServerBlock, ActionID: words.ServerAction, Value: "db-042"})
	require.NoError(t, err)
	assert.Empty(t, offered.Options, "no names, no addresses")

	s.choose(who, db)
	shown := s.waitFor(who, "You may not ask for cancellations here: you belong to another workspace")
	assert.Contains(t, slacktest.TextOf(shown.View), "Rule builtin-stranger.")
	assert.NotContains(t, string(shown.View), "10.3.4.5")

	typed := filled(db, dbName)
	delete(typed, words.BlockOf(words.ConfirmBlock, db))
	told, _ := s.submit(who, typed)["errors"].(map[string]any)
	assert.Contains(t, told[words.ServerBlock], "Rule builtin-stranger. Nothing was filed.")
	assert.Zero(t, s.rack.reads, "SoftLayer was not asked for them")
}

func TestPersonNotReadInTimeSeesNoServer(t *testing.T) {
	t.Parallel()
	for _, unanswered := range []struct{ method, fault string }{
		{"users.info", fakeslack.FaultHang},
		{"users.info", fakeslack.FaultRateLimited},
		{"usergroups.list", fakeslack.FaultHang},
		{"usergroups.list", fakeslack.FaultRateLimited},
		{"usergroups.list", "internal_error"},
	} {
		t.Run(unanswered.method+" "+unanswered.fault, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			require.NoError(t, s.slack.Fault(unanswered.method, unanswered.fault, 1))
			s.command(s.cast.Outsider, "1234567")
			s.waitFor(s.cast.Outsider, words.Writer{}.PeopleUnread(nil))
			form := s.top(s.cast.Outsider)
			offered, err := s.slack.Options(t.Context(), fakeslack.Lookup{User: s.cast.Outsider, View: form.ID, BlockID: words.ServerBlock, ActionID: words.ServerAction, Value: "db-042"})
			require.NoError(t, err)
			assert.Empty(t, offered.Options, "no names, no addresses")
			s.rack.mu.Lock()
			assert.Zero(t, s.rack.reads, "SoftLayer was not asked for them")
			s.rack.mu.Unlock()
		})
	}
}

func TestPersonReadLateLearnsWhyNoServerShows(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	require.NoError(t, s.slack.Fault("users.info", "internal_error", 1)) // the command does not learn who asks
	s.command(s.cast.Guest, "1234567")
	s.waitFor(s.cast.Guest, "Rule builtin-guest.")
	s.rack.mu.Lock()
	defer s.rack.mu.Unlock()
	assert.Zero(t, s.rack.reads)
}

func TestRightsToSeeServersAreCachedAMinute(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, db, dbName)
	for range 5 {
		assert.Empty(t, s.app.unseeing(t.Context(), metadata{By: cancellation.Person{ID: s.cast.User}}))
	}
	assert.Equal(t, 1, s.count("users.info"))
}
