package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrServed says that another process serves from this database.
var ErrServed = errors.New("another bot serve is running on this database")

// lockFile takes PATH.lock for this process, or reports ErrServed. The lock ends with
// the file or the process; the file itself stays, because removing it would let two
// processes lock two files of one name. A link to the database is another name for the
// same lock.
func lockFile(path string) (*os.File, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("finding the database: %w", err)
	}
	name := path + ".lock"
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock file: %w", err)
	}
	if err := tryLock(file); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %q: %w", name, err), file.Close())
	}
	return file, nil
}
