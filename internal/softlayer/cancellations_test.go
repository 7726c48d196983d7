package softlayer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/softlayer"
)

func atOnce(context.Context) error { return nil }

// opened has so many users of the account cancel a server each, and returns the servers.
func (f fake) opened(t *testing.T, count int) (servers []int64) {
	t.Helper()
	for range count {
		server := f.Account.Cancelable()
		require.NotZero(t, server)
		f.steer(t, "/ticket", fmt.Sprintf(`{"server":%d,"open":true,"entry":"By hand.","user":"jdoe"}`, server))
		servers = append(servers, server)
	}
	return servers
}

func TestCancellationsOfEverybodyAreRead(t *testing.T) {
	t.Parallel()
	f, server, ticket := cancelled(t)
	theirs := f.opened(t, 3)
	all, err := f.Cancellations(t.Context(), time.Time{}, atOnce)
	require.NoError(t, err)
	require.Len(t, all, 7, "three were made before the test")
	whole, err := f.Server(t.Context(), server)
	require.NoError(t, err)
	for _, c := range all {
		assert.Equal(t, "PENDING", c.Status)
		assert.False(t, c.Voided)
		require.Len(t, c.Servers, 1)
		if c.Ticket.ID == ticket {
			assert.Equal(t, []int64{whole.Billing.ID}, c.Items)
			assert.Equal(t, server, c.Servers[0].ID)
			assert.Equal(t, whole.FQDN, c.Servers[0].Name)
			continue
		}
		byName := strings.Contains(c.User, "jdoe")
		assert.Equal(t, slices.Contains(theirs, c.Servers[0].ID), byName, "by user name: %s", c.User)
	}
	later, err := f.Cancellations(t.Context(), time.Now().Add(time.Hour), atOnce)
	require.NoError(t, err)
	assert.Len(t, later, 7, "those of a page that was read come too")
}

func TestHiddenPartsAreLeftOut(t *testing.T) {
	t.Parallel()
	f, _, ticket := cancelled(t)
	f.steer(t, "/key", `{"revoke":["TICKET_VIEW","HARDWARE_VIEW"]}`)
	all, err := f.Cancellations(t.Context(), time.Time{}, atOnce)
	require.NoError(t, err)
	require.Len(t, all, 4)
	assert.Equal(t, ticket, all[0].Ticket.ID)
	assert.Empty(t, all[0].Servers)
	f.steer(t, "/key", `{"revoke":["ACCOUNT_SUMMARY_VIEW"]}`)
	_, err = f.Cancellations(t.Context(), time.Time{}, atOnce)
	assert.ErrorIs(t, err, cancellation.ErrReadRefused)
}

func TestNoCallWithoutLeave(t *testing.T) {
	t.Parallel()
	v := newVendor(t, says(http.StatusOK, `[]`))
	not := errors.New("not my turn")
	_, err := v.client(t).Cancellations(t.Context(), time.Time{}, func(context.Context) error { return not })
	require.ErrorIs(t, err, not)
	assert.Empty(t, v.received())
}

// pages answers getAllCancellationRequests from a list that test changes, with pages of so many rows at
// most, and the number of all as total says.
type pages struct {
	list  []string
	most  int
	total func(calls int) string
	calls int
}

func (p *pages) answer(w http.ResponseWriter, got received) {
	from, limit, _ := strings.Cut(got.Limits, ",")
	offset, _ := strconv.Atoi(from)
	rows, _ := strconv.Atoi(limit)
	end := min(offset+min(rows, p.most), len(p.list))
	p.calls++
	if total := p.total(p.calls); total != "" {
		w.Header().Set("SoftLayer-Total-Items", total)
	}
	_, _ = io.WriteString(w, "["+strings.Join(p.list[min(offset, end):end], ",")+"]") // the client may have left
}

// rowsOf are rows of a list, one made each hour before noon.
func rowsOf(count int) (rows []string) {
	noon := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for i := range count {
		made, _ := json.Marshal(noon.Add(-time.Duration(i) * time.Hour)) // a time
		rows = append(rows, fmt.Sprintf(`{"id":%d,"createDate":%s,"ticketId":%d,"status":{"name":"Denied"}}`, count-i, made, 1000+i))
	}
	return rows
}

func TestCancellationsAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	always := func(total string) func(int) string { return func(int) string { return total } }
	since := time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
	shuffled := rowsOf(7)
	shuffled[0], shuffled[6] = shuffled[6], shuffled[0]
	for says, c := range map[string]struct {
		list        []string
		most        int
		total       func(int) string
		since       time.Time
		found, read int
		wrong       bool
	}{
		"a short page is no end":                {rowsOf(7), 3, always("7"), time.Time{}, 7, 4, false},
		"nobody says how many there are":        {rowsOf(7), 3, always(""), time.Time{}, 7, 4, false},
		"there are none":                        {nil, 100, always("0"), time.Time{}, 0, 1, false},
		"the rest is older":                     {rowsOf(12), 3, always("12"), since, 9, 3, false},
		"one row shows no order":                {rowsOf(7)[4:], 1, always("3"), since, 2, 2, false},
		"the rest is older, in another order":   {shuffled, 3, always("7"), since, 7, 4, false},
		"some are not shown":                    {rowsOf(7), 100, always("9"), time.Time{}, 0, 4, true},
		"one was made meanwhile, and is read":   {rowsOf(7), 3, func(calls int) string { return map[bool]string{true: "8", false: "7"}[calls == 4] }, time.Time{}, 7, 8, false},
		"a row without an id":                   {[]string{`{"createDate":"2026-11-29T12:00:00-06:00"}`}, 100, always("1"), time.Time{}, 0, 1, true},
		"a row without a date":                  {[]string{`{"id":7}`}, 100, always("1"), time.Time{}, 0, 1, true},
		"many, for which SoftLayer is not read": {rowsOf(20_100), 100, always("20100"), time.Time{}, 0, 200, true},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			p := &pages{list: c.list, most: c.most, total: c.total}
			v := newVendor(t, p.answer)
			all, err := v.client(t).Cancellations(t.Context(), c.since, atOnce)
			assert.Equal(t, c.wrong, err != nil, err)
			assert.Len(t, all, c.found)
			assert.Equal(t, c.read, p.calls)
			if err != nil {
				assert.ErrorIs(t, err, softlayer.ErrAnswerLost)
			}
			for _, one := range all {
				assert.True(t, one.Voided, "denied does not stand")
			}
		})
	}
}
