package checkup

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
