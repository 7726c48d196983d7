package billed_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/billed"
)

const server = 42

func charge(id int64) billed.Charge { return billed.Charge{ID: id, Name: "n", Fee: "1.5"} }

func TestOnlyWhatThisServerAloneUsesStays(t *testing.T) {
	t.Parallel()
	one, two := []int64{server}, []int64{server, 43}
	item := func(kind billed.Kind, id int64) billed.Item {
		return billed.Item{Kind: kind, ID: id, Name: "n", Fee: "1.5"}
	}
	volume := func(servers []int64, change func(*billed.VolumeFacts)) billed.Facts {
		v := billed.VolumeFacts{Charge: charge(1), Servers: servers, Known: true}
		if change != nil {
			change(&v)
		}
		return billed.Facts{Volumes: []billed.VolumeFacts{v}}
	}
	vlan := func(servers []int64, reasons []string, change func(*billed.VLANFacts)) billed.Facts {
		v := billed.VLANFacts{Charge: charge(3), Servers: servers, Known: true, Asked: true, Reasons: reasons, Subnets: []billed.Charge{charge(2)}}
		if change != nil {
			change(&v)
		}
		return billed.Facts{VLANs: []billed.VLANFacts{v}}
	}
	alone := []string{"1 bare metal server(s) still on the VLAN "}
	leaves := billed.Stays{Items: []billed.Item{item(billed.Subnet, 2), item(billed.VLAN, 3)}}
	for sentence, c := range map[string]struct {
		facts billed.Facts
		want  billed.Stays
	}{
		"nothing next to it": {billed.Facts{}, billed.Stays{}},
		"its own volume":     {volume(one, nil), billed.Stays{Items: []billed.Item{item(billed.Volume, 1)}}},
		"a volume of two":    {volume(two, nil), billed.Stays{}},
		"a volume of a subnet's too": {
			volume(one, func(v *billed.VolumeFacts) { v.Others = true }), billed.Stays{},
		},
		"a volume of which others are not visible": {
			volume(one, func(v *billed.VolumeFacts) { v.Known = false }),
			billed.Stays{Items: []billed.Item{{Kind: billed.Volume, ID: 1, Name: "n", Fee: "1.5", Shared: true}}},
		},
		"a volume with a replica": {
			volume(one, func(v *billed.VolumeFacts) { v.Replicas = []billed.Charge{charge(9)} }),
			billed.Stays{Items: []billed.Item{item(billed.Volume, 1), item(billed.Volume, 9)}},
		},
		"a volume that is cancelled already": {volume(one, func(v *billed.VolumeFacts) { v.Ended = true }), billed.Stays{}},
		"a volume that is not billed itself": {volume(one, func(v *billed.VolumeFacts) { v.ID = 0 }), billed.Stays{}},
		"its subnet":                         {billed.Facts{Subnets: []billed.Charge{charge(2)}}, billed.Stays{Items: []billed.Item{item(billed.Subnet, 2)}}},
		"a VLAN that it leaves empty":        {vlan(one, alone, nil), leaves},
		"a VLAN held by subnets too":         {vlan(one, append(alone, "2 secondary subnet(s) still on the VLAN "), nil), leaves},
		"a VLAN with servers it cannot see":  {vlan(one, []string{"2 bare metal server(s) still on the VLAN "}, nil), billed.Stays{}},
		"a VLAN of 11 servers":               {vlan(one, []string{"11 bare metal server(s) still on the VLAN "}, nil), billed.Stays{}},
		"a VLAN held by something unknown":   {vlan(one, append(alone, "1 network gateway still on the VLAN"), nil), billed.Stays{}},
		"a VLAN of two servers":              {vlan(two, alone, nil), billed.Stays{}},
		"a VLAN with a virtual server":       {vlan(one, alone, func(v *billed.VLANFacts) { v.Others = true }), billed.Stays{}},
		"an automatic VLAN":                  {vlan(one, alone, func(v *billed.VLANFacts) { v.ID = 0 }), billed.Stays{}},
		"a VLAN of which nothing was answered": {
			vlan(one, nil, func(v *billed.VLANFacts) { v.Asked = false }),
			billed.Stays{Items: []billed.Item{item(billed.Subnet, 2)}, Unread: []billed.Kind{billed.VLAN}},
		},
		"a VLAN whose servers are hidden": {vlan(one, alone, func(v *billed.VLANFacts) { v.Known = false }), billed.Stays{Hidden: []billed.Kind{billed.VLAN}}},
		"a subnet found twice": {
			billed.Facts{Subnets: []billed.Charge{charge(2)}, VLANs: vlan(one, alone, nil).VLANs}, leaves,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			c.facts.Server, c.facts.Billing = server, true
			got := billed.Judge(c.facts)
			assert.Equal(t, text(t, c.want), text(t, got))
		})
	}
}

