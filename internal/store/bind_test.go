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

func TestPracticeAndFilingShareNoDatabase(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		practice := sandbox
		practice.Practice = true
		s := open(t, o)
		require.NoError(t, s.Bind(t.Context(), practice))
		assert.ErrorContains(t, s.Bind(t.Context(), sandbox), "the database is of practice, and nothing that is asked for in it is ever filed: name another one in DATABASE_URL, or set DRY_RUN=true")
		assert.Equal(t, practice, s.Binding())
		beside := o
		beside.Mode = Beside
		assert.Contains(t, open(t, beside).Binding().String(), "PRACTICE: nothing is filed")
		var oldest int
		require.NoError(t, s.read.QueryRow(`select oldest from schema_support`).Scan(&oldest))
		assert.GreaterOrEqual(t, oldest, 25, "a build that knows no practice would file")
	})
	s := fresh(t)
	require.NoError(t, s.Bind(t.Context(), sandbox))
	practice := sandbox
	practice.Practice = true
	assert.ErrorContains(t, s.Bind(t.Context(), practice), "practice needs one of its own: name another one in DATABASE_URL, or leave DRY_RUN out")
	practice.Account = "1"
	assert.ErrorContains(t, s.Bind(t.Context(), practice), "the database belongs to")
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
