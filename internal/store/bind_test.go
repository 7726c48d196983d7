package store

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var sandbox = Binding{App: "A0", Team: "T0", Account: "307608", Endpoint: "http://127.0.0.1:1/rest/v3.1"}

func TestFirstUseBindsTheSecretsForAll(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	one, two := open(t, Options{Path: path}), open(t, Options{Path: path})
	assert.Empty(t, one.Installation())
	assert.Empty(t, one.Binding())
	assert.Nil(t, one.HMACKey())
	stores := make(chan *Store, 2)
	stores <- one
	stores <- two
	for _, a := range atOnce(2, func() (*Store, error) { s := <-stores; return s, s.Bind(t.Context(), sandbox) }) {
		require.NoError(t, a.err)
	}
	assert.Equal(t, sandbox, one.Binding())
	assert.Len(t, one.Installation(), 32)
	assert.Len(t, one.HMACKey(), 32)
	assert.Equal(t, one.Installation(), two.Installation())
	assert.Equal(t, one.HMACKey(), two.HMACKey())
}

func TestAnotherPairIsRefusedByName(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	require.NoError(t, s.Bind(t.Context(), sandbox))
	production := sandbox
	production.Account, production.Endpoint = "1", "https://api.softlayer.com/rest/v3.1"
	err := s.Bind(t.Context(), production)
	var other *BindingError
	require.ErrorAs(t, err, &other)
	assert.Equal(t, BindingError{Stored: sandbox, Given: production}, *other)
	assert.ErrorContains(t, err, sandbox.Endpoint)
	assert.ErrorContains(t, err, production.Endpoint)
	assert.NotContains(t, err.Error(), string(s.HMACKey()))
}
