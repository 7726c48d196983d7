package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const hidden = "fake-hunter2"

// configOfSecrets returns a config whose every secret is the hidden one. It fails if a setting
// with a NAME_FILE has a type that could be printed.
func configOfSecrets(t *testing.T) config {
	t.Helper()
	var cfg config
	for _, s := range settings {
		switch field := s.field(&cfg).(type) {
		case *secret:
			require.NoError(t, field.Decode(hidden))
		case *secrets:
			require.NoError(t, field.Decode(hidden+","+hidden))
		default:
			require.False(t, s.secret, "%s may be a secret and is printed", s.name)
		}
	}
	require.Equal(t, hidden, cfg.SlackBotToken.Reveal())
	return cfg
}

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	cfg := configOfSecrets(t)
	carriers := map[string]any{
		"a secret":                       cfg.SoftLayerAPIKey,
		"its address":                    &cfg.SoftLayerAPIKey,
		"a list":                         cfg.SlackSigningSecrets,
		"the whole configuration":        cfg,
		"its address again":              &cfg,
		"an exported field":              struct{ Config config }{cfg},
		"an unexported field":            struct{ config config }{cfg},
		"an unexported field's address":  struct{ config *config }{&cfg},
		"an unexported list":             struct{ secrets secrets }{cfg.SlackSigningSecrets},
		"a map":                          map[string]secret{"key": cfg.SoftLayerAPIKey},
		"an error that wraps its digits": fmt.Errorf("calling with %v and %q", cfg.SoftLayerAPIKey, cfg.SlackSigningSecrets),
	}
	hex := fmt.Sprintf("%x", hidden)
	for name, carrier := range carriers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, printed := range everyPrint(t, carrier) {
				assert.NotContains(t, printed, "hunter2")
				assert.NotContains(t, strings.ToLower(printed), hex)
			}
		})
	}
}

// everyPrint shows value in all the ways in which programs show values.
func everyPrint(t *testing.T, value any) []string {
	t.Helper()
	var printed []string
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.20v", "%T"} {
		printed = append(printed, fmt.Sprintf(format, value))
	}
	encoded, err := json.Marshal(value)
	require.NoError(t, err)
	var log bytes.Buffer
	for _, terminal := range []bool{true, false} {
		logger := newLogger(config{LogLevel: slog.LevelDebug}, &log, terminal)
		logger.With("bound", value).WithGroup("group").Debug("printing", "value", value, slog.Group("in", slog.Any("value", value)))
	}
	return append(printed, string(encoded), log.String())
}

func TestASecretSaysThatItIsOne(t *testing.T) {
	t.Parallel()
	var secret secret
	assert.Empty(t, secret.Reveal())
	require.NoError(t, secret.Decode(hidden))
	assert.Equal(t, hidden, secret.Reveal())
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		assert.Equal(t, "[redacted]", fmt.Sprintf(format, secret), format)
	}
	assert.Equal(t, "[redacted]", secret.String())
	assert.Equal(t, "[redacted]", secret.GoString())
	encoded, err := json.Marshal(secret)
	require.NoError(t, err)
	assert.JSONEq(t, `"[redacted]"`, string(encoded))
	assert.Equal(t, "[redacted]", secret.LogValue().String())
}
