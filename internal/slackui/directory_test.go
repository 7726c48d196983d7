package slackui

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

// people is a Slack with users and groups; failing methods answer internal_error,
// held ones wait.
type people struct {
	mu      sync.Mutex
	users   map[string]string // the user object's fields by id
	members []string          // of the group S1
	failing map[string]bool
	held    map[string]chan struct{}
}

func (p *people) answer(w http.ResponseWriter, c slacktest.Call) {
	p.mu.Lock()
	failing, held := p.failing[c.Method], p.held[c.Method]
	fields, found := p.users[c.Form.Get("user")]
	members, _ := json.Marshal(p.members)
	p.mu.Unlock()
	if held != nil {
		<-held
	}
	switch {
	case failing:
		fmt.Fprint(w, `{"ok":false,"error":"internal_error"}`)
	case c.Method == "users.info" && !found:
		fmt.Fprint(w, `{"ok":false,"error":"user_not_found"}`)
	case c.Method == "users.info":
		fmt.Fprintf(w, `{"ok":true,"user":{"id":%q,%s}}`, c.Form.Get("user"), fields)
	case c.Method == "usergroups.list" && c.Form.Get("include_users") == "true":
		fmt.Fprintf(w, `{"ok":true,"usergroups":[{"id":"S1","users":%s},{"id":"S9","users":["U1"]}]}`, members)
	}
}

func (p *people) set(change func(p *people)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// groupS1 is all that most policies here name.
var groupS1 = []string{"S1"}

type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.Load()) }
func (c *clock) advance(d time.Duration) { c.Add(int64(d)) }

func newDirectoryAt(t *testing.T, o DirectoryOptions) (*Directory, *people, *slacktest.Answers, *clock) {
	t.Helper()
	p := &people{
		users:   map[string]string{"U1": `"team_id":"T1","name":"ana","real_name":"Ana Example","profile":{"display_name":"ana.e"}`},
		members: []string{"U1", "U2"}, failing: map[string]bool{}, held: map[string]chan struct{}{},
	}
	slackAPI, at := slacktest.NewAnswers(t, p.answer), &clock{}
	at.Store(time.Now().UnixNano())
	o.Web, o.Log, o.Now = clientOf(t, slackAPI), slacktest.Silent(), at.now
	if o.HomeTeam == "" {
		o.HomeTeam = "T1"
	}
	d := NewDirectory(o)
	t.Cleanup(d.Close)
	return d, p, slackAPI, at
}

var ana = cancellation.Person{Team: "T1", ID: "U1", Name: "ana"}

func TestPrincipalOfEachKindOfPerson(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fields     string
		enterprise string
		want       authz.Principal
	}{
		"a member":                           {`"team_id":"T1","name":"n"`, "", authz.Principal{Team: "T1", Name: "n"}},
		"a single-channel guest":             {`"team_id":"T1","is_restricted":true,"is_ultra_restricted":true`, "", authz.Principal{Team: "T1", Guest: true}},
		"a guest":                            {`"team_id":"T1","is_restricted":true`, "", authz.Principal{Team: "T1", Guest: true}},
		"a bot":                              {`"team_id":"T1","is_bot":true`, "", authz.Principal{Team: "T1", Bot: true}},
		"somebody who left":                  {`"team_id":"T1","deleted":true`, "", authz.Principal{Team: "T1", Deactivated: true}},
		"somebody of another workspace":      {`"team_id":"T2"`, "", authz.Principal{Team: "T2", Stranger: true}},
		"a stranger by Slack's word":         {`"team_id":"T1","is_stranger":true`, "", authz.Principal{Team: "T1", Stranger: true}},
		"a colleague in the organisation":    {`"team_id":"T2","enterprise_user":{"enterprise_id":"E1"}`, "E1", authz.Principal{Team: "E1"}},
		"somebody of another organisation":   {`"team_id":"T1","enterprise_user":{"enterprise_id":"E2"}`, "E1", authz.Principal{Team: "E2", Stranger: true}},
		"somebody of no organisation":        {`"team_id":"T1"`, "E1", authz.Principal{Team: "T1", Stranger: true}},
		"an organisation where we have none": {`"team_id":"T1","enterprise_user":{"enterprise_id":"E2"}`, "", authz.Principal{Team: "E2", Stranger: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, p, slackAPI, _ := newDirectoryAt(t, DirectoryOptions{HomeEnterprise: c.enterprise})
			p.set(func(p *people) { p.users["U1"] = c.fields })
			got, err := d.Principal(t.Context(), ana, nil, time.Minute)
			require.NoError(t, err)
			c.want.User = "U1"
			assert.Equal(t, c.want, got)
			assert.Zero(t, slackAPI.Count("usergroups.list"), "no groups in the policy: none are read")
		})
	}
}

