package softlayer_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/billed"
	"cancel-server/internal/softlayer"
)

// inPlaces are the fake's servers in their order: what stands next to one follows from its place.
func (f fake) inPlaces(t *testing.T) []int64 {
	t.Helper()
	rows, _, err := f.Servers(t.Context(), 0, 60)
	require.NoError(t, err)
	var ids []int64
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	slices.Sort(ids)
	return ids
}

// names are the items of what stays, each with its fee.
func names(s billed.Stays) (all []string) {
	for _, item := range s.Items {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", item.Kind, item.Name, item.Fee)))
	}
	return all
}

func TestWhatStandsNextToAServer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	servers := f.inPlaces(t)
	for place, want := range map[int][]string{
		0: {"volume IBM02SEL307608-0 72.5", "volume IBM02SEL307608-3 72.5", "subnet 100.64.0.0/30 4", "subnet 100.64.0.8/29 4", "vlan"},
		1: nil, // a volume that its neighbour may use too
		4: {"volume IBM02SEL307608-40 72.5"},
		3: {"subnet 100.64.0.48/30 4"},
		6: {"subnet 100.64.0.96/30 4", "vlan"},
	} {
		facts, err := f.Beside(t.Context(), servers[place], nil)
		require.NoError(t, err)
		stays := billed.Judge(facts)
		assert.Empty(t, stays.Hidden)
		assert.Empty(t, stays.Unread)
		got := names(stays)
		require.Len(t, got, len(want), "%d: %v", place, got)
		for i := range want {
			assert.Contains(t, got[i], want[i], "%d", place)
		}
		for _, item := range stays.Items {
			assert.Positive(t, item.ID)
			assert.NotEmpty(t, item.Fee)
		}
	}
}

// Each call may take its turn: the follower keeps its own apart.
func TestEachReadOfWhatStandsNextWaits(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	turns := 0
	_, err := f.Beside(t.Context(), f.inPlaces(t)[0], func(context.Context) error { turns++; return nil })
	require.NoError(t, err)
	assert.Equal(t, 5, turns, "the rights, three lists, and one VLAN that it may leave empty")
	_, err = f.Beside(t.Context(), f.inPlaces(t)[1], func(context.Context) error { turns++; return nil })
	require.NoError(t, err)
	assert.Equal(t, 8, turns, "the rights are kept")
}

func TestWhatAKeyMayNotSeeIsNamed(t *testing.T) {
	t.Parallel()
	for right, want := range map[string]struct {
		hidden []billed.Kind
		holds  func(t *testing.T, s billed.Stays)
	}{
		"NAS_MANAGE": {[]billed.Kind{billed.Volume}, func(t *testing.T, s billed.Stays) {
			t.Helper()
			assert.Zero(t, s.Of(billed.Volume))
			assert.Equal(t, 2, s.Of(billed.Subnet))
		}},
		"ACCOUNT_SUMMARY_VIEW": {[]billed.Kind{billed.VLAN}, func(t *testing.T, s billed.Stays) {
			t.Helper()
			sum, known, unknown := s.Total()
			assert.Equal(t, []any{"0.00", 0, 4}, []any{sum, known, unknown})
		}},
		"ACCESS_ALL_HARDWARE": {nil, func(t *testing.T, s billed.Stays) {
			t.Helper()
			for _, item := range s.Items {
				assert.Equal(t, item.Kind == billed.Volume, item.Shared, "servers that the key does not see may use it too")
			}
		}},
	} {
		t.Run(right, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			server := f.inPlaces(t)[0]
			f.steer(t, "/key", `{"revoke":["`+right+`"]}`)
			facts, err := f.Beside(t.Context(), server, nil)
			require.NoError(t, err)
			stays := billed.Judge(facts)
			assert.Equal(t, want.hidden, stays.Hidden)
			assert.Empty(t, stays.Unread)
			want.holds(t, stays)
		})
	}
}

// SoftLayer may answer a key without a right with an empty list.
func TestAnEmptyListProvesNothingWithoutTheRight(t *testing.T) {
	t.Parallel()
	const none, user = `[]`, `{"id":5}`
	for rights, hidden := range map[string][]billed.Kind{
		`[{"keyName":"ACCOUNT_SUMMARY_VIEW"}]`:                          {billed.Volume},
		`[{"keyName":"ACCOUNT_SUMMARY_VIEW"},{"keyName":"NAS_MANAGE"}]`: nil,
	} {
		v := newVendor(t, inTurn(t, user, rights, none, none, none))
		facts, err := v.client(t).Beside(t.Context(), 42, nil)
		require.NoError(t, err)
		assert.Equal(t, hidden, billed.Judge(facts).Hidden)
		for _, got := range v.received() {
			assert.NotContains(t, got.Mask, "password")
		}
	}
}

func TestAnIgnoredFilterShowsNoSubnets(t *testing.T) {
	t.Parallel()
	v := newVendor(t, inTurn(t, `{"id":5,"isMasterUserFlag":1}`, `[]`,
		`[{"id":1,"networkIdentifier":"10.0.0.0","cidr":30,"endPointIpAddress":{"hardware":{"id":43}}}]`, `[]`))
	facts, err := v.client(t).Beside(t.Context(), 42, nil)
	require.ErrorIs(t, err, softlayer.ErrAnswerLost)
	assert.Equal(t, billed.Stays{Unread: []billed.Kind{billed.Subnet}}, billed.Judge(facts))
}

