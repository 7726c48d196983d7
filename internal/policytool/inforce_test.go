package policytool

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
)

func TestWhatIsInForceAnswersAsItsPolicy(t *testing.T) {
	t.Parallel()
	policy, err := authz.Parse("p.cedar", []byte(`@id("b") permit (principal in Group::"S0B", action, resource); @id("not") forbid (principal in Group::"S0OUT", action, resource);`))
	require.NoError(t, err)
	f := NewInForce(policy)
	ana, ben := authz.Principal{Team: "T01", User: "U0ANA", Groups: []string{"S0B"}, GroupsKnown: true}, authz.Principal{Team: "T01", User: "U0BEN", GroupsKnown: true}
	s := authz.Server{ID: 1, Hostname: "a", FQDN: "a.b", Datacenter: "fra02", TagsKnown: true}
	c := authz.Context{Account: "1", StatedReason: "No longer needed", WarningsKnown: true}
	assert.Equal(t, policy.Decide(ana, s, c), f.Decide(ana, s, c))
	assert.Equal(t, policy.MayAskAtAll(ana, "C1", "1"), f.MayAskAtAll(ana, "C1", "1"))
	assert.Equal(t, policy.MayAskFor(ana, s, c), f.MayAskFor(ana, s, c))
	assert.Equal(t, policy.Approve(ana, ben, s, c, 0), f.Approve(ana, ben, s, c, 0))
	assert.Equal(t, policy.MayApproveAtAll(ben), f.MayApproveAtAll(ben))
	_, groups, anyone := f.Approvers()
	assert.Equal(t, []string{"S0B"}, groups)
	assert.False(t, anyone)
	assert.Equal(t, policy.Digest(), f.Digest())
}
