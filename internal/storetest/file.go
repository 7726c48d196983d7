// Package storetest gives a test a database file that is up to date already, which costs a
// tenth of migrating one, in a folder whose files need not be written to a disk.
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

// memory is where Linux keeps files in memory. A store syncs its file with each commit, and
// on a disk tests mostly wait for that.
const memory = "/dev/shm"

// Dir returns an empty folder, which goes with the test: in memory where the system offers
// that, and like t.TempDir elsewhere. Programs may not be allowed to run from it.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(memory, "cancel-server-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("removing the test's folder: %v", err)
		}
	})
	return dir
}

// File returns the path of an empty database file, which goes with the test.
func File(t testing.TB) string {
	t.Helper()
	path := filepath.Join(Dir(t), "requests.db")
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
