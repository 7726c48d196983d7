package checkup

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// slackSays is a Slack that answers every question alike.
type slackSays struct {
	hang bool

	mu   sync.Mutex
	self Self
	err  error
}

// now has it say something else.
func (s *slackSays) now(scopes []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.self.Scopes, s.err = scopes, err
}

func (s *slackSays) Self(ctx context.Context) (Self, error) {
	if s.hang {
		<-ctx.Done()
		return Self{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.self, s.err
}

func (s *slackSays) Groups(context.Context) ([]Group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return nil, s.err
}

func (s *slackSays) Conversation(context.Context, string) (Conversation, error) {
	return Conversation{Name: "ops", Member: true}, nil
}

// softLayerSays is a SoftLayer with servers in fra02, by id from 1 on, and with tags. Its key may only read them.
type softLayerSays struct {
	servers, tags int
	name          string          // of the last tag; each other one has a name of its own
	carriers      map[int64]int64 // how many things carry a tag: the servers from 1 on
}

func (*softLayerSays) Account(context.Context) (cancellation.Account, error) {
	return cancellation.Account{ID: "1", Name: "Example"}, nil
}

func (*softLayerSays) Key(context.Context) (Key, error) {
	return Key{Rights: []string{"HARDWARE_VIEW"}, AllHardware: true}, nil
}

func (*softLayerSays) Cutoff(context.Context, string) (string, error) {
	return "", cancellation.ErrReadRefused
}

func (s *softLayerSays) Servers(_ context.Context, offset, limit int) (servers []cancellation.Server, total int, err error) {
	for id := offset + 1; id <= min(offset+limit, s.servers); id++ {
		servers = append(servers, cancellation.Server{ID: int64(id), Datacenter: "fra02"})
	}
	return servers, s.servers, nil
}

func (s *softLayerSays) Tags(_ context.Context, offset, limit int) (names map[int64]string, total int, err error) {
	names = map[int64]string{}
	for id := offset + 1; id <= min(offset+limit, s.tags); id++ {
		names[int64(id)] = "tag-" + strconv.Itoa(id)
		if id == s.tags {
			names[int64(id)] = s.name
		}
	}
	return names, s.tags, nil
}

func (s *softLayerSays) Tagged(_ context.Context, tag int64, offset, limit int) (servers []int64, total int, err error) {
	carriers := s.carriers[tag]
	for id := int64(offset) + 1; id <= min(int64(offset+limit), carriers); id++ {
		servers = append(servers, id)
	}
	return servers, int(carriers), nil
}

// of returns the findings of one check.
func of(all []Finding, name string) []Finding {
	var its []Finding
	for _, f := range all {
		if f.Name == name {
			its = append(its, f)
		}
	}
	return its
}

func TestEachCheckOfNothingHasALine(t *testing.T) {
	t.Parallel()
	all, settled := Run(t.Context(), Subject{})
	<-settled
	for _, name := range Names() {
		require.NotEmpty(t, of(all, name), name)
		for _, f := range of(all, name) {
			assert.NotEmpty(t, f.Found)
			assert.NotEqual(t, Fail, f.Level, "what was not asked has not failed: %s", f.Found)
		}
	}
}

func TestAVendorThatHangsIsAFinding(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		all, settled := Run(t.Context(), Subject{Slack: &slackSays{hang: true}})
		assert.LessOrEqual(t, time.Since(began), 10*time.Second)
		token := of(all, "slack_token")
		require.Len(t, token, 1)
		assert.Equal(t, Fail, token[0].Level)
		assert.Contains(t, token[0].Found, "Slack could not be asked")
		<-settled
	})
}

func TestACheckThatNeverEndsIsAFinding(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		began := time.Now()
		all, settled := Run(t.Context(), Subject{Database: func(context.Context) (Database, error) {
			<-release // as a disk that is away
			return Database{}, errors.New("late")
		}})
		assert.LessOrEqual(t, time.Since(began), 10*time.Second)
		assert.Equal(t, []Finding{{"database", Fail, `The check "database" did not end within 9s.`, "Find out what hangs, and run the checks again."}}, of(all, "database"))
		assert.NotEmpty(t, of(all, "cutoff"), "the others are not held up")
		select {
		case <-settled:
			assert.Fail(t, "it has not settled")
		default:
		}
		close(release)
		<-settled
	})
}

