//go:build unix

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// exported is what bot audit export prints, and how many lines have each kind.
func (w *world) exported() (lines []map[string]any, kinds map[string]int) {
	w.t.Helper()
	code, said := w.ends([]string{"audit", "export"})
	require.Equal(w.t, exitDone, code, said)
	kinds = map[string]int{}
	for text := range strings.Lines(said) {
		var line map[string]any
		require.NoError(w.t, json.Unmarshal([]byte(text), &line), text)
		lines = append(lines, line)
		kinds[line["kind"].(string)]++
	}
	return lines, kinds
}

// firstRef is the first reference of a request in an export.
func firstRef(lines []map[string]any) string {
	at := slices.IndexFunc(lines, func(line map[string]any) bool { return line["ref"] != nil })
	return lines[at]["ref"].(string)
}

// sealed waits until all that was recorded is sealed.
func (w *world) sealed() {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	w.eventually("everything is sealed", func() bool {
		var waiting int
		err := db.QueryRowContext(w.t.Context(), `select (select count(*) from events where position is null)
			+ (select count(*) from deployment_events where position is null)`).Scan(&waiting)
		return err == nil && waiting == 0
	})
}

func TestAuditLogShowsWhatWasTamperedWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeslack.TransportSocket, setup{})
	key := filepath.Join(w.dir, "audit.key")
	code, verifier := w.ends([]string{"audit", "keygen", key, "--name", "example.com/bot"})
	require.Equal(t, exitDone, code, verifier)
	info, err := os.Stat(key)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	code, said := w.ends([]string{"audit", "keygen", key})
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, said, "a key is never replaced")
	w.extra = append(w.extra, "AUDIT_KEY_FILE="+key)

	w.start()
	w.filed(w.cast.User, w.server)
	require.Empty(t, w.command(w.cast.Requester, "freeze a whim").Error)
	code, said = w.ends([]string{"freeze", "--why", "the <b>wrong</b> account"})
	require.Equal(t, exitDone, code, said)
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, "policy.cedar"), []byte("permit (nonsense"), 0o600))
	db := w.openDatabase()
	defer db.Close()
	w.eventually("the policy file is refused", func() bool {
		var refused int
		err := db.QueryRowContext(t.Context(), `select count(*) from deployment_events where kind = 'policy-refused'`).Scan(&refused)
		return err == nil && refused == 1
	})
	w.sealed()

	lines, kinds := w.exported()
	for _, kind := range []string{"segment", "start", "policy", "policy-refused", "freeze", "freeze-refused", "submitted", "moved"} {
		assert.Positive(t, kinds[kind], kind)
	}
	assert.Equal(t, 1, kinds["start"], "verbs start nothing")
	for at, line := range lines {
		assert.EqualValues(t, at+1, line["position"], "in the order of their seals")
		detail := line["detail"].(string)
		switch line["kind"] {
		case "start":
			var says struct{ Settings map[string]string }
			require.NoError(t, json.Unmarshal([]byte(detail), &says))
			assert.Equal(t, []string{"set", "set", key}, []string{says.Settings["SLACK_BOT_TOKEN"], says.Settings["DATABASE_URL"], says.Settings["AUDIT_KEY_FILE"]})
			assert.Equal(t, "1000", says.Settings["SOFTLAYER_RATE"])
		case "policy":
			sum := sha256.Sum256([]byte(line["text"].(string)))
			assert.Equal(t, line["subject"], hex.EncodeToString(sum[:]), "with the policy's text")
		case "freeze":
			assert.Equal(t, "the <b>wrong</b> account", detail)
		case "freeze-refused":
			assert.Contains(t, line["actor"], w.cast.Requester)
		case "submitted":
			assert.Regexp(t, `^[0-9A-Z]{4}-[0-9A-Z]{4}$`, line["ref"])
			assert.Contains(t, detail, `"Row":{"Ref":"`+line["ref"].(string)+`","Server":`)
		}
	}

	code, checkpoint := w.ends([]string{"audit", "checkpoint"})
	require.Equal(t, exitDone, code, checkpoint)
	saved := written(t, "saved.txt", checkpoint)
	verify := []string{"audit", "verify", "--checkpoint", saved, "--key", strings.TrimSpace(verifier)}
	code, said = w.ends(verify)
	assert.Equal(t, exitDone, code, said)
	assert.Contains(t, said, "The checkpoint fits")
	assert.Contains(t, said, "Its signature is valid.")

	w.stop()
	w.inDatabase(`update requests set submission = replace(submission, '"Channel":"', '"Channel":"X')`)
	code, said = w.ends(verify)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, said, ": its row is not as it was recorded: who asked, where, their words, the card, the batch or the whole reference was changed.")
	w.inDatabase(`update requests set submission = replace(submission, '"Channel":"X', '"Channel":"')`)
	w.inDatabase(`drop trigger policies_keep_rows`)
	w.inDatabase(`delete from policies`)
	code, said = w.ends(verify)
	assert.Equal(t, exitFailed, code)
	assert.Regexp(t, `MISSING  position \d+, policy [0-9a-f]{64}: this event names it, and its text, which was kept before, is gone\.`, said)
	code, said = w.ends([]string{"show", firstRef(lines)})
	require.Equal(t, exitDone, code, said)
	assert.Contains(t, said, "its text is gone: somebody deleted it from the database")
	w.inDatabase(`drop trigger events_keep_content`)
	w.inDatabase(`update events set actor = 'T0/U0NOBODY' where position = (select max(position) from events)`)
	code, said = w.ends(verify)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, said, "CHANGED  position ")
	assert.Contains(t, said, "the audit log is not as it was sealed")
	code, said = w.ends([]string{"audit", "verify", "--checkpoint", written(t, "forged.txt", strings.Replace(checkpoint, "example.com/bot ", "example.com/bot A", 1)), "--key", strings.TrimSpace(verifier)})
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, said, "CHECKPOINT")
}

func TestAuditVerbsRefuseWhatTheyDoNotKnow(t *testing.T) {
	t.Parallel()
	for says, c := range map[string]struct {
		args []string
		want string
	}{
		"no verb":             {nil, "audit verify, export, checkpoint or keygen"},
		"another verb":        {[]string{"erase"}, `audit has no "erase"`},
		"a word too many":     {[]string{"export", "x"}, "bot audit -h says how"},
		"no file":             {[]string{"keygen"}, "bot audit -h says how"},
		"a key alone":         {[]string{"verify", "--key", "x"}, "--key checks the signature of a --checkpoint"},
		"no checkpoint":       {[]string{"verify", "--checkpoint", written(t, "c", "x")}, "it is not a checkpoint"},
		"a name with a space": {[]string{"keygen", filepath.Join(t.TempDir(), "k"), "--name", "my bot"}, "white space"},
	} {
		err := auditVerb(t.Context(), c.args, io.Discard)
		require.ErrorIs(t, err, errUsage, says)
		assert.ErrorContains(t, err, c.want, says)
	}
	w := newWorld(t, fakeslack.TransportSocket, setup{})
	code, said := w.ends([]string{"audit", "verify"})
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, said, "there is no database")
	w.makeDatabase()
	code, said = w.ends([]string{"audit", "verify"})
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, said, "no bot has ever served from it")
	code, said = w.ends([]string{"serve"}, "AUDIT_KEY_FILE="+written(t, "k", "nonsense"))
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, said, "AUDIT_KEY_FILE: the file cannot be used: it holds no signing key")
}
