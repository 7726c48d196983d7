//go:build unix

package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/audit"
	"cancel-server/internal/metrics"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/softlayer"
	"cancel-server/internal/store"
)

// Wrong values that an operator may paste: each is as secret as the right one.
const (
	wrongBotToken = "xoxb-planted-4417b1d2"
	wrongKey      = "planted-key-93c0aa5e"
	wrongSecret   = "planted-signing-secret-7be1"
	password      = "planted-password-60f3"
	withoutPrefix = "planted-without-prefix-2a"
	seed          = "ARAVbQThesSK4kDOL7E11Gsw1usuZ56cCtMi9q+CEzMZ" // of auditKey: the secret half
	auditKey      = "PRIVATE+KEY+planted+18679f08+" + seed
)

// disguises are the forms in which a secret may show: as it is, in a URL, as digits, and in base64 with
// whatever stands before it.
func disguises(secret string) []string {
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)), strings.Trim(fmt.Sprint([]byte(secret)), "[]"), strings.Trim(fmt.Sprintf("%#v", []byte(secret))[len("[]byte"):], "{}")}
	for before := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + secret))
		inner := strings.TrimRight(encoded, "=")[4 : len(encoded)-4] // what does not depend on its neighbours
		forms = append(forms, inner, strings.NewReplacer("+", "-", "/", "_").Replace(inner))
	}
	return forms
}

// secretsOf are all that the bot in a world knows or is given.
func (w *world) secretsOf() []string {
	return []string{
		w.slack.BotToken(), w.slack.AppToken(), w.slack.SigningSecret(), w.softlayer.APIKey(),
		wrongBotToken, wrongKey, wrongSecret, password, withoutPrefix, seed,
	}
}

// holdsNone looks for each secret, in each disguise.
func (w *world) holdsNone(where, text string) {
	w.t.Helper()
	for _, secret := range w.secretsOf() {
		for _, form := range disguises(secret) {
			if at := strings.Index(text, form); at >= 0 {
				assert.Fail(w.t, "a secret shows", "%s holds %q: …%q…", where, form, text[max(0, at-60):at])
			}
		}
	}
}

func TestDisguisesAreRecognized(t *testing.T) {
	t.Parallel()
	basic := base64.StdEncoding.EncodeToString([]byte("apikey:" + wrongKey + "\n"))
	for _, text := range []string{wrongKey, basic, base64.URLEncoding.EncodeToString([]byte(wrongKey)), fmt.Sprintf("%x", wrongKey), fmt.Sprintf("%v", []byte(wrongKey))} {
		assert.True(t, slices.ContainsFunc(disguises(wrongKey), func(form string) bool { return strings.Contains(text, form) }), text)
	}
}

// Everything that the program says, serves, writes and keeps, when all goes well and when it does not.
func TestNoPlantedSecretShowsAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byHTTP, setup{})
	w.extra = []string{"AUDIT_KEY_FILE=" + written(t, "audit.key", auditKey), "SLACK_APP_TOKEN=" + w.slack.AppToken(), "NOTIFY_CHANNEL=" + w.cast.Channel, "REPORT_CHANNEL=" + w.cast.Channel}
	w.start()
	bot := w.child
	w.meetsTrouble()
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/debug/pprof/cmdline", "/debug/vars"} {
		answer, err := http.Get("http://" + w.admin + path)
		require.NoError(t, err)
		text := new(strings.Builder)
		require.NoError(t, answer.Write(text))
		require.NoError(t, answer.Body.Close())
		w.holdsNone(path, text.String())
	}
	w.sealed()
	backup := filepath.Join(w.dir, "planted.backup")
	lines, _ := w.exported()
	ref := firstRef(lines)
	found := map[string]string{"audit": "cancel-server/", "show": ref, "history": ref}
	for _, args := range [][]string{
		{"audit", "export"},
		{"audit", "verify"},
		{"audit", "checkpoint"},
		{"backup", backup},
		{"check"},
		{"check", "--json"},
		{"requests", "--all"},
		{"requests", "--all", "--csv"},
		{"show", ref},
		{"show", ref, "--json"},
		{"history", w.fqdn(w.server)},
		{"report", "--json"},
		{"reconcile", "--json"},
		{"policy", "show"},
		{"policy", "who"},
		{"-h"},
		{"version"},
		{"freeze", "--why", "planted"},
		{"unfreeze", "--why", "planted"},
		{"no-such-verb"},
	} {
		_, said := w.ends(args)
		w.holdsNone(strings.Join(args, " "), said)
		assert.Contains(t, said, found[args[0]], "it found what it was asked for")
	}
	w.kill()
	for _, wrong := range wrongSettings(w) {
		for _, args := range [][]string{nil, {"check"}} {
			code, said := w.ends(args, wrong...)
			assert.NotZero(t, code, "%v %v", args, wrong)
			w.holdsNone(fmt.Sprint(args, wrong), said)
		}
	}
	w.holdsNone("the log", bot.log.String())
	assert.NotContains(t, bot.log.String(), "/slack/response/", "a response_url is a capability")
	files, err := filepath.Glob(w.database() + "*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range append(files, backup) {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		w.holdsNone(path, string(content))
	}
}

