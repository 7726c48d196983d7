package checkup

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// Limits of a run: what the checks may take, and when the run goes on without those that do not end.
const (
	asking = 8 * time.Second
	limit  = 9 * time.Second
)

// check is one thing to look at. It returns at least one finding.
type check struct {
	name string
	look func(ctx context.Context) []Finding
}

// checks are all checks, in the order in which their findings are listed: what others need comes first.
func (r *round) checks() []check {
	return []check{
		{"settings", r.settings},
		{"slack_token", r.slackToken},
		{"scopes", r.scopes},
		{"transport", r.transport},
		{"softlayer_key", r.softLayerKey},
		{"clock", r.clock},
		{"database", r.database},
		{"rights", r.rights},
		{"policy", r.policyFile},
		{"groups", r.groups},
		{"approvers", r.approvers},
		{"channels", r.channels},
		{"cutoff", r.cutoff},
	}
}

// private are the checks that say who may approve, what the key may do, and what is wrong with the
// policy: instructions for an attacker. cutoff says that the key lacks a right.
var private = []string{"rights", "policy", "groups", "approvers", "cutoff"}

// Names returns the names of all checks.
func Names() []string {
	var names []string
	for _, c := range new(round).checks() {
		names = append(names, c.name)
	}
	return names
}

// round is one run, with what several checks need. Each fact is read once, by the check that asks first.
type round struct {
	Subject
	self    func() (Self, error)
	listed  func() ([]Group, error)
	account func() (cancellation.Account, error)
	key     func() (Key, error)
	policy  func() (*authz.Policy, error)
	crowd   func() (map[string]authz.Principal, error) // people whom the policy reaches, by their ids here
}

func newRound(ctx context.Context, s Subject) *round {
	r := &round{Subject: s}
	if s.Slack != nil {
		r.self = once(func() (Self, error) { return s.Slack.Self(ctx) })
		r.listed = once(func() ([]Group, error) { return s.Slack.Groups(ctx) })
	}
	if s.SoftLayer != nil {
		r.account = once(func() (cancellation.Account, error) { return s.SoftLayer.Account(ctx) })
		r.key = once(func() (Key, error) { return s.SoftLayer.Key(ctx) })
	}
	if s.Policy != nil {
		r.policy = once(func() (*authz.Policy, error) { return s.Policy(r.home()) })
	}
	r.crowd = once(func() (map[string]authz.Principal, error) { return r.readCrowd(ctx), nil })
	return r
}

// once returns what read returns, which is called by whoever asks first; the others wait.
func once[T any](read func() (T, error)) func() (T, error) {
	var asked atomic.Bool
	var value T
	var err error
	done := make(chan struct{})
	return func() (T, error) {
		if asked.CompareAndSwap(false, true) {
			value, err = read()
			close(done)
		}
		<-done
		return value, err
	}
}

// home returns where the bot is installed, "" if nobody could say.
func (r *round) home() string {
	if r.self == nil {
		return ""
	}
	self, _ := r.self() // an error is what slackToken says
	return self.home()
}

// Run makes all checks, side by side, and returns their findings in the order of the checks, within ten
// seconds. A check that has not ended by then is a failure. settled is closed once all have ended.
func Run(ctx context.Context, s Subject) (findings []Finding, settled <-chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, asking)
	return run(ctx, newRound(ctx, s).checks(), cancel)
}

func run(ctx context.Context, checks []check, cancel func()) (findings []Finding, settled <-chan struct{}) {
	found := make([]chan []Finding, len(checks))
	var looking sync.WaitGroup
	for i, c := range checks {
		found[i] = make(chan []Finding, 1)
		looking.Go(func() { found[i] <- c.look(ctx) })
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer cancel()
		looking.Wait()
	}()
	over := time.After(limit)
	for i, c := range checks {
		var these []Finding
		select {
		case these = <-found[i]:
		case <-over:
			over = closed
			select {
			case these = <-found[i]:
			default:
				these = []Finding{fail("Find out what hangs, and run the checks again.", "The check %q did not end within %v.", c.name, limit)}
			}
		}
		for _, f := range these {
			f.Name = c.name
			findings = append(findings, f)
		}
	}
	return findings, ended
}

// closed is a time that has come, for everybody.
var closed = func() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}()
