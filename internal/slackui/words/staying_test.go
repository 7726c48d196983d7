package words

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

// goldenStays is what stays billed of a server, by the name of a screen.
func goldenStays() map[string]*billed.Stays {
	many := billed.Stays{More: 4}
	for n := range 12 {
		many.Items = append(many.Items, billed.Item{Kind: billed.Subnet, ID: int64(n + 1), Name: fmt.Sprintf("10.4.%d.0/28", n), Fee: "4"})
	}
	return map[string]*billed.Stays{
		"stays": {Items: []billed.Item{
			{Kind: billed.Volume, ID: 7, Name: "SL02SEL1-5", Fee: "98.00"}, {Kind: billed.Subnet, Name: "10.4.0.0/28"},
		}},
		"stays-none": {},
		"stays-hidden": {
			Items:  []billed.Item{{Kind: billed.VLAN, ID: 9, Name: "fra02.bcr01.717", Fee: "10"}, {Kind: billed.Volume, ID: 7, Name: "<!channel>", Fee: "72.5", Shared: true}},
			Hidden: []billed.Kind{billed.Volume}, Unread: []billed.Kind{billed.Subnet},
		},
		"stays-many": &many,
	}
}

// goldenLeft is what is left behind of a server that is gone.
func goldenLeft() map[string]Message {
	gone := slacktest.Request(cancellation.Reclaimed, today, slacktest.Because(cancellation.WhyServerGone, ""))
	left := billed.Stays{Items: []billed.Item{
		{Kind: billed.Volume, ID: 7, Name: "SL02SEL1-5", Fee: "90.00"},
		{Kind: billed.Associated, ID: 8, Name: "Portable storage", Fee: "8.00"},
		{Kind: billed.Subnet, Name: "10.4.0.0/28", Unread: true},
	}}
	one := billed.Stays{Items: left.Items[:1], Hidden: []billed.Kind{billed.VLAN}}
	return map[string]Message{
		"left-behind":        testWords().LeftBehind(gone, left.Detail()),
		"left-behind-one":    testWords().LeftBehind(gone, one.Detail()),
		"left-behind-hidden": testWords().LeftBehind(gone, billed.Stays{Hidden: billed.Kinds()}.Detail()),
		"left-behind-unread": testWords().LeftBehind(gone, ""),
		"left-behind-many":   testWords().LeftBehind(gone, goldenStays()["stays-many"].Detail()),
	}
}

func withStays(s *billed.Stays) func(*cancellation.Request) {
	return func(r *cancellation.Request) { r.Submission.Card.Stays = s }
}

func TestChannelsReadSumsOfWhatStays(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	w := testWords()
	for name, stays := range goldenStays() {
		waits := slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, withStays(stays))
		for _, m := range []Message{
			w.Live(cancellation.Result, slacktest.Request(cancellation.Filed, withStays(stays))),
			w.Live(cancellation.ApprovalCard, waits), w.Live(cancellation.Result, waits),
		} {
			require.NoError(t, judge.Post(m.Text, m.Blocks), name)
			text := slacktest.TextIn(t, m.Blocks)
			for _, item := range stays.Items {
				assert.NotContains(t, m.Text+text, item.Name, "%s: names and addresses are for modals", name)
			}
			if !stays.None() {
				assert.Contains(t, text, "Stays billed: ", name)
			}
		}
	}
}

func TestWhatWasNotReadIsNotNone(t *testing.T) {
	t.Parallel()
	for _, s := range []*billed.Stays{nil, {Hidden: []billed.Kind{billed.Volume}}, {Unread: []billed.Kind{billed.Volume}}} {
		text := flat(staysLines(s)...)
		assert.NotContains(t, text, "no volume")
		assert.Contains(t, text, "may stay billed")
	}
	assert.Contains(t, flat(staysLines(&billed.Stays{})...), "no volume, subnet or VLAN of its own")
	for _, hidden := range goldenLeft() {
		assert.Contains(t, hidden.Text, "still billed")
	}
}