func text(t *testing.T, s billed.Stays) string {
	t.Helper()
	written, err := json.Marshal(s)
	require.NoError(t, err)
	return string(written)
}

func TestHiddenBillingItemsAreNotTakenForNone(t *testing.T) {
	t.Parallel()
	hidden := billed.Charge{Name: "n"}
	got := billed.Judge(billed.Facts{
		Server: server, Subnets: []billed.Charge{hidden},
		Volumes: []billed.VolumeFacts{{Charge: hidden, Servers: []int64{server}, Known: true}},
		VLANs:   []billed.VLANFacts{{Charge: hidden, Servers: []int64{server}, Known: true, Asked: true}},
	})
	assert.Equal(t, `{"Items":[{"Kind":"volume","Name":"n"},{"Kind":"subnet","Name":"n"}],"Hidden":["vlan"]}`, text(t, got))
	sum, known, unknown := got.Total()
	assert.Equal(t, []any{"0.00", 0, 2}, []any{sum, known, unknown})
}

func TestMoneyIsAddedExactly(t *testing.T) {
	t.Parallel()
	for want, fees := range map[string][]string{
		"0.30/2/0":            {"0.1", "0.2"},
		"98.00/1/1":           {"98", ""},
		"0.00/0/2":            {"a lot", strings.Repeat("9", 60)},
		"100000000000.01/2/0": {"100000000000", "0.01"},
		"0.123456789/1/0":     {".123456789"},
		"0.00/0/1":            {"1e9"},
	} {
		var items []billed.Item
		for _, fee := range fees {
			items = append(items, billed.Item{Fee: fee})
		}
		sum, known, unknown := billed.Stays{Items: items}.Total()
		got := sum + "/" + string(rune('0'+known)) + "/" + string(rune('0'+unknown))
		assert.Equal(t, want, got)
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	t.Parallel()
	var subnets []billed.Charge
	for id := range int64(40) {
		subnets = append(subnets, charge(id+1))
	}
	got := billed.Judge(billed.Facts{Server: server, Billing: true, Subnets: subnets})
	assert.Len(t, got.Items, billed.MaxItems)
	assert.Equal(t, 40-billed.MaxItems, got.More)
	_, known, unknown := got.Total()
	assert.Equal(t, []int{40, 0}, []int{known, unknown}, "what is only counted is added too")
	sum, _, _ := got.Total()
	assert.Equal(t, "60.00", sum)

	written := got.Detail()
	assert.LessOrEqual(t, len(written), 2000)
	read := billed.FromDetail(written)
	require.NotNil(t, read)
	assert.Equal(t, 40, read.Count())
	sum, known, _ = read.Total()
	assert.Equal(t, []any{"60.00", 40}, []any{sum, known})
	assert.Nil(t, billed.FromDetail(""))

	left := got.Left(billed.Standing{All: true})
	assert.Empty(t, left.Items)
	_, known, unknown = left.Total()
	assert.Equal(t, []int{0, 40 - billed.MaxItems}, []int{known, unknown}, "what is only counted may still be billed")
}

func TestItemsAreAddedOnce(t *testing.T) {
	t.Parallel()
	volume := billed.Item{Kind: billed.Volume, ID: 1, Fee: "2"}
	all := billed.Stays{Items: []billed.Item{volume}}.With(billed.Item{Kind: billed.Associated, ID: 1}, billed.Item{Kind: billed.Associated, ID: 2})
	assert.Equal(t, []billed.Item{volume, {Kind: billed.Associated, ID: 2}}, all.Items)
	assert.Equal(t, []billed.Item{volume}, all.Without(2).Items)
	assert.Len(t, all.Items, 2)
}

func TestLeftBehindIsWhatIsStillBilled(t *testing.T) {
	t.Parallel()
	before := billed.Stays{Items: []billed.Item{
		{Kind: billed.Volume, ID: 1, Fee: "98.00"}, {Kind: billed.Volume, ID: 2, Fee: "1"}, {Kind: billed.Subnet, Name: "10.4.0.0/28"},
	}, Hidden: []billed.Kind{billed.VLAN}}
	unseen := billed.Item{Kind: billed.Subnet, Name: "10.4.0.0/28", Unread: true}

	seen := before.Left(billed.Standing{Fees: map[int64]string{1: "99.00"}, All: true})
	assert.Equal(t, []billed.Item{{Kind: billed.Volume, ID: 1, Fee: "99.00"}, unseen}, seen.Items, "what was cancelled by hand is gone")
	assert.Equal(t, before.Hidden, seen.Hidden)

	blind := before.Left(billed.Standing{})
	assert.Len(t, blind.Items, 3, "what cannot be read is not gone")
	for _, item := range blind.Items {
		assert.True(t, item.Unread)
	}
	assert.Len(t, before.Items, 3)
	assert.False(t, before.Items[0].Unread, "what was read before is unchanged")
}
