//go:build !linux && !darwin && !windows

package store

// remote cannot tell on this system, so it returns "", as for a file of this host.
func remote(string) (string, error) { return "", nil }
