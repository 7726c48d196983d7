//go:build unix

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/report"
)

// FuzzSettings holds that no value of a setting makes reading it panic, and that what is wrong with it is said
// without the value: a secret may be on the wrong line.
func FuzzSettings(f *testing.F) {
	for i, s := range settings {
		f.Add(uint(i), s.standard)
		f.Add(uint(i), "planted-value-0123456789")
		f.Add(uint(i), "http://[::1]:99999/%zz?x={id}")
	}
	f.Fuzz(func(t *testing.T, i uint, value string) {
		if strings.ContainsRune(value, 0) {
			return // no variable can hold it
		}
		s := settings[i%uint(len(settings))]
		t.Setenv(s.name, value)
		var cfg config
		_, problem := s.read(&cfg)
		if len(value) > 12 && !strings.Contains(s.name+s.form+s.meaning+"; correct it", value) {
			assert.NotContains(t, problem, value, s.name)
		}
		assert.NotContains(t, problem, "\n")
	})
}

// FuzzArguments holds that no words behind a verb make reading them panic.
func FuzzArguments(f *testing.F) {
	for _, text := range []string{
		"7F3K-2QXD filed 153572280 --unseen --why x", "7F3K-2QXD none --why=x", "--month 2026-13", "--since -1h --json", "--state stuck,filed", "test FILE --policy",
		"explain U1 12 --channel C1 --reason x", "-- -- -", "--why",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		args := strings.Split(text, " ")
		_, _ = parseResolution(args)
		_, _ = parseReport(args)
		_, _ = parseReconcile(args)
		_, _ = parseRequests(args)
		_, _ = parsePolicyVerb(args)
		_, _ = parseOrder(args, true)
		if month, err := report.ParseMonth(text); err == nil {
			require.NotEmpty(t, month)
		}
	})
}