func TestSlackbotIsABot(t *testing.T) {
	t.Parallel()
	d, p, _, _ := newDirectoryAt(t, DirectoryOptions{})
	p.set(func(p *people) { p.users[slackbot] = `"team_id":"T1"` })
	got, err := d.Principal(t.Context(), cancellation.Person{ID: slackbot}, nil, time.Minute)
	require.NoError(t, err)
	assert.True(t, got.Bot)
}

func TestPersonHiddenFromTheBotIsAStranger(t *testing.T) {
	t.Parallel()
	d, _, slackAPI, _ := newDirectoryAt(t, DirectoryOptions{})
	for range 3 {
		who, unread := d.Cached(t.Context(), cancellation.Person{Team: "T2", ID: "U404", Name: "eve"}, nil)
		assert.NoError(t, unread, "that there is nobody is an answer")
		assert.True(t, who.Stranger)
	}
	assert.Equal(t, 1, slackAPI.Count("users.info"), "and it is kept like any other")
}

func TestGroupsAreThoseOfThePolicy(t *testing.T) {
	t.Parallel()
	d, _, slackAPI, _ := newDirectoryAt(t, DirectoryOptions{})
	require.NoError(t, d.Warm(t.Context(), []string{"S1", "S7"}))
	got, err := d.Principal(t.Context(), ana, []string{"S1", "S7"}, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, authz.Principal{Team: "T1", User: "U1", Name: "ana.e", Groups: []string{"S1"}, GroupsKnown: true, GroupsUnlisted: []string{"S7"}}, got)
	assert.Equal(t, 1, slackAPI.Count("usergroups.list"), "what was read at start is still fresh")
}

func TestGroupWithoutMembersInTheAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	for answered, unlisted := range map[string][]string{
		`"user_count":3`:              {"S1"},
		`"users":null,"user_count":3`: {"S1"},
		`"users":[]`:                  nil,
		`"users":["U1"]`:              nil,
	} {
		t.Run(answered, func(t *testing.T) {
			t.Parallel()
			slackAPI := slacktest.NewAnswers(t, func(w http.ResponseWriter, c slacktest.Call) {
				assert.Equal(t, "true", c.Form.Get("include_users"))
				fmt.Fprintf(w, `{"ok":true,"usergroups":[{"id":"S1",%s}]}`, answered)
			})
			d := NewDirectory(DirectoryOptions{Web: clientOf(t, slackAPI), HomeTeam: "T1", Log: slacktest.Silent()})
			t.Cleanup(d.Close)
			got, err := d.Unlisted(t.Context(), groupS1, time.Minute)
			require.NoError(t, err)
			assert.Equal(t, unlisted, got, "nobody knows who is in it, so that a forbid on it may meet anybody")
		})
	}
}

func TestANewPolicysGroupsAreReadAtOnce(t *testing.T) {
	t.Parallel()
	d, p, slackAPI, _ := newDirectoryAt(t, DirectoryOptions{})
	got, err := d.Principal(t.Context(), ana, groupS1, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, []string{"S1"}, got.Groups)

	got, err = d.Principal(t.Context(), ana, []string{"S1", "S9"}, time.Minute)
	require.NoError(t, err, "the pause between two calls is for the same question")
	assert.Equal(t, []string{"S1", "S9"}, got.Groups)
	assert.Equal(t, 2, slackAPI.Count("usergroups.list"))

	p.set(func(p *people) { p.failing["usergroups.list"] = true })
	_, err = d.Principal(t.Context(), ana, []string{"S9"}, time.Minute)
	require.ErrorContains(t, err, "internal_error", "what was read for another policy is no answer")
	who, unread := d.Cached(t.Context(), ana, []string{"S9"})
	assert.NoError(t, unread)
	assert.False(t, who.GroupsKnown, "nor for a command")
	got, err = d.Principal(t.Context(), ana, groupS1, time.Minute)
	require.NoError(t, err, "a step that began under the first policy goes on with what was read for it")
	assert.Equal(t, []string{"S1"}, got.Groups)

	got, err = d.Principal(t.Context(), ana, nil, time.Minute)
	require.NoError(t, err)
	assert.Empty(t, got.Groups)
	assert.False(t, got.GroupsKnown, "none was read, and none is known should a policy name one")
}

