// Package storetest gives a test a database file that is up to date already, which costs a
// tenth of migrating one.
package storetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"cancel-server/internal/store"
)

// File returns the path of an empty database file, which goes with the test.
func File(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "requests.db")
	NewFile(t, path)
	return path
}

// NewFile makes an empty database file. Call it outside of a bubble of testing/synctest:
// the first call of a process migrates a file, of which all others are copies.
func NewFile(t testing.TB, path string) {
	t.Helper()
	empty, err := migrated()
	if err == nil {
		err = os.WriteFile(path, empty, 0o600)
	}
	if err != nil {
		t.Fatalf("making a database file: %v", err)
	}
}

var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "storetest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "empty.db")
	s, err := store.Open(context.Background(), store.Options{Path: path})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, fmt.Errorf("closing it: %w", err)
	}
	return os.ReadFile(path)
})