func TestAFaultLeavesItsKindUnread(t *testing.T) {
	t.Parallel()
	for method, unread := range map[string][]billed.Kind{
		"SoftLayer_Hardware_Server/getAllowedNetworkStorage": {billed.Volume},
		"SoftLayer_Account/getSubnets":                       {billed.Subnet},
		"SoftLayer_Hardware_Server/getNetworkVlans":          {billed.VLAN},
		"SoftLayer_Network_Vlan/getCancelFailureReasons":     {billed.VLAN},
		"SoftLayer_User_Customer/getPermissions":             billed.Kinds(),
	} {
		for _, fault := range []string{"html", "ok_null"} {
			t.Run(method+"/"+fault, func(t *testing.T) {
				t.Parallel()
				f := newFake(t)
				server := f.inPlaces(t)[0]
				require.NoError(t, f.Fault(method, fault, 1))
				facts, err := f.Beside(t.Context(), server, nil)
				require.Error(t, err)
				stays := billed.Judge(facts)
				assert.Equal(t, unread, stays.Unread)
			})
		}
	}
}

func TestWhatIsStillBilledOfManyItems(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	facts, err := f.Beside(t.Context(), f.inPlaces(t)[0], nil)
	require.NoError(t, err)
	stays := billed.Judge(facts)
	const other = 42 // no billing item
	ids := append(stays.IDs(), other)
	now, err := f.StillBilled(t.Context(), ids)
	require.NoError(t, err)
	assert.Len(t, now.Fees, len(stays.Items))
	assert.True(t, now.All, "so the other one is not billed")
	assert.Equal(t, stays, stays.With(billed.Item{Kind: billed.Associated, ID: other}).Left(now))

	f.steer(t, "/key", `{"revoke":["ACCOUNT_SUMMARY_VIEW"]}`)
	now, err = f.StillBilled(t.Context(), ids)
	require.NoError(t, err)
	assert.Equal(t, billed.Standing{Fees: map[int64]string{}}, now, "nothing is known")
	require.NoError(t, f.Fault("SoftLayer_Account/getAllTopLevelBillingItems", "html", 1))
	_, err = f.StillBilled(t.Context(), ids)
	require.Error(t, err)
}

func TestVolumeWithUnseenUsersMayBeShared(t *testing.T) {
	t.Parallel()
	const shown = `"allowedHardware":[{"id":42}],"allowedSubnets":[],"allowedIpAddresses":[]`
	for guests, shared := range map[string]bool{`,"allowedVirtualGuests":[]`: false, "": true} {
		v := newVendor(t, inTurn(t, `{"id":1,"isMasterUserFlag":true}`,
			`[{"id":5,"username":"v","billingItem":{"id":50,"nextInvoiceTotalRecurringAmount":"1"},`+shown+guests+`}]`, `[]`, `[]`))
		facts, err := v.client(t).Beside(t.Context(), 42, nil)
		require.NoError(t, err)
		stays := billed.Judge(facts)
		require.Len(t, stays.Items, 1)
		assert.Equal(t, shared, stays.Items[0].Shared, "virtual servers were shown: %q", guests)
	}
}

func TestUnreadableEndIsNoEnd(t *testing.T) {
	t.Parallel()
	v := newVendor(t, says(http.StatusOK, `[{"id":7,"nextInvoiceTotalRecurringAmount":"1","cancellationDate":"soon"}]`))
	now, err := v.client(t).StillBilled(t.Context(), []int64{7})
	require.NoError(t, err)
	assert.Equal(t, map[int64]string{7: "1"}, now.Fees)
}

func TestVolumesThatSomethingElseUses(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	servers := f.inPlaces(t)
	facts, err := f.Beside(t.Context(), servers[0], nil)
	require.NoError(t, err)
	volumes := billed.Judge(facts).IDs(billed.Volume) // its own, and the replica of that
	require.Len(t, volumes, 2)
	used, err := f.UsedElsewhere(t.Context(), volumes, servers[:1])
	require.NoError(t, err)
	assert.Empty(t, used)

	f.steer(t, "/storage", fmt.Sprintf(`{"volume":%d,"server":%d}`, volumes[0], servers[5]))
	used, err = f.UsedElsewhere(t.Context(), volumes, servers[:1])
	require.NoError(t, err)
	assert.Equal(t, map[int64]bool{volumes[0]: true, volumes[1]: true}, used, "with its replica")
	used, err = f.UsedElsewhere(t.Context(), volumes, []int64{servers[0], servers[5]})
	require.NoError(t, err)
	assert.Empty(t, used, "both servers are gone")

	f.steer(t, "/key", `{"revoke":["NAS_MANAGE"]}`)
	used, err = f.UsedElsewhere(t.Context(), volumes, servers[:1])
	require.NoError(t, err)
	assert.Empty(t, used, "nothing is known")
	require.NoError(t, f.Fault("SoftLayer_Account/getNetworkStorage", "html", 1))
	_, err = f.UsedElsewhere(t.Context(), volumes, servers[:1])
	require.Error(t, err)
}

func TestAnItemNotAskedForSpoilsTheList(t *testing.T) {
	t.Parallel()
	v := newVendor(t, says(http.StatusOK, `[{"id":7,"nextInvoiceTotalRecurringAmount":"1"}]`))
	_, err := v.client(t).StillBilled(t.Context(), []int64{8})
	require.ErrorIs(t, err, softlayer.ErrAnswerLost)
	v = newVendor(t, says(http.StatusOK, `[{"id":1,"billingItem":{"id":7},"allowedHardware":[]}]`))
	_, err = v.client(t).UsedElsewhere(t.Context(), []int64{8}, nil)
	require.ErrorIs(t, err, softlayer.ErrAnswerLost)
}
