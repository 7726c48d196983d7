package spelling_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/spelling"
)

func TestErrorsAreInsertedRemovedAndChangedCharacters(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, other string
		errors      int
	}{
		{"web-033", "web-033", 0},
		{"web-0333", "web-033", 1},
		{"web-03", "web-033", 1},
		{"web-034", "web-033", 1},
		{"wbe-033", "web-033", 2},
		{"web033", "web-0333", 2},
		{"bew-033", "web-033", 2},
		{"xyz-033", "web-033", 3},
		{"mail", "web-033", 4},
		{"", "web", 3},
		{"web", "", 3},
		{"", "", 0},
		{"web-033", "web-033.example.com", 4},
	} {
		n := spelling.New(test.name)
		assert.Equal(t, test.errors, spelling.Errors(n, test.other, spelling.Most), "%q and %q", test.name, test.other)
		assert.Equal(t, test.errors, spelling.Errors(n, []byte(test.other), spelling.Most), "%q and %q, again", test.name, test.other)
		assert.Equal(t, min(test.errors, 2), spelling.Errors(n, test.other, 1), "%q and %q, one at most", test.name, test.other)
	}
}

func TestShortNamesTolerateFewerErrors(t *testing.T) {
	t.Parallel()
	for name, most := range map[string]int{"": 0, "a": 0, "db": 1, "web": 1, "mail": 2, "mail-1": 3, "mail-0001": 3} {
		assert.Equal(t, most, spelling.Tolerated(name), "%q", name)
	}
}

// A sketch that ruled out a near name would hide it from people.
func TestSketchRulesOutNoNearName(t *testing.T) {
	t.Parallel()
	r, ruledOut := rand.New(rand.NewPCG(7, 7)), 0
	word := func() string {
		text, different := make([]byte, r.IntN(12)), 1+r.IntN(8)
		for i := range text {
			text[i] = "abc-01\x81\xc1"[r.IntN(different)]
		}
		return string(text)
	}
	for range 20_000 {
		name, other := word(), word()
		n := spelling.New(name)
		for most := range spelling.Most + 1 {
			if n.MayBe(spelling.SketchOf(other), most) {
				continue
			}
			ruledOut++
			assert.Greater(t, spelling.Errors(n, other, most), most, "%q and %q", name, other)
		}
	}
	assert.Greater(t, ruledOut, 20_000)
}
