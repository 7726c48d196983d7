package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"cancel-server/internal/policytool"
)

const (
	redacted = "[redacted]"

	// maxSecretFile bounds a NAME_FILE in bytes, because the path may name an endless device by
	// mistake.
	maxSecretFile = 64 << 10
)

// secret is a value that fmt, log/slog and encoding/json print as "[redacted]". Only Reveal
// returns it. It is behind a pointer because fmt calls no methods of unexported fields: there
// it prints an address.
type secret struct{ value *string }

// Decode sets the value; envconfig calls it.
func (s *secret) Decode(value string) error {
	s.value = &value
	return nil
}

// Reveal returns the value, "" if none was set. Pass it only to the party that it is for.
func (s secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Format writes "[redacted]" for every verb and flag.
func (s secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns "[redacted]".
func (s secret) String() string { return redacted }

// GoString returns "[redacted]".
func (s secret) GoString() string { return redacted }

// LogValue returns "[redacted]".
func (s secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]"; encoding/json and encoding/xml use it.
func (s secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// secrets is a comma-separated list of secrets. Elements are trimmed; an empty one is an error.
type secrets []secret

// Decode splits value; envconfig calls it.
func (s *secrets) Decode(value string) error {
	elements, err := splitList(value)
	if err != nil {
		return err
	}
	*s = make(secrets, len(elements))
	for i := range elements {
		(*s)[i] = secret{value: &elements[i]}
	}
	return nil
}

// Reveal returns the values in their order. Pass them only to the check of signatures.
func (s secrets) Reveal() []string {
	values := make([]string, len(s))
	for i, one := range s {
		values[i] = one.Reveal()
	}
	return values
}

// readSecretFile returns what the file at path holds, without one newline at its end. Its errors
// do not name the path: it may be a secret, pasted after NAME_FILE by mistake.
func readSecretFile(path string) (string, error) {
	content, err := policytool.ReadFile(path, maxSecretFile)
	switch {
	case err != nil:
		return "", err
	case len(content) > maxSecretFile:
		return "", fmt.Errorf("it is larger than %d bytes", maxSecretFile)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if value == "" {
		return "", errors.New("it is empty")
	}
	return value, nil
}
