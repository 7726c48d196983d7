package house

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// The packages of deploy cannot be installed here: what can be told from their text is held here, and
// deploy/README.md says what was not run.

// kept are the settings that hold secrets, as README's table marks them.
func kept(t *testing.T) (all, secret []string) {
	t.Helper()
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)`(.*)$").FindAllStringSubmatch(read(t, "README.md"), -1) {
		all = append(all, row[1])
	}
	code := read(t, "cmd/bot/settings.go")
	for _, row := range regexp.MustCompile(`row\("([A-Z_]+)"[^\n]*\n\s*func\(c \*config\) \*secrets? `).FindAllStringSubmatch(code, -1) {
		secret = append(secret, row[1])
	}
	require.Contains(t, all, "OPERATOR_CONTACT")
	require.Contains(t, secret, "SLACK_BOT_TOKEN")
	return all, secret
}

// judgeSettings holds the settings of a package to being known, and its secrets to being in files.
func judgeSettings(t *testing.T, of string, settings map[string]string) {
	t.Helper()
	all, secret := kept(t)
	for name, value := range settings {
		setting, inFile := strings.CutSuffix(name, "_FILE")
		if inFile && slices.Contains(secret, setting) {
			assert.Regexp(t, `^/`, value, "%s: %s", of, name)
			continue
		}
		assert.Contains(t, append(all, "GOMEMLIMIT"), name, of)
		if slices.Contains(secret, name) {
			assert.Regexp(t, `^sqlite:/`, value, "%s: %s holds a secret, and is in no file", of, name)
		}
	}
	for _, name := range []string{"SLACK_BOT_TOKEN_FILE", "SLACK_APP_TOKEN_FILE", "SOFTLAYER_API_KEY_FILE", "REQUEST_GROUPS", "APPROVE_GROUPS"} {
		assert.Contains(t, settings, name, "%s: a bot does not start without it", of)
	}
}

func TestTheImageHasNoShellAndNoRoot(t *testing.T) {
	t.Parallel()
	text := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(read(t, "deploy/Dockerfile"), "")
	stages := regexp.MustCompile(`(?m)^FROM `).Split(text, -1)
	require.Len(t, stages, 3, "a stage that builds, and one that runs")
	build, run := stages[1], stages[2]
	assert.Contains(t, build, "go run ./deploy/release ", "the image has the binary of the release")
	assert.Contains(t, build, "golang:1.26-", "the Go of go.mod")
	assert.Contains(t, read(t, "go.mod"), "\ngo 1.26.")
	assert.Regexp(t, `^gcr\.io/distroless/static-debian\d+:nonroot\n`, run)
	assert.NotRegexp(t, `(?m)^(RUN|ADD|SHELL|CMD)`, run, "nothing runs in it but the bot")
	assert.Contains(t, run, "\nUSER 65532:65532\n")
	assert.True(t, strings.HasSuffix(run, "\nENTRYPOINT [\"/bot\"]\n"))
	assert.Contains(t, run, "--chown=0:0 --chmod=0555 /out/bot /bot\n", "the bot cannot change itself")
	assert.NotRegexp(t, `xoxb|xapp|KEY`, text, "no secret is in a layer")
}

func TestTheServiceMayDoLittle(t *testing.T) {
	t.Parallel()
	unit := read(t, "deploy/cancel-server.service")
	for _, line := range []string{
		"User=cancel-server", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes",
		"PrivateDevices=yes", "MemoryDenyWriteExecute=yes", "SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources",
		"RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "StateDirectory=cancel-server", "StateDirectoryMode=0700", "UMask=0077",
		"RestartPreventExitStatus=2", "ExecStart=/opt/cancel-server/bot", "EnvironmentFile=/etc/cancel-server/environment",
	} {
		assert.Contains(t, unit, "\n"+line+"\n")
	}
	assert.NotRegexp(t, `(?m)^Environment=`, unit, "settings are in one file")
	settings := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^([A-Z_]+)=(.*)$`).FindAllStringSubmatch(read(t, "deploy/environment"), -1) {
		settings[row[1]] = row[2]
	}
	judgeSettings(t, "deploy/environment", settings)
}

