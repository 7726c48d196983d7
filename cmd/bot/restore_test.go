//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/postgrestest"
)

// documented runs a command of docs/operate.md in the world's folder: the one that begins with a program's
// name. The files of the page are those of the world, whose names end alike.
func (w *world) documented(program string) {
	w.t.Helper()
	command := regexp.MustCompile(`(?m)^` + program + ` .*$`).FindString(pages(w.t)["../../docs/operate.md"])
	require.NotEmpty(w.t, command, "the page shows how to use %s", program)
	run := exec.Command("sh", "-c", command)
	run.Dir, run.Env = w.dir, append(os.Environ(), "DATABASE_URL="+w.postgres)
	out, err := run.CombinedOutput()
	require.NoError(w.t, err, "%s: %s", command, out)
}

// keeping is one of the two databases, with how it is backed up and restored.
type keeping struct {
	setup
	backUp, restore func(w *world)
}

// needs skips a test of the document's own commands where one of their programs is not in PATH.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("SKIPPED: needs the programs of the document's commands in PATH:", err)
		}
	}
}

func TestRestoredBackupFilesNothingTwice(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		needs(t, "rm", "cp")
		file := func(w *world) string { return filepath.Join(w.dir, "cancel-server.backup") }
		w := restorable(t, keeping{patient(), func(w *world) { w.backsUpUnderLoad(file(w)) }, func(w *world) {
			w.documented("rm")
			w.documented("cp")
		}})
		code, said := w.ends([]string{"backup", file(w)})
		assert.Equal(t, exitUsage, code)
		assert.Contains(t, said, "file already exists; name a file that is not there yet")
		code, said = w.ends([]string{"backup", file(w)}, "DATABASE_URL=postgres://nobody@127.0.0.1:1/none")
		assert.Equal(t, exitUsage, code)
		assert.Contains(t, said, `pg_dump --format=custom --file=FILE "$DATABASE_URL"`)
	})
	t.Run("SQLite, an older copy", func(t *testing.T) {
		t.Parallel()
		needs(t, "rm", "cp")
		restorable(t, keeping{patient(), (*world).copiesFile, func(w *world) {
			w.documented("rm")
			w.documented("cp")
		}})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		needs(t, "pg_dump", "pg_restore")
		s := patient()
		s.postgres = postgrestest.DatabaseFor(t, 1)
		restorable(t, keeping{s, func(w *world) { w.documented("pg_dump") }, func(w *world) {
			w.postgres = postgrestest.DatabaseFor(t, 1)
			w.documented("pg_restore")
		}})
	})
}

// restorable has a bot back up while requests wait, file what waits and more, die, and go on from the backup.
func restorable(t *testing.T, k keeping) *world {
	t.Helper()
	w := newWorld(t, byHTTP, k.setup)
	w.file = "cancel-server.db"
	if k.before != nil {
		k.before(w)
	}
	member := true
	require.NoError(t, w.slack.PatchChannel(w.cast.PrivateChannel, fakeslack.ChannelPatch{BotIn: &member}))
	w.extra = append(w.extra, "NOTIFY_CHANNEL="+w.cast.PrivateChannel)
	w.start()
	code, said := w.ends([]string{"freeze", "--why", "a backup"})
	require.Zero(t, code, said)
	waiting := w.acceptedAtOnce(2)
	k.backUp(w)
	code, said = w.ends([]string{"unfreeze", "--why", "it is made"})
	require.Zero(t, code, said)
	lost := w.another()
	w.accepted(w.cast.Channel, w.cast.User, lost)
	filed := append(waiting, lost)
	for _, server := range filed {
		w.awaitSoon(w.cast.Channel, "Cancellation requested", w.fqdn(server))
	}
	sent := len(w.posts())
	w.kill()

	k.restore(w)
	w.start()
	w.awaitReady()
	_, ready := w.readyz()
	require.NotNil(t, ready.Frozen, "it starts frozen")
	assert.Equal(t, cancellation.RestoreActor, ready.Frozen.By)
	assert.Contains(t, ready.Frozen.Why, "restored from a backup")
	w.awaitMessage(w.cast.PrivateChannel, "Filing is frozen by the bot itself.", "restored from a backup", "Only bot unfreeze lets filing go on.")
	w.eventually("what was filed since is found in SoftLayer's records", func() bool { return w.filedOf(waiting) == len(waiting) })
	assert.Len(t, w.posts(), sent, "nothing is sent again")
	next := w.another()
	w.accepted(w.cast.Channel, w.cast.User, next)
	w.awaitMessage(w.cast.Channel, "filing is frozen by the bot itself", w.fqdn(next))
	assert.Contains(t, w.blockedForm(w.cast.User, lost).text(w), "is already open", "SoftLayer's records know what ours do not")
	assert.Len(t, w.posts(), sent)

	code, said = w.ends([]string{"unfreeze", "--why", "compared with SoftLayer"})
	require.Zero(t, code, said)
	w.awaitSoon(w.cast.Channel, "Cancellation requested", w.fqdn(next))
	for _, server := range append(filed, next) {
		assert.Len(t, w.postsFor(server), 1, "each server once, ever")
	}
	return w
}

// backsUpUnderLoad has people ask for servers while bot backup runs.
func (w *world) backsUpUnderLoad(file string) {
	w.t.Helper()
	endpoint, admin := w.endpoint, w.admin
	c := w.run([]string{"backup", file})
	w.endpoint, w.admin = endpoint, admin
	w.slack.SetEndpoint(endpoint)
	w.accepted(w.cast.Channel, w.cast.User, w.another())
	require.Zero(w.t, c.exit(w.t), c.log)
	assert.Regexp(w.t, `cancel-server\.backup holds the database as of .*Z: \d+\.\d MB, \d+ requests, \d+ of them unfinished\.`, c.log.String())
	info, err := os.Stat(file)
	require.NoError(w.t, err)
	assert.Equal(w.t, os.FileMode(0o600), info.Mode().Perm())
}

// copiesFile copies the file of a bot that is not running, and returns when PATH.lock remembers more than the copy has.
func (w *world) copiesFile() {
	w.t.Helper()
	remembered := func() string {
		content, err := os.ReadFile(w.database() + ".lock")
		require.NoError(w.t, err)
		return string(content)
	}
	w.stop()
	before := remembered()
	require.NoError(w.t, exec.Command("cp", w.database(), filepath.Join(w.dir, "cancel-server.backup")).Run())
	w.start()
	w.eventually("what is done since is remembered", func() bool { return remembered() != before })
}

// filedOf is how many of these servers' requests the database has as filed.
func (w *world) filedOf(servers []int64) (filed int) {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	for _, server := range servers {
		var state string
		require.NoError(w.t, db.QueryRowContext(w.t.Context(), `select state from requests where server_id = $1`, server).Scan(&state))
		if state == "filed" {
			filed++
		}
	}
	return filed
}

func TestFailedBackupSaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "cancel-server.backup")
	assert.Contains(t, leftAs(name), "nothing is left under the name")
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	assert.Contains(t, leftAs(name), "remove it")
}
