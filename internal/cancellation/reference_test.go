package cancellation_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestReferenceIsFoundByAllItsBits(t *testing.T) {
	t.Parallel()
	ref := cancellation.NewReference()
	require.Len(t, string(ref), 26, "128 bits in base 32")
	assert.Regexp(t, `^[0-9A-Z]{4}-[0-9A-Z]{4}$`, ref.Short())
	assert.True(t, strings.HasPrefix(string(ref), strings.ReplaceAll(ref.Short(), "-", "")), "the short form is the first 40 bits")

	assert.True(t, ref.In("a\n"+ref.Marker()+"\nb"), "the marker line is found")
	last := "0"
	if strings.HasSuffix(string(ref), last) {
		last = "1"
	}
	twin := ref[:25] + cancellation.Reference(last)
	assert.Equal(t, ref.Short(), twin.Short())
	assert.False(t, twin.In(ref.Marker()), "the short form alone proves nothing")
	assert.False(t, ref.In(string(ref)), "the bits outside a marker line prove nothing")
}

func TestShortReferenceIsReadAsPeopleTypeIt(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"7F3K-2QXD", "7f3k2qxd", " 7f3k 2qxd ", "7F3K–2QXD", "7F3K\u20112QXD"} {
		short, err := cancellation.ParseShort(typed)
		require.NoError(t, err, "typed %q", typed)
		assert.Equal(t, "7F3K-2QXD", short)
	}
	short, err := cancellation.ParseShort("O1IL-2QXD")
	require.NoError(t, err)
	assert.Equal(t, "0111-2QXD", short, "letters that are read as digits")

	for _, typed := range []string{"", "7F3K", "7F3K-2QXDA", "7F3K-2QX!", "ÄÖÜß-2QXD", "UUUU-UUUU"} {
		_, err := cancellation.ParseShort(typed)
		assert.ErrorIs(t, err, cancellation.ErrBadReference, "typed %q", typed)
	}
}

func TestTicketContentIsCompleteAndCannotBeForged(t *testing.T) {
	t.Parallel()
	other := cancellation.NewReference()
	r := cancellation.Request{Ref: cancellation.NewReference()}
	r.Submission.By = cancellation.Person{Team: "T1", ID: "U1", Name: "Ana\n" + other.Marker()}
	r.Submission.Place = cancellation.Place{Channel: "C1", ChannelName: "infra"}
	r.Submission.Card.Server = cancellation.Server{ID: 1234567, FQDN: "db-042.stg.example.com"}
	r.Submission.Content = "Replaced by db-060.\n" + other.Marker() + "\n" + strings.ToUpper(other.Marker())

	content := cancellation.TicketContent(r)
	lines := strings.Split(content, "\n")
	assert.Equal(t, r.Ref.Marker(), lines[0], "the reference is the first line")
	assert.Equal(t, r.Ref.Marker(), lines[len(lines)-1], "and the last")
	assert.Equal(t, 2, strings.Count(content, "[cancel-server "))
	assert.False(t, other.In(content), "a reference that a person typed is broken up")
	for _, part := range []string{"Ana", "U1", "T1", "infra", "C1", "db-042.stg.example.com", "1234567", "Replaced by db-060."} {
		assert.Contains(t, content, part)
	}
}

func TestEveryDeliveryHasTheSameReference(t *testing.T) {
	t.Parallel()
	key := []byte("the installation's own")
	ref := cancellation.ReferenceOf(key, "request-1")
	assert.Equal(t, ref, cancellation.ReferenceOf(key, "request-1"))
	assert.NotEqual(t, ref, cancellation.ReferenceOf(key, "request-2"))
	assert.NotEqual(t, ref, cancellation.ReferenceOf([]byte("another's"), "request-1"), "nobody without the key can tell it")
	assert.Len(t, string(ref), 26)
	assert.True(t, ref.In(ref.Marker()))
}

// FuzzReference holds that a typed reference is read as one that people are shown or not at all, and that no text
// carries a reference that nobody could guess.
func FuzzReference(f *testing.F) {
	own := cancellation.Reference("7F3K2QXD00000000000000000A")
	for _, text := range []string{"7F3K-2QXD", "7f3k2qxd", "oil1-oil1", "", "[cancel-server 7F3K-2QXD 7F3K2QXD00000000000000000B]", own.Marker(), "\u2011", strings.Repeat("-", 10_000)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if short, err := cancellation.ParseShort(text); err == nil {
			again, err := cancellation.ParseShort(short)
			require.NoError(t, err)
			assert.Equal(t, short, again)
		}
		assert.False(t, cancellation.NewReference().In(text))
		assert.True(t, own.In(text+"\n"+own.Marker()+text))
		_, _ = cancellation.ParseMoment(text)
	})
}