// object is what the test below needs of a Kubernetes object. .ci/packages holds the file to Kubernetes' own types.
type object struct {
	Kind string
	Data map[string]string
	Spec struct {
		Modes    []string `yaml:"accessModes"`
		Replicas int
		Strategy struct{ Type string }
		Template struct{ Spec pod }
	}
}

type pod struct {
	Token      *bool          `yaml:"automountServiceAccountToken"`
	Security   map[string]any `yaml:"securityContext"`
	Containers []struct {
		Env       []struct{ Name, Value string }
		Startup   probe          `yaml:"startupProbe"`
		Live      probe          `yaml:"livenessProbe"`
		Ready     probe          `yaml:"readinessProbe"`
		Security  map[string]any `yaml:"securityContext"`
		Resources struct{ Limits map[string]string }
		Mounts    []struct {
			Name string
			Path string `yaml:"mountPath"`
		} `yaml:"volumeMounts"`
	}
	Volumes []map[string]any
}

type probe struct {
	Get struct{ Path string } `yaml:"httpGet"`
}

// objects are those of the Kubernetes manifest by kind.
func objects(t *testing.T) map[string]object {
	t.Helper()
	all := map[string]object{}
	for decoder := yaml.NewDecoder(bytes.NewReader([]byte(read(t, "deploy/kubernetes.yaml")))); ; {
		var o object
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		require.NotContains(t, all, o.Kind)
		all[o.Kind] = o
	}
}

// A second bot on a database file of its own would know nothing of the first. The bot's own lock is
// tested in cmd/bot: TestSecondBotOnOneDatabaseIsRefused.
func TestKubernetesStartsNoSecondBotOnSQLite(t *testing.T) {
	t.Parallel()
	all := objects(t)
	assert.Equal(t, "sqlite:/data/cancel-server.db", all["ConfigMap"].Data["DATABASE_URL"])
	assert.Equal(t, []string{"ReadWriteOncePod"}, all["PersistentVolumeClaim"].Spec.Modes, "a second pod cannot mount it")
	assert.NotContains(t, all, "StatefulSet", "each of its pods would have a volume of its own")
	run := all["Deployment"].Spec
	assert.Equal(t, 1, run.Replicas)
	assert.Equal(t, "Recreate", run.Strategy.Type, "an update ends the old pod before it starts the new one")
	assert.Contains(t, run.Template.Spec.Volumes, map[string]any{"name": "data", "persistentVolumeClaim": map[string]any{"claimName": "cancel-server"}})
	mounts := map[string]string{}
	for _, m := range run.Template.Spec.Containers[0].Mounts {
		mounts[m.Name] = m.Path
	}
	assert.Equal(t, map[string]string{"data": "/data", "temporary": "/tmp", "secrets": "/secrets"}, mounts)
}

func TestThePodMayDoLittle(t *testing.T) {
	t.Parallel()
	all := objects(t)
	run := all["Deployment"].Spec.Template.Spec
	require.Len(t, run.Containers, 1)
	bot := run.Containers[0]
	assert.Equal(t, []string{"/livez", "/livez", "/readyz"}, []string{bot.Startup.Get.Path, bot.Live.Get.Path, bot.Ready.Get.Path})
	assert.Equal(t, map[string]any{
		"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": map[string]any{"drop": []any{"ALL"}},
	}, bot.Security)
	for name, wants := range map[string]any{
		"runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532, "seccompProfile": map[string]any{"type": "RuntimeDefault"},
	} {
		assert.Equal(t, wants, run.Security[name], name)
	}
	assert.Equal(t, false, *run.Token, "it never asks Kubernetes anything")
	assert.NotEmpty(t, bot.Resources.Limits["memory"])
	settings := maps.Clone(all["ConfigMap"].Data)
	for _, variable := range bot.Env {
		settings[variable.Name] = variable.Value
	}
	judgeSettings(t, "deploy/kubernetes.yaml", settings)
}
