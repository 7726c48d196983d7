//go:build !linux && !darwin && !windows

package host

// Remote cannot tell on this system, so it returns "", as for a file of this host.
func Remote(string) (string, error) { return "", nil }
