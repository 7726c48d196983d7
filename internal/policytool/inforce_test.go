package policytool

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
)

func TestThePolicyTakenLastIsInForce(t *testing.T) {
	t.Parallel()
	first, err := authz.Parse("a.cedar", []byte(policyA))
	require.NoError(t, err)
	second, err := authz.Parse("ask.cedar", []byte(`@id("ask") permit (principal, action == Action::"request", resource);`))
	require.NoError(t, err)
	f := NewInForce(first)
	step := f.Policy()
	assert.True(t, f.NamesApprovers())
	f.Take(second)
	assert.Same(t, second, f.Policy())
	assert.Same(t, first, step, "a step that began goes by the one that it took")
	assert.False(t, f.NamesApprovers())
}
