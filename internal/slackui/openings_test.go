package slackui

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

// opening is the way to a form in virtual time, in a workspace whose request group may ask for one
// server a day.
type opening struct {
	*slacktest.Workspace
	t      *testing.T
	app    *App
	day    *day
	policy atomic.Pointer[authz.Policy]
}

// day is what a person has asked for, and how often that was read.
type day struct {
	cancellation.Intake
	asked, reads atomic.Int64
	failing      atomic.Bool
}

func (d *day) Asked(context.Context, string, int64) (int64, error) {
	d.reads.Add(1)
	if d.failing.Load() {
		return 0, errors.New("the database is away")
	}
	return d.asked.Load(), nil
}

func (d *day) Now(context.Context) (time.Time, error) { return time.Now(), nil }

func newOpening(t *testing.T) *opening {
	t.Helper()
	o := &opening{Workspace: slacktest.NewWorkspace(t, fakeslack.Options{Seed: 7}), t: t, day: &day{}}
	client := clientIn(t, o.Workspace)
	directory := NewDirectory(DirectoryOptions{Web: client, HomeTeam: o.TeamID(), Log: slacktest.Silent()})
	t.Cleanup(directory.Close)
	o.adopt(o.Cast().RequestGroup)
	o.app = NewApp(Options{
		Desk: &cancellation.Desk{Intake: o.day, Clock: o.day, Terms: cancellation.Terms{ServersPerDay: 1}},
		Web:  client, Directory: directory, Policy: o.policy.Load, Words: testWords(), Log: slacktest.Silent(),
	})
	require.NoError(t, directory.Warm(t.Context(), o.policy.Load().GroupIDs()))
	return o
}

// adopt puts a policy in force that lets one group ask.
func (o *opening) adopt(group string) {
	policy, err := authz.FromGroups(authz.Groups{Home: o.TeamID(), Request: []string{group}, Approve: []string{authz.None}})
	require.NoError(o.t, err)
	o.policy.Store(policy)
}

// refused is what the user reads instead of a form; it is empty where the form would open.
func (o *opening) refused() string {
	asks := receive.Command{Team: o.TeamID(), User: o.Cast().User, Channel: o.Cast().Channel}
	if refused := o.app.refusedAtHand(asks); !refused.Empty() {
		return refused.Text
	}
	_, refused := o.app.mayAsk(o.t.Context(), entry{from: asks, openings: o.app.openings})
	synctest.Wait() // a reading of the groups may be under way
	return refused.Text
}

func TestRememberedAnswerOpensFormsForFiveSeconds(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		o := newOpening(t)
		require.Empty(t, o.refused())
		o.day.asked.Store(1)
		time.Sleep(openingLife)
		assert.Empty(t, o.refused(), "it opens a form, and the submission counts again")
		assert.EqualValues(t, 1, o.day.reads.Load())
		time.Sleep(time.Nanosecond)
		assert.Contains(t, o.refused(), words.TooMany(1))
		assert.LessOrEqual(t, openingLife, 5*time.Second)
	})
}

func TestRefusalIsNeverRemembered(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		o := newOpening(t)
		o.day.asked.Store(1)
		for range 2 {
			require.Contains(t, o.refused(), words.TooMany(1))
		}
		o.day.asked.Store(0)
		assert.Empty(t, o.refused(), "a slot is free, and the form opens at once")

		o = newOpening(t)
		o.adopt(o.Cast().ApproveGroup)
		require.NoError(t, o.app.directory.Warm(t.Context(), o.policy.Load().GroupIDs()))
		require.Contains(t, o.refused(), "You may not ask")
		assert.Empty(t, o.app.openings.known)
	})
}

func TestUnreadDayIsNotRemembered(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		o := newOpening(t)
		o.day.failing.Store(true)
		require.Empty(t, o.refused(), "the submission counts")
		o.day.failing.Store(false)
		o.day.asked.Store(1)
		assert.Contains(t, o.refused(), words.TooMany(1))
	})
}

func TestRememberedAnswerEndsWithItsBasis(t *testing.T) {
	t.Parallel()
	yes := true
	for what, change := range map[string]func(o *opening) error{
		"the policy": func(o *opening) error {
			o.adopt(o.Cast().ApproveGroup)
			return o.app.directory.Warm(o.t.Context(), o.policy.Load().GroupIDs())
		},
		"the person's groups": func(o *opening) error {
			return o.PatchGroup(o.Cast().RequestGroup, fakeslack.GroupPatch{Remove: []string{o.Cast().User}})
		},
		"the person's account": func(o *opening) error {
			return o.PatchUser(o.Cast().User, fakeslack.UserPatch{Deleted: &yes})
		},
	} {
		t.Run(what, func(t *testing.T) {
			slacktest.InVirtualTime(t, func(t *testing.T) {
				o := newOpening(t)
				require.Empty(t, o.refused())
				time.Sleep(peopleAge - openingLife/2) // soon Slack is asked again
				require.Empty(t, o.refused())
				require.NoError(t, change(o))
				time.Sleep(openingLife / 2 * 3 / 2)
				_ = o.refused() // begins to read the groups again, and waits for nothing
				assert.Contains(t, o.refused(), "You may not ask", "%s changed %v ago", what, openingLife*3/4)
			})
		})
	}
}

