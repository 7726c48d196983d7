//go:build clusters && unix

package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/postgrestest"
	"cancel-server/internal/store"
)

// In a fresh cluster the table of requests has the oid again that it had in the cluster before, if it was restored
// there from a dump too.
func TestDumpInAFreshClusterFilesNothingTwice(t *testing.T) {
	t.Parallel()
	needs(t, "pg_dump", "pg_restore")
	fresh := func(w *world) (oid int) {
		w.postgres = postgrestest.NewCluster(t).URL()
		w.documented("pg_restore")
		return w.counted(`select to_regclass('requests')::oid::bigint`)
	}
	var oid int
	s := patient()
	s.postgres = postgrestest.DatabaseFor(t, 1)
	s.before = func(w *world) {
		empty, err := store.Open(t.Context(), store.Options{URL: w.postgres})
		require.NoError(t, err)
		require.NoError(t, empty.Close())
		w.documented("pg_dump")
		oid = fresh(w)
	}
	restorable(t, keeping{s, func(w *world) { w.documented("pg_dump") }, func(w *world) {
		require.Equal(t, oid, fresh(w), "by its oid the table is the one that it was")
	}})
}