func TestNextIsAboutTheFirstFailure(t *testing.T) {
	t.Parallel()
	failed := fail("Mend it.", "broken")
	warned := warn("Look at it.", "odd")
	assert.Equal(t, "Mend it.", Next([]Finding{ok("fine"), warned, failed}))
	assert.Equal(t, "Look at it.", Next([]Finding{ok("fine"), skip("who knows"), warned}))
	assert.Equal(t, nothingToDo, Next([]Finding{ok("fine"), skip("who knows")}))
	assert.True(t, Failed([]Finding{warned, failed}))
	assert.False(t, Failed([]Finding{warned, skip("who knows")}))
}

// What lies beyond the first thousand tags, or things with a tag, was not read.
func TestTagsThatWereNotReadAreLeftOpen(t *testing.T) {
	t.Parallel()
	const staging = `@id("ask") permit (principal, action == Action::"request", resource);
@id("staging") permit (principal, action == Action::"approve", resource) when { resource.tags.contains("staging") };`
	const nobody = `@id("ask") permit (principal, action == Action::"request", resource);
@id("never") permit (principal, action == Action::"approve", resource) when { resource.datacenter == "dal13" && resource.tags.contains("staging") };`
	const everybody = "Approvers: for each of %d servers that anybody may ask for, somebody could approve or nobody has to (" + leftOpen
	for name, c := range map[string]struct {
		policy    string
		softLayer softLayerSays
		level     Level
		found     string
	}{
		"all is read": {
			staging,
			softLayerSays{servers: 3, tags: 1000, name: "staging", carriers: map[int64]int64{1000: 3}},
			OK, fmt.Sprintf(everybody+").", 3),
		},
		"all is read, and one server is without": {
			staging,
			softLayerSays{servers: 3, tags: 1, name: "Staging", carriers: map[int64]int64{1: 2}},
			Fail, "Nobody could approve servers in fra02 (1; " + leftOpen + ").",
		},
		"the tag is the first that was not read": {
			staging,
			softLayerSays{servers: 3, tags: 1001, name: "staging", carriers: map[int64]int64{1001: 3}},
			OK, fmt.Sprintf(everybody+"; so are the tags of 3 servers, because only the first 1000 tags were read).", 3),
		},
		"a thousand carry it": {
			staging,
			softLayerSays{servers: 1000, tags: 1, name: "staging", carriers: map[int64]int64{1: 1000}},
			OK, fmt.Sprintf(everybody+").", 1000),
		},
		"the tag is on more than were read": {
			nobody,
			softLayerSays{servers: 3, tags: 1, name: "staging", carriers: map[int64]int64{1: 1001}},
			Fail, "Nobody could approve servers in fra02 with the tags staging (3; " + leftOpen + ").",
		},
		"no tag would help": {
			nobody,
			softLayerSays{servers: 3, tags: 1001, name: "staging"},
			Fail, "Nobody could approve servers in fra02 whatever their tags are (3; " + leftOpen + "; so are the tags of 3 servers, because only the first 1000 tags were read).",
		},
	} {
		policy, err := authz.Parse("policy.cedar", []byte(c.policy))
		require.NoError(t, err)
		all, settled := Run(t.Context(), Subject{
			Slack: &slackSays{}, SoftLayer: &c.softLayer, Policy: func(string) (*authz.Policy, error) { return policy, nil },
		})
		<-settled
		if found := of(all, "approvers"); assert.Len(t, found, 1, name) {
			assert.Equal(t, c.found, found[0].Found, name)
			assert.Equal(t, c.level, found[0].Level, name)
		}
	}
}

// A server that is not among the first thousand things with a tag may carry it all the same.
func TestCarriersThatWereNotReadAreLeftOpen(t *testing.T) {
	t.Parallel()
	r := &round{Subject: Subject{SoftLayer: &softLayerSays{tags: 1, name: "staging", carriers: map[int64]int64{1: 1001}}}}
	carried, err := r.tagged(t.Context(), []string{"staging"})
	require.NoError(t, err)
	tags, known := carried.by(1000)
	assert.Equal(t, []string{"staging"}, tags)
	assert.True(t, known)
	_, known = carried.by(1001)
	assert.False(t, known)
	assert.Equal(t, "; so are the tags of 1 server, because only the first 1000 things with the tag staging were read", carried.missing(1))
}
