package store

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkRecord measures accepted submissions: request, event and notice, synced.
// Bare is the floor: the same rows in one loop, a commit each, with nothing around.
func BenchmarkRecord(b *testing.B) {
	b.Run("bare", benchmarkBare)
	b.Run("1 client", func(b *testing.B) { benchmarkRecord(b, 1) })
	b.Run("64 clients", func(b *testing.B) { benchmarkRecord(b, 64) })
}

func benchmarkRecord(b *testing.B, clients int) {
	s := open(b, Options{Path: filepath.Join(b.TempDir(), "bench.db")})
	var server atomic.Int64
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range clients {
		all.Go(func() {
			for n := server.Add(1); n <= int64(b.N); n = server.Add(1) {
				if _, err := s.Record(context.Background(), asking(n)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func benchmarkBare(b *testing.B) {
	db, err := pool(filepath.Join(b.TempDir(), "bare.db"), 1, map[string][]string{"_txlock": {"immediate"}})
	require.NoError(b, err)
	defer db.Close()
	require.NoError(b, migrate(b.Context(), db, sqliteDialect))
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		require.NoError(b, writeBare(b.Context(), db, int64(n+1)))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func writeBare(ctx context.Context, db *sql.DB, server int64) error {
	begun, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer begun.Rollback()
	if _, err := insertFresh(ctx, &tx{Tx: begun}, time.Now(), []*recording{{Record: asking(server)}}); err != nil {
		return err
	}
	return begun.Commit()
}