func TestRememberedAnswerCountsOnItsBasisAlone(t *testing.T) {
	t.Parallel()
	on := basis{user: "U1", policy: new(authz.Policy), who: authz.Principal{User: "U1", Groups: []string{"S1"}}, channel: "C1"}
	now := slacktest.Noon
	for what, other := range map[string]func(*basis){
		"policy":   func(b *basis) { b.policy = new(authz.Policy) },
		"channel":  func(b *basis) { b.channel = "C2" },
		"user":     func(b *basis) { b.user = "U2" },
		"person":   func(b *basis) { b.who.User = "U2" },
		"team":     func(b *basis) { b.who.Team = "T2" },
		"groups":   func(b *basis) { b.who.Groups = nil },
		"unlisted": func(b *basis) { b.who.GroupsUnlisted = []string{"S2"} },
		"guest":    func(b *basis) { b.who.Guest = true },
	} {
		o := newOpenings()
		o.remember(mayAskAtAll, on, now)
		assert.True(t, o.recall(mayAskAtAll, on, now))
		assert.False(t, o.recall(dayNotFull, on, now), "one answer is not the other")
		changed := on
		other(&changed)
		assert.False(t, o.recall(mayAskAtAll, changed, now), "another %s", what)
	}
}

func TestOpeningsBeforeASuspensionAreForgotten(t *testing.T) {
	t.Parallel()
	o, on, now := newOpenings(), basis{user: "U1"}, time.Now()
	o.remember(mayAskAtAll, on, now)
	require.True(t, o.recall(mayAskAtAll, on, now))
	assert.False(t, o.recall(mayAskAtAll, on, suspended(now, time.Minute)), "the monotonic clock stood still")
}

func TestMemoryOfOpeningsIsBounded(t *testing.T) {
	t.Parallel()
	o := newOpenings()
	for n := range 3*maxOpenings + 1 {
		o.remember(mayAskAtAll, basis{user: fmt.Sprint("U", n)}, slacktest.Noon)
		require.LessOrEqual(t, len(o.known), maxOpenings)
	}
}

func TestSubmissionsAndClicksUseNoRememberedAnswer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.desk.Terms.ServersPerDay = 1
	before, at := s.rejectedIn(s.cast.Channel, cancellation.Reason{Code: cancellation.WhyNotFound}) // the day's only server
	s.remembersAll(s.cast.User)
	s.opened(s.cast.User, web, "web-001.stg.example.com")
	told, _ := s.submit(s.cast.User, filled(web, "web-001.stg.example.com"))["errors"].(map[string]any)
	assert.Contains(t, told[words.ServerBlock], words.DayIsFull(1), "the submission counts")
	_, standing := s.live(web)
	assert.False(t, standing)

	s.remembersAll(s.cast.User)
	opened := s.count("views.open")
	s.press(s.cast.User, at, words.ButtonsBlock, words.AgainAction, before.ID)
	s.whispered(s.cast.User, s.cast.Channel, words.TooMany(1))
	assert.Equal(t, opened, s.count("views.open"), "a click opens no form")
}

func TestSubmissionEndsWhatIsRemembered(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.desk.Terms.ServersPerDay = 1
	s.opened(s.cast.User, db, dbName)
	s.remembersAll(s.cast.User)
	s.submit(s.cast.User, filled(db, dbName))
	assert.Contains(t, s.reads(s.cast.User, ""), words.TooMany(1), "the next command knows that the day is full")
}

// remembersAll has the bot remember that a person may open the form, for as long as the test takes.
func (s *stage) remembersAll(user string) {
	s.t.Helper()
	policy := s.inForce.Load()
	who, err := s.app.directory.Principal(s.t.Context(), cancellation.Person{ID: user}, policy.GroupIDs(), time.Minute)
	require.NoError(s.t, err)
	on, ages := basis{user, policy, who, s.cast.Channel}, time.Now().Add(time.Hour)
	s.app.openings.remember(mayAskAtAll, on, ages)
	s.app.openings.remember(dayNotFull, on, ages)
}
