// Package host asks the operating system about files: whether another host keeps one, and who has its
// lock.
package host

import "errors"

// ErrLocked says that another process has the lock.
var ErrLocked = errors.New("another process has the lock")
