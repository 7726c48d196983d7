//go:build !linux && !darwin && !windows

package host

// Remote cannot tell on this system, so it returns "", as for a file of this host.
func Remote(string) (string, error) { return "", nil }

// Passing cannot tell on this system, so it returns "".
func Passing(string) (string, error) { return "", nil }

// Free cannot tell on this system, so it returns -1.
func Free(string) (int64, error) { return -1, nil }
