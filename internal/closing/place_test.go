package closing

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func on(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// pods are two of che01 and two of dal09, of which the announced ones close.
func pods(announced ...string) []Pod {
	all := []Pod{
		{Name: "che01.pod01", Datacenter: "che01", Router: 11},
		{Name: "che01.pod02", Datacenter: "che01", Router: 12},
		{Name: "dal09.pod03", Datacenter: "dal09", Router: 23},
		{Name: "dal09.pod04", Datacenter: "dal09", Router: 24},
	}
	for n := range all {
		for _, name := range announced {
			all[n].Closing = all[n].Closing || all[n].Name == name
		}
	}
	return all
}

func TestPlacesCloseByAnnouncementOrDate(t *testing.T) {
	t.Parallel()
	june, march := on(2027, time.June, 10), on(2027, time.March, 4)
	for name, c := range map[string]struct {
		announced []string
		deadlines map[string]time.Time
		want      []Closure
	}{
		"nothing closes": {want: nil},
		"announced without a date": {
			[]string{"dal09.pod04", "dal09.pod03"},
			nil,
			[]Closure{{Place: "dal09.pod03", Datacenter: "dal09", Announced: true}, {Place: "dal09.pod04", Datacenter: "dal09", Announced: true}},
		},
		"a date for an announced pod": {
			[]string{"dal09.pod03"},
			map[string]time.Time{"dal09.pod03": march},
			[]Closure{{Place: "dal09.pod03", Datacenter: "dal09", Announced: true, Day: march}},
		},
		"a date that nobody announced": {nil, map[string]time.Time{"dal09.pod03": march}, []Closure{{Place: "dal09.pod03", Datacenter: "dal09", Day: march}}},
		"announced pods close with their data center": {
			[]string{"che01.pod01", "che01.pod02"},
			map[string]time.Time{"che01": june},
			[]Closure{{Place: "che01", Datacenter: "che01", Announced: true, Day: june}},
		},
		"a pod with a date of its own": {
			[]string{"che01.pod02"},
			map[string]time.Time{"che01": june, "che01.pod01": march},
			[]Closure{
				{Place: "che01.pod01", Datacenter: "che01", Day: march},
				{Place: "che01", Datacenter: "che01", Announced: true, Day: june, Outside: []string{"che01.pod01"}},
			},
		},
		"the earliest date first, none last": {
			[]string{"dal09.pod04"},
			map[string]time.Time{"che01": june, "dal09.pod03": march},
			[]Closure{
				{Place: "dal09.pod03", Datacenter: "dal09", Day: march},
				{Place: "che01", Datacenter: "che01", Day: june},
				{Place: "dal09.pod04", Datacenter: "dal09", Announced: true},
			},
		},
		"a pod that SoftLayer does not list": {nil, map[string]time.Time{"mex01.pod01": march}, []Closure{{Place: "mex01.pod01", Day: march}}},
	} {
		assert.Equal(t, c.want, closuresOf(pods(c.announced...), c.deadlines).closures, name)
	}
}

func TestServersAreInTheNearestClosure(t *testing.T) {
	t.Parallel()
	p := closuresOf(pods("dal09.pod03", "che01.pod02"), map[string]time.Time{"che01": on(2027, time.June, 10), "che01.pod01": on(2027, time.March, 4)})
	assert.Equal(t, []string{"che01.pod01", "che01", "dal09.pod03"}, []string{p.closures[0].Place, p.closures[1].Place, p.closures[2].Place})
	for name, c := range map[string]struct {
		datacenter string
		routers    []int64
		closure    int
		podKnown   bool
	}{
		"in the pod with a date of its own": {"che01", []int64{11}, 0, true},
		"in another pod of the data center": {"che01", []int64{12}, 1, true},
		"in an announced pod":               {"dal09", []int64{23}, 2, true},
		"one of its routers is the pod's":   {"dal09", []int64{9, 23}, 2, true},
		"in a pod that stays":               {"dal09", []int64{24}, -1, true},
		"nobody knows the pod":              {"dal09", nil, -1, false},
		"nobody knows the router":           {"dal09", []int64{9}, -1, false},
		"no pod, but the data center":       {"che01", nil, 1, false},
		"elsewhere":                         {"fra02", nil, -1, true},
	} {
		at, known := p.in(c.datacenter, c.routers)
		assert.Equal(t, c.closure, at, name)
		assert.Equal(t, c.podKnown, known, name)
	}
}

func TestDaysLeftAreCountedInUTC(t *testing.T) {
	t.Parallel()
	c := Closure{Day: on(2027, time.June, 10)}
	assert.Equal(t, 1, c.DaysLeft(time.Date(2027, time.June, 9, 23, 59, 0, 0, time.UTC)))
	assert.Equal(t, 0, c.DaysLeft(time.Date(2027, time.June, 10, 0, 0, 0, 0, time.UTC)))
	assert.Equal(t, 0, c.DaysLeft(time.Date(2027, time.June, 9, 23, 0, 0, 0, time.FixedZone("", -6*3600))))
	assert.Equal(t, -1, c.DaysLeft(time.Date(2027, time.June, 11, 1, 0, 0, 0, time.UTC)))
}

func TestClosingPodIsNeverHiddenByItsNeighbor(t *testing.T) {
	t.Parallel()
	shared := []Pod{
		{Name: "dal09.pod03", Datacenter: "dal09", Router: 23, Closing: true},
		{Name: "dal09.pod04", Datacenter: "dal09", Router: 23},
		{Name: "dal09.pod05", Datacenter: "dal09", Router: 25, Closing: true},
		{Name: "dal09.pod06", Datacenter: "dal09", Router: 25, Closing: true},
		{Name: "dal09.pod07", Datacenter: "dal09", Router: 27},
	}
	for range 2 { // in whichever order SoftLayer lists them
		p := closuresOf(shared, map[string]time.Time{"dal09.pod06": on(2027, time.March, 4)})
		assert.Equal(t, []Closure{
			{Place: "dal09.pod06", Datacenter: "dal09", Announced: true, Day: on(2027, time.March, 4), Sharing: []string{"dal09.pod05"}},
			{Place: "dal09.pod03", Datacenter: "dal09", Announced: true, Sharing: []string{"dal09.pod04"}},
			{Place: "dal09.pod05", Datacenter: "dal09", Announced: true, Sharing: []string{"dal09.pod06"}},
		}, p.closures)
		for router, want := range map[int64]string{23: "dal09.pod03", 25: "dal09.pod06", 27: "dal09.pod07"} {
			assert.Equal(t, want, p.podOf([]int64{router}), "router %d", router)
		}
		assert.Equal(t, "dal09.pod03", p.podOf([]int64{27, 23}), "a server on two routers is in the pod that closes")
		slices.Reverse(shared)
	}
}