// meetsTrouble has a bot do its job, and meet what may make it say too much.
func (w *world) meetsTrouble() {
	w.t.Helper()
	w.accepted(w.cast.Channel, w.cast.User, w.server)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
	for method, fault := range map[string]string{"views.open": "invalid_auth", "chat.postMessage": "internal_error", "chat.postEphemeral": "drop_before"} {
		require.NoError(w.t, w.slack.Fault(method, fault, 1))
		w.command(w.cast.User, "")
		w.command(w.cast.User, "no such server")
	}
	require.NoError(w.t, w.softlayer.Fault(reading, "error_before", 1))
	w.command(w.cast.User, w.fqdn(w.server))
	secret, at := w.slack.SigningSecret(), time.Now()
	const form = "application/x-www-form-urlencoded"
	for _, odd := range []raw{
		{body: "token=" + w.slack.BotToken(), kind: form},
		{body: "payload=" + url.QueryEscape(w.slack.AppToken()), kind: form, secret: secret, at: at, path: "/slack/interactions"},
		{body: "payload={%22type%22:%22" + secret + "%22,%22user%22:{%22id%22:%22U1%22}}", kind: form, secret: wrongSecret, at: at, path: "/slack/interactions"},
		{body: w.softlayer.APIKey(), kind: "application/json", secret: secret, at: at, path: "/slack/events"},
	} {
		status, said := w.post(odd)
		assert.GreaterOrEqual(w.t, status, 400)
		w.holdsNone("an answer", said)
	}
}

// wrongSettings are secrets in wrong places, or wrong ones.
func wrongSettings(w *world) [][]string {
	return [][]string{
		{"SLACK_BOT_TOKEN=" + wrongBotToken},
		{"SLACK_BOT_TOKEN=" + withoutPrefix},
		{"SLACK_BOT_TOKEN_FILE=" + wrongBotToken, "SLACK_BOT_TOKEN="},
		{"SLACK_APP_TOKEN=" + withoutPrefix},
		{"SLACK_SIGNING_SECRET=" + wrongSecret + ",,"},
		{"SOFTLAYER_API_KEY=" + wrongKey},
		{"SOFTLAYER_USERNAME=" + wrongKey + ":" + wrongKey},
		{"SOFTLAYER_ENDPOINT_URL=https://apikey:" + password + "@api.softlayer.com/rest/v3.1"},
		{"SLACK_API_URL=https://x:" + password + "@slack.com/api/"},
		{"DATABASE_URL=postgres://bot:" + password + "@127.0.0.1:1/requests?connect_timeout=1"},
		{"DATABASE_URL=postgres://bot:" + password + "@127.0.0.1:port/requests"},
		{"DATABASE_URL=mysql://bot:" + password + "@127.0.0.1/requests"},
		{"AUDIT_KEY_FILE=" + auditKey},
		{"AUDIT_KEY_FILE=" + written(w.t, "broken.key", seed+auditKey)},
		{"SETTLE_TIME=" + withoutPrefix, "LOG_LEVEL=" + withoutPrefix, "SOFTLAYER_RATE=" + withoutPrefix, "LISTEN_ADDR=" + withoutPrefix},
		{"SLACK_API_URL=" + w.url + "/nowhere/" + "api/", "SOFTLAYER_ENDPOINT_URL=" + w.url + "/nowhere"},
	}
}

// What holds a secret is printed, logged or panicked with by mistake.
func TestNoClientPrintsItsSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bySocket, setup{})
	var cfg config
	for field, value := range map[*secret]string{
		&cfg.SlackBotToken: w.slack.BotToken(), &cfg.SlackAppToken: w.slack.AppToken(), &cfg.SoftLayerAPIKey: w.softlayer.APIKey(),
		&cfg.DatabaseURL: "sqlite:" + w.database(),
	} {
		require.NoError(t, field.Decode(value))
	}
	require.NoError(t, cfg.SlackSigningSecrets.Decode(w.slack.SigningSecret()+","+wrongSecret))
	cfg.SlackAPIURL, cfg.SoftLayerEndpoint, cfg.SoftLayerUsername = w.url+"/slack/api/", w.url+"/softlayer/rest/v3.1", w.softlayer.Username()
	cfg.RequestGroups, cfg.ApproveGroups, cfg.SoftLayerRate, cfg.FollowEvery = list{w.cast.RequestGroup}, list{"none"}, 10, time.Hour
	v, err := connect(t.Context(), cfg, calls{})
	require.NoError(t, err)
	defer v.close()
	policy, err := policyOf(cfg, homeTeam(v.bot))
	require.NoError(t, err)
	journal, err := v.openStore(t.Context(), cfg, store.Options{Mode: store.Serve})
	require.NoError(t, err)
	defer func() { assert.NoError(t, journal.Close()) }()
	b := assemble(cfg, v, policy, journal, metrics.New("v", "c"), slog.New(slog.DiscardHandler))
	defer b.directory.Close()
	key, err := audit.ParseKey(auditKey)
	require.NoError(t, err)
	http := receive.HTTPOptions{SigningSecrets: cfg.SlackSigningSecrets.Reveal(), Dispatcher: b.dispatcher, Log: b.log}
	for name, value := range map[string]any{
		"the settings": cfg, "the bot": b, "the vendors": v, "Slack's client": v.slack, "SoftLayer's client": v.softlayer, "the socket": b.socket,
		"the database": journal, "the dispatcher": b.dispatcher, "the directory": b.directory, "the transport": receive.NewHTTP(http),
		"options of HTTP": http, "options of the socket": receive.SocketOptions{AppToken: w.slack.AppToken()},
		"options of Slack's client":     webapi.Options{BotToken: w.slack.BotToken()},
		"options of SoftLayer's client": softlayer.Options{APIKey: w.softlayer.APIKey()},
		"the key of checkpoints":        key,
		"values":                        []any{*v, *v.slack, *v.softlayer},
		"an error":                      errors.Join(fmt.Errorf("calling with %+v", v.slack), fmt.Errorf("and %#v", *v.softlayer)),
	} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			w.holdsNone(name+" by "+format, fmt.Sprintf(format, value))
		}
	}
}
