package words

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

func TestFieldsOfAServerCarryItsID(t *testing.T) {
	t.Parallel()
	card := &cancellation.Card{Server: slacktest.DBServer(), ReadAt: slacktest.Noon}
	ids := func(f Form) map[string]bool {
		found := make(map[string]bool)
		for _, b := range testWords().Modal(f, "").Blocks.BlockSet {
			found[b.ID()] = true
		}
		return found
	}
	one := ids(Form{Card: card})
	other := *card
	other.Server.ID++
	for id := range ids(Form{Card: &other}) {
		if one[id] {
			assert.Contains(t, []string{"place", ServerBlock, ReasonBlock, ContentBlock}, id, "another choice resets what belongs to a server")
		}
	}
}

func TestCutCountsAsSlackMight(t *testing.T) {
	t.Parallel()
	for _, text := range append(slacktest.Hostile(), "", "a", "ab", "abc") {
		for _, limit := range []int{1, 2, 24, 75, 3000} {
			short := Cut(text, limit)
			assert.LessOrEqual(t, len(utf16.Encode([]rune(short))), limit, "%.20q to %d", text, limit)
			if short != text {
				assert.True(t, strings.HasSuffix(short, "…"))
				assert.True(t, strings.HasPrefix(text, strings.TrimSuffix(short, "…")), "no character is split")
			}
		}
	}
	assert.Equal(t, "ab", Cut("ab", 2))
	assert.Equal(t, "a…", Cut("abc", 2))
}

func TestCutTextTearsNoLinkOrEntity(t *testing.T) {
	t.Parallel()
	for before := range 60 {
		text := flat(line{
			plain(strings.Repeat("x", maxText-before)), labelled("https://cloud.ibm.com/?a&b", "Ticket <1>"), plain(" & "), person("U7", "Ana"),
		})
		short := fitting(text)
		assert.LessOrEqual(t, len(utf16.Encode([]rune(short))), maxText)
		assert.Regexp(t, `^x+(<https://cloud\.ibm\.com/\?a&amp;b\|Ticket &lt;1&gt;>( (&amp;)? ?(<@U7>\.?)?)?)?…?$`, short, "%d before the end", before)
	}
}

func TestDatesAreSoftLayersOwn(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"2026-12-01T00:00:00-06:00": "Tue 1 Dec 2026 (US Central)",
		"2026-07-01T00:00:00-05:00": "Wed 1 Jul 2026 (US Central)",
		"2026-06-30T23:00:00-06:00": "Wed 1 Jul 2026 (US Central)", // as SoftLayer writes it in summer
		"2026-12-01T00:00:00+05:30": "Tue 1 Dec 2026 (UTC+05:30)",
		"2026-12-01T00:00:00Z":      "Tue 1 Dec 2026 (UTC)",
	} {
		at, err := cancellation.ParseMoment(given)
		require.NoError(t, err)
		assert.Equal(t, want, day(at)+inZone(at))
		assert.Equal(t, day(at), calendar(given))
	}
	assert.Empty(t, calendar("soon"))
	assert.Equal(t, "<!date^1795348800^{date_short} {time}|22 Nov 2026 12:00 UTC>", moment(slacktest.Noon))
}

func TestMoneyIsAddedExactlyOrNotAtAll(t *testing.T) {
	t.Parallel()
	fee := func(fees ...string) string {
		items := make([]cancellation.AssociatedItem, len(fees))
		for i, f := range fees {
			items[i].Fee = f
		}
		return sum(items)
	}
	assert.Equal(t, "0.30", fee("0.1", "0.2"))
	assert.Equal(t, "98.00", fee("8.00", "90"))
	assert.Empty(t, fee("8.00", ""), "unknown is not 0")
	assert.Empty(t, fee("1e999999999"))
}