func TestMembersComeFromEveryGroupOfThePolicy(t *testing.T) {
	t.Parallel()
	d, p, _, _ := newDirectoryAt(t, DirectoryOptions{})
	p.set(func(p *people) { p.members = []string{"U3", "U2", "U1"} })
	all, err := d.Members(t.Context(), []string{"S1", "S9"}, time.Minute)
	require.NoError(t, err)
	require.Len(t, all, 3)
	for i, id := range []string{"T1/U1", "T1/U2", "T1/U3"} {
		assert.Equal(t, id, all[i].ID())
		assert.Contains(t, all[i].Groups, "S1")
		assert.True(t, all[i].GroupsKnown)
	}

	none, _, slackAPI, _ := newDirectoryAt(t, DirectoryOptions{})
	all, err = none.Members(t.Context(), nil, time.Minute)
	require.NoError(t, err)
	assert.Empty(t, all)
	assert.Zero(t, slackAPI.Count("usergroups.list"))
}

func TestNothingOlderThanAskedForIsUsed(t *testing.T) {
	t.Parallel()
	d, p, slackAPI, at := newDirectoryAt(t, DirectoryOptions{})
	_, err := d.Principal(t.Context(), ana, groupS1, time.Minute)
	require.NoError(t, err)
	at.advance(time.Minute)
	_, err = d.Principal(t.Context(), ana, groupS1, time.Hour)
	require.NoError(t, err)
	assert.Equal(t, 1, slackAPI.Count("users.info"), "60 s old is fresh")

	p.set(func(p *people) {
		p.members = []string{}
		p.users["U1"] = `"team_id":"T1","deleted":true`
	})
	at.advance(time.Second)
	got, err := d.Principal(t.Context(), ana, groupS1, time.Hour)
	require.NoError(t, err)
	assert.True(t, got.Deactivated, "61 s is not, whatever is asked for")
	assert.Empty(t, got.Groups)

	at.advance(61 * time.Second)
	p.set(func(p *people) { p.failing["users.info"] = true })
	_, err = d.Principal(t.Context(), ana, groupS1, time.Minute)
	require.ErrorContains(t, err, "internal_error", "an error, not the old answer")
}

func TestWhatWasReadBeforeASuspensionIsOld(t *testing.T) {
	t.Parallel()
	d, p, slackAPI, _ := newDirectoryAt(t, DirectoryOptions{})
	var slept time.Duration
	d.o.Now = func() time.Time { return suspended(time.Now(), slept) }
	got, err := d.Principal(t.Context(), ana, groupS1, time.Minute)
	require.NoError(t, err)
	require.Equal(t, []string{"S1"}, got.Groups)

	p.set(func(p *people) {
		p.members = []string{}
		p.users["U1"] = `"team_id":"T1","deleted":true`
	})
	slept = 3 * time.Hour
	_, unread := d.Cached(t.Context(), ana, groupS1)
	require.NoError(t, unread)
	got, err = d.Principal(t.Context(), ana, groupS1, time.Minute)
	require.NoError(t, err, "the pause between two calls is over too")
	assert.True(t, got.Deactivated, "three hours have passed, though the monotonic clock stood still")
	assert.Empty(t, got.Groups)
	assert.Equal(t, []int{2, 2}, []int{slackAPI.Count("users.info"), slackAPI.Count("usergroups.list")})
}

// suspended is a moment after the machine slept for d: Linux's CLOCK_MONOTONIC, by which Go
// compares, stood still meanwhile. No method of time.Time moves its wall clock alone: in its
// first word the seconds stand above 30 bits of nanoseconds.
func suspended(at time.Time, d time.Duration) time.Time {
	*(*uint64)(unsafe.Pointer(&at)) += uint64(d/time.Second) << 30
	return at
}

func TestGroupsThatCannotBeReadAreAnError(t *testing.T) {
	t.Parallel()
	d, p, slackAPI, at := newDirectoryAt(t, DirectoryOptions{})
	p.set(func(p *people) { p.failing["usergroups.list"] = true })
	_, err := d.Principal(t.Context(), ana, groupS1, time.Minute)
	require.ErrorContains(t, err, "internal_error")
	_, err = d.Principal(t.Context(), ana, groupS1, time.Minute)
	require.ErrorIs(t, err, errTooSoon)
	assert.Equal(t, 1, slackAPI.Count("usergroups.list"), "at most one call every 20 s")

	p.set(func(p *people) { p.failing["usergroups.list"] = false })
	at.advance(groupPause)
	got, err := d.Principal(t.Context(), ana, groupS1, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, []string{"S1"}, got.Groups)
}

