package cancellation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

func TestBrieflyDisabledGroupEndsNoRequest(t *testing.T) {
	for name, c := range map[string]struct {
		off  string // the group that Slack does not list for a while
		here string // whose membership that hides; "" for the requester's
	}{
		"the requester's": {"S0ASK", ""},
		"an approver's":   {"S0LEADS", "U2"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				policy, err := authz.Parse("policy.cedar", []byte(`
@id("ask") permit (principal in Group::"S0ASK", action == Action::"request", resource);
@id("leads") permit (principal in Group::"S0LEADS", action == Action::"approve", resource);`))
				require.NoError(t, err)
				w.rules = policy
				listed := func(off string) {
					w.change(func(w *world) {
						w.person = member("U1", "S0ASK", off)
						w.others["U2"] = member("U2", "S0LEADS", off)
					})
				}
				listed("")
				r := w.submit()
				require.Equal(t, cancellation.ClickDone, w.approve(r, raj).Kind)
				listed(c.off)
				w.run(w.journal, time.Hour)
				posts, _ := w.snapshot()
				assert.Empty(t, posts)
				require.Equal(t, cancellation.Scheduled, w.now(r).State, "it waits: %s", w.now(r).Why)
				assert.Len(t, w.now(r).Approvals, 1, "its approval is not forgotten")
				assert.Equal(t, cancellation.WhyGroupUnlisted, w.now(r).Why.Code)
				listed("")
				w.run(w.journal, 3*time.Minute)
				assert.Equal(t, cancellation.Filed, w.now(r).State)
			})
		})
	}
}

// member is a person in one group; while that is off, Slack does not list it.
func member(user, group, off string) authz.Principal {
	p := authz.Principal{Team: "T1", User: user, GroupsKnown: true}
	if group != off {
		p.Groups = []string{group}
	}
	if off != "" {
		p.GroupsUnlisted = []string{off}
	}
	return p
}
