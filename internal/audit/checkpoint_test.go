package audit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func testKey(t *testing.T, name string) (Key, string) {
	t.Helper()
	private, public, err := NewKey(name)
	require.NoError(t, err)
	k, err := ParseKey(private + "\n")
	require.NoError(t, err)
	assert.Equal(t, public, k.Public())
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v %s", k, k, k, k), fmt.Sprintf("%+v", struct{ K Key }{k})} {
		assert.NotContains(t, shown, strings.SplitN(private, "+", 5)[4], "a key prints without its secret")
	}
	return k, public
}

var somePoint = Checkpoint{Origin: "cancel-server/1f/1", Size: 1234, Root: tlog.RecordHash([]byte("x"))}

func TestSavedCheckpointsAreReadHoweverTheyWereCopied(t *testing.T) {
	t.Parallel()
	key, public := testKey(t, "cancel-server")
	_, other := testKey(t, "cancel-server")
	signed, err := key.Sign(somePoint)
	require.NoError(t, err)
	unsigned, err := Key{}.Sign(somePoint)
	require.NoError(t, err)
	cosigned := signed + "— witness.example.com Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
	verifier, err := note.NewVerifier(public)
	require.NoError(t, err)
	_, err = note.Open([]byte(cosigned), note.VerifierList(verifier))
	require.NoError(t, err, "the witness's own tools read it")
	for says, c := range map[string]struct {
		text, key string
		want      Signature
	}{
		"as printed":                     {signed, public, Valid},
		"without a key":                  {signed, "", NotChecked},
		"unsigned":                       {unsigned, "", Unsigned},
		"unsigned, and a key":            {unsigned, public, NotByKey},
		"copied out of Slack":            {"```" + strings.ReplaceAll(strings.TrimSpace(signed), "\n", "\r\n") + " ```", public, Valid},
		"with a line of a witness":       {cosigned, public, Valid},
		"with another key's signature":   {signed, other, NotByKey},
		"with another size":              {strings.Replace(signed, "1234", "1233", 1), public, Invalid},
		"with another root":              {strings.Replace(signed, somePoint.Root.String(), tlog.Hash{}.String(), 1), public, Invalid},
		"with a signature that is none":  {unsigned + "\n— cancel-server !\n", public, Invalid},
		"unsigned without its last line": {strings.TrimSpace(unsigned), "", Unsigned},
	} {
		c0, got, err := OpenCheckpoint(c.text, c.key)
		require.NoError(t, err, says)
		assert.Equal(t, c.want, got, says)
		assert.Equal(t, somePoint.Origin, c0.Origin, says)
	}
	for _, text := range []string{"", "a\nb", "a\nb\nc\n", "a\n1\nc\n", "a\n-1\n" + somePoint.Root.String()} {
		_, _, err := OpenCheckpoint(text, "")
		assert.ErrorContains(t, err, "not a checkpoint", text)
	}
	_, _, err = OpenCheckpoint(signed, "nonsense")
	assert.ErrorContains(t, err, "not a verifier key")
}

func TestKeysAreRefusedWithoutQuotingThem(t *testing.T) {
	t.Parallel()
	private, public, err := NewKey("example.com/bot")
	require.NoError(t, err)
	for _, text := range []string{"", "nonsense", public, private[:len(private)-4] + "AAAA"} {
		_, err := ParseKey(text)
		require.Error(t, err)
		if text != "" {
			assert.NotContains(t, err.Error(), text)
		}
	}
	_, _, err = NewKey("my bot")
	assert.ErrorContains(t, err, "white space")
}
