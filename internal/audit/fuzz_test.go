package audit

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzCheckpoint holds that nobody without the key makes a note that counts as signed, and that what is read of a
// saved checkpoint is read again as it is printed.
func FuzzCheckpoint(f *testing.F) {
	private, public, err := NewKey("cancel-server")
	require.NoError(f, err)
	key, err := ParseKey(private)
	require.NoError(f, err)
	signed, err := key.Sign(somePoint)
	require.NoError(f, err)
	for _, text := range []string{signed, somePoint.Text(), "```" + strings.ReplaceAll(signed, "\n", " \r\n"), "a\n+1\nAAAA\n", "— x y\n", "\xff\n\n-0\n"} {
		f.Add(text, public)
	}
	f.Add(somePoint.Text(), "cancel-server+1+x")
	f.Fuzz(func(t *testing.T, text, other string) {
		_, _, _ = OpenCheckpoint(text, other)
		_, err := ParseKey(other)
		if err != nil && len(other) > 20 {
			assert.NotContains(t, err.Error(), other, "a key is a secret")
		}
		c, s, err := OpenCheckpoint(text, public)
		if err != nil {
			return
		}
		if s == Valid {
			assert.Equal(t, somePoint, c, "this alone was signed")
		}
		assert.GreaterOrEqual(t, c.Size, int64(0))
		again, s, err := OpenCheckpoint(c.Text(), "")
		require.NoError(t, err, "%q", text)
		assert.Equal(t, Unsigned, s)
		assert.Equal(t, c, again, "%q", text)
	})
}

// FuzzFrontier holds that a tree that a database's row has is the one that was written, or none.
func FuzzFrontier(f *testing.F) {
	var three Frontier
	for range 3 {
		three.Add(somePoint.Root)
	}
	f.Add(three.Size, three.Bytes())
	f.Add(int64(0), []byte{})
	f.Add(int64(-1), []byte(strings.Repeat("x", 64*32)))
	f.Add(int64(1)<<62, []byte(strings.Repeat("x", 32)))
	f.Add(int64(1)<<61, []byte(strings.Repeat("x", 32)))
	f.Add(int64(1)<<62+1, []byte(strings.Repeat("x", 64)))
	f.Fuzz(func(t *testing.T, size int64, roots []byte) {
		tree, err := ParseFrontier(size, roots)
		if err != nil {
			assert.ErrorIs(t, err, ErrTree)
			return
		}
		assert.Equal(t, string(roots), string(tree.Bytes()))
		tree.Root()
		log := Log{First: 1, Tree: tree}
		assert.LessOrEqual(t, log.Last(), mostPosition)
		tree.Add(somePoint.Root)
		tree.Root()
	})
}

// FuzzRow holds that no row and no detail of an event makes holding one to the other panic, and that a row which is
// not the recorded one is named.
func FuzzRow(f *testing.F) {
	row := Row{Salt: NewRowSalt(), Short: "7F3K-2QXD", Ref: "7F3K2QXD00000000000000000A", Server: 12, Requester: "T0/U0ANA", Submission: `{"Reason":"No longer needed","Card":{"Server":{"ID":12}}}`}
	detail := WithRow(`{"Rule":"ops"}`, row)
	f.Add(detail, row.Salt+"\n"+row.text())
	f.Add(detail, "\n"+row.text())
	f.Add(`{"Row":{"Server":1}}`, strings.Repeat("\n", 9))
	f.Add(`{"Row":{`, "")
	f.Fuzz(func(t *testing.T, detail, text string) {
		e := Event{Source: OfRequest, Number: 1, Detail: detail, Row: text}
		h := e.holds()
		if h == nil {
			return
		}
		_, _ = h.compare(text)
		recorded := (&Event{Detail: WithRow(`{"Rule":"ops"}`, row)}).holds()
		wrong, erased := recorded.compare(text)
		if text == row.Salt+"\n"+row.text() {
			assert.Empty(t, wrong)
		} else if !erased {
			assert.NotEmpty(t, wrong, "%q is not the row that was recorded", text)
		}
	})
}