func TestAFailedRefreshLeavesWhatIsStillFresh(t *testing.T) {
	t.Parallel()
	d, p, _, at := newDirectoryAt(t, DirectoryOptions{})
	_, err := d.Principal(t.Context(), ana, groupS1, time.Minute)
	require.NoError(t, err)
	at.advance(30 * time.Second)
	p.set(func(p *people) { p.failing["usergroups.list"] = true })
	_, err = d.Principal(t.Context(), ana, groupS1, 10*time.Second)
	require.Error(t, err, "nothing of the last 10 s")
	_, err = d.Principal(t.Context(), ana, groupS1, time.Minute)
	require.NoError(t, err, "the answer of 30 s ago is as fresh as asked for")
}

func TestManyAskAtOnceAndSlackOnce(t *testing.T) {
	t.Parallel()
	d, p, slackAPI, _ := newDirectoryAt(t, DirectoryOptions{})
	release := make(chan struct{})
	p.set(func(p *people) { p.held["users.info"] = release; p.held["usergroups.list"] = release })
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			_, err := d.Principal(t.Context(), ana, groupS1, time.Minute)
			assert.NoError(t, err)
		})
	}
	slacktest.Eventually(t, func() bool { return slackAPI.Count("users.info") == 1 && slackAPI.Count("usergroups.list") == 1 }, "both are asked at the same time")
	close(release)
	all.Wait()
	assert.Equal(t, 1, slackAPI.Count("users.info"))
	assert.Equal(t, 1, slackAPI.Count("usergroups.list"))
}

func TestAbandonedLookupStillServesTheOthers(t *testing.T) {
	t.Parallel()
	d, p, slackAPI, _ := newDirectoryAt(t, DirectoryOptions{})
	release := make(chan struct{})
	p.set(func(p *people) { p.held["users.info"] = release })
	hurried, giveUp := context.WithCancel(t.Context())
	giveUp()
	_, err := d.Principal(hurried, ana, nil, time.Minute)
	require.ErrorIs(t, err, context.Canceled)
	close(release)
	_, err = d.Principal(t.Context(), ana, nil, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, 1, slackAPI.Count("users.info"))
}

func TestACommandWaitsForNoGroups(t *testing.T) {
	t.Parallel()
	d, p, slackAPI, _ := newDirectoryAt(t, DirectoryOptions{})
	release := make(chan struct{})
	p.set(func(p *people) { p.held["usergroups.list"] = release })
	who, unread := d.Cached(t.Context(), ana, groupS1)
	assert.NoError(t, unread)
	assert.False(t, who.GroupsKnown, "not known is not none")
	slacktest.Eventually(t, func() bool { return slackAPI.Count("usergroups.list") == 1 }, "the look-up is begun for the submission")
	close(release)
	slacktest.Eventually(t, func() bool { who, _ = d.Cached(t.Context(), ana, groupS1); return who.GroupsKnown }, "and used when it is there")
	assert.Equal(t, []string{"S1"}, who.Groups)
}

func TestCommandContinuesWhenThePersonCannotBeRead(t *testing.T) {
	t.Parallel()
	d, p, _, _ := newDirectoryAt(t, DirectoryOptions{})
	p.set(func(p *people) { p.failing["users.info"] = true })
	who, unread := d.Cached(t.Context(), ana, nil)
	assert.Error(t, unread)
	assert.Equal(t, authz.Principal{Team: "T1", User: "U1", Name: "ana"}, who)
}

func TestClosingADirectoryEndsItsCalls(t *testing.T) {
	t.Parallel()
	d, p, slackAPI, _ := newDirectoryAt(t, DirectoryOptions{})
	release := make(chan struct{})
	defer close(release)
	p.set(func(p *people) { p.held["users.info"] = release })
	result := make(chan error, 1)
	go func() {
		_, err := d.Principal(context.Background(), ana, nil, time.Minute)
		result <- err
	}()
	slacktest.Eventually(t, func() bool { return slackAPI.Count("users.info") == 1 }, "the call is under way")
	d.Close()
	require.ErrorIs(t, <-result, context.Canceled)
	_, err := d.Principal(t.Context(), ana, nil, time.Minute)
	require.ErrorIs(t, err, errClosed)
}

func TestTheMemoryOfADirectoryIsBounded(t *testing.T) {
	t.Parallel()
	d := NewDirectory(DirectoryOptions{Log: slacktest.Silent()})
	for i := range maxGroups + 10 {
		d.lookupOf([]string{fmt.Sprint("S", i)})
	}
	assert.LessOrEqual(t, len(d.groups), maxGroups)
	for i := range maxPeople + 10 {
		d.person(fmt.Sprint("U", i))
	}
	assert.LessOrEqual(t, len(d.people), maxPeople)
}
