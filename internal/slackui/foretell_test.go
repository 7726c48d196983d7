package slackui

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

func TestCardForetellsWhatTheDayDecides(t *testing.T) {
	t.Parallel()
	const no = "⛔ You may not ask to cancel this server: one a day.\nRule one-a-day"
	s := newStage(t)
	policy, err := authz.Parse("policy.cedar", fmt.Appendf(nil, `
@id("all") permit (principal in Group::%q, action, resource);
@id("one-a-day") @reason("one a day.") forbid (principal, action == Action::"request", resource) when { context.today > 1 && context.count == 1 };`, s.cast.RequestGroup))
	require.NoError(t, err)
	s.inForce.Store(policy)
	s.command(s.cast.User, "")
	s.choose(s.cast.User, db)
	assert.NotContains(t, slacktest.TextOf(s.waitFor(s.cast.User, dbName+" · id").View), "⛔", "the first of the day")
	s.submit(s.cast.User, filled(db, dbName))

	s.command(s.cast.User, "")
	s.choose(s.cast.User, twin)
	assert.Contains(t, slacktest.TextOf(s.waitFor(s.cast.User, "db-042.prod.example.com · id").View), no)
	s.advance(24 * time.Hour)
	s.command(s.cast.User, "")
	s.choose(s.cast.User, twin)
	assert.NotContains(t, slacktest.TextOf(s.waitFor(s.cast.User, "db-042.prod.example.com · id").View), no, "the first of the next day")
}

// TestAProtectedServersCardSaysSoAtOnce chooses in each of the ways that there are.
func TestAProtectedServersCardSaysSoAtOnce(t *testing.T) {
	t.Parallel()
	const (
		name = "db-042.prod.example.com"
		no   = "⛔ You may not ask to cancel this server: servers tagged protected are never cancelled here; the people who run this bot can say why.\nRule protected-tags"
	)
	s := newStage(t)
	s.command(s.cast.User, "")
	s.choose(s.cast.User, twin)
	card := slacktest.TextOf(s.waitFor(s.cast.User, name+" · id").View)
	assert.Contains(t, card, no, "chosen from the list")
	s.choose(s.cast.User, db)
	assert.NotContains(t, slacktest.TextOf(s.waitFor(s.cast.User, dbName+" · id").View), "⛔", "another server's card says nothing of it")

	s.command(s.cast.User, name)
	assert.Contains(t, slacktest.TextOf(s.waitFor(s.cast.User, name+" · id").View), no, "named with the command")

	s.command(s.cast.User, "")
	values := filled(twin, name)
	delete(values, words.BlockOf(words.ConfirmBlock, twin)) // the form has no such field yet
	s.submit(s.cast.User, values)
	assert.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), no, "submitted before its card was shown")

	server := s.rack.servers[twin]
	server.Tags = nil
	s.rack.set(server)
	s.choose(s.cast.User, twin)
	assert.NotContains(t, slacktest.TextOf(s.waitFor(s.cast.User, "no tags").View), "⛔", "its tag was taken away")
}
