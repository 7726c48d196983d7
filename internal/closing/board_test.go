package closing

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// costOf has a cost for each id, and nil for all others.
func costOf(of map[int64]Cost) func(int64) *Cost {
	return func(id int64) *Cost {
		if cost, read := of[id]; read {
			return &cost
		}
		return nil
	}
}

func TestEachServerCountsOnce(t *testing.T) {
	t.Parallel()
	p := closuresOf(pods(), map[string]time.Time{"che01": on(2027, time.June, 10)})
	servers := []Server{
		{ID: 1, Datacenter: "che01"},
		{ID: 2, Datacenter: "che01"},
		{ID: 3, Datacenter: "che01"},
		{ID: 4, Datacenter: "che01"},
		{ID: 5, Datacenter: "che01"},
		{ID: 6, Datacenter: "che01"},
		{ID: 7, Datacenter: "che01"},
		{ID: 8, Datacenter: "fra02"},
		{ID: 9, Datacenter: "che01"},
	}
	costs := map[int64]Cost{
		1: {Fee: "412.5"}, 2: {Fee: "412.5"}, 3: {Fee: "0.0001"}, 4: {}, 6: {Fee: "9.00"}, 7: {Fee: "9.00"}, 9: {Fee: "9.00", Cancelled: true},
	}
	held := map[int64]bool{6: false, 7: true}
	all, undecided := count(p, slices.Values(servers), held, costOf(costs), func(s Server, _ *Cost) sight {
		return sight{ask: s.ID != 3, approve: true}
	})
	assert.Zero(t, undecided)
	assert.Equal(t, []Standing{{
		Closure: p.closures[0], Servers: 8, Asked: 2, Waiting: 1, Rest: 5, Askable: 4,
		Fee: "825.0001", Unknown: 1, Unread: 1,
	}}, all, "a cancellation that SoftLayer shows counts as asked for, by whomever")
}

func TestUnseenServersAreNotCounted(t *testing.T) {
	t.Parallel()
	p := closuresOf(pods("dal09.pod03"), nil)
	servers := []Server{
		{ID: 1, Datacenter: "dal09", Routers: []int64{23}},
		{ID: 2, Datacenter: "dal09", Routers: []int64{23}},
		{ID: 3, Datacenter: "dal09", Routers: []int64{24}},
		{ID: 4, Datacenter: "dal09"},
		{ID: 5, Datacenter: "dal09"},
		{ID: 6, Datacenter: "dal09", Routers: []int64{23}},
	}
	all, undecided := count(p, slices.Values(servers), nil, costOf(nil), func(s Server, _ *Cost) sight {
		return sight{ask: s.ID == 1, approve: s.ID == 4, undecided: s.ID == 6}
	})
	assert.Equal(t, 1, undecided)
	assert.Len(t, all, 1)
	assert.Equal(t, 1, all[0].Servers)
	assert.Equal(t, 1, all[0].Rest)
	assert.Equal(t, 1, all[0].Unplaced, "of those that may be in the pod, the one that they see")
	none, _ := count(p, slices.Values(servers), nil, costOf(nil), func(Server, *Cost) sight { return sight{} })
	assert.Empty(t, seen(none))
}

func TestFormsTakeNoMoreThanADayAllows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ askable, inForm, left, now, remain int }{
		{10, 50, 50, 10, 0}, {63, 50, 60, 50, 13}, {63, 50, 8, 8, 55}, {5, 50, 0, 0, 5}, {0, 50, 50, 0, 0}, {5, 50, -1, 0, 5},
	} {
		now, remain := Board{InForm: c.inForm, LeftToday: c.left}.Fits(Standing{Rest: 99, Askable: c.askable})
		assert.Equal(t, [2]int{c.now, c.remain}, [2]int{now, remain}, "%+v", c)
	}
}
