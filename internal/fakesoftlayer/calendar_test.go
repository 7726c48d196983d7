package fakesoftlayer_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakesoftlayer"
)

const cutoffMethod = "SoftLayer_Billing_Item_Cancellation_Request/getCancellationCutoffDate"

// at makes an account whose clock stands still at a moment.
func at(moment string, options fakesoftlayer.Options) *fakesoftlayer.Account {
	begin, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		panic(err)
	}
	options.Servers, options.Now = 1, func() time.Time { return begin }
	return fakesoftlayer.New(options)
}

// ask calls a method by POST and decodes what it answers.
func ask[T any](t *testing.T, account *fakesoftlayer.Account, method, parameters string) (got T) {
	t.Helper()
	r := httptest.NewRequest("POST", "/rest/v3.1/"+method, strings.NewReader(`{"parameters":[`+parameters+`]}`))
	r.SetBasicAuth(account.Username(), account.APIKey())
	w := httptest.NewRecorder()
	account.Handler().ServeHTTP(w, r)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got), w.Body.String())
	return got
}

// dates are what an account says of one server.
type dates struct{ bill, cutoff, ends string }

// datesOf reads the bill date and the cut-off, cancels the server and reads from when
// that holds.
func datesOf(t *testing.T, account *fakesoftlayer.Account) dates {
	t.Helper()
	server := account.Cancelable()
	got := dates{cutoff: ask[string](t, account, cutoffMethod, `307608,"server"`)}
	got.bill = ask[struct{ NextBillDate string }](t, account, fmt.Sprintf("SoftLayer_Hardware_Server/%d/getBillingItem", server), "").NextBillDate
	filed := ask[struct{ ID int64 }](t, account, cancelMethod, fmt.Sprintf(`%d,"No longer needed","x",false,"HARDWARE"`, server))
	account.Advance(2 * 24 * time.Hour) // staff approve later, perhaps past the cut-off

	r := httptest.NewRequest("POST", "/ticket", strings.NewReader(fmt.Sprintf(`{"id":%d,"approve":true}`, filed.ID)))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	account.Control().ServeHTTP(w, r)
	var approved struct {
		CancellationRequest struct {
			Items []struct {
				BillingItem struct{ CancellationDate string }
			}
		}
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &approved), w.Body.String())
	got.ends = approved.CancellationRequest.Items[0].BillingItem.CancellationDate
	return got
}

func TestBillDateAndCutoffOnAwkwardDays(t *testing.T) {
	t.Parallel()
	for day, c := range map[string]struct {
		now  string
		want dates
	}{
		"an ordinary day": {
			"2026-11-10T12:00:00Z", dates{"2026-12-01T00:00:00-06:00", "2026-11-28T00:00:00-06:00", "2026-12-01T00:00:00-06:00"},
		},
		"the very moment of the cut-off": {
			"2026-11-28T06:00:00Z", dates{"2026-12-01T00:00:00-06:00", "2026-11-28T00:00:00-06:00", "2026-12-01T00:00:00-06:00"},
		},
		"the cut-off has passed": {
			"2026-11-28T06:00:01Z", dates{"2026-12-01T00:00:00-06:00", "2026-12-29T00:00:00-06:00", "2027-01-01T00:00:00-06:00"},
		},
		"the 1st in UTC, the day before in Dallas": {
			"2026-12-01T00:30:00Z", dates{"2026-12-01T00:00:00-06:00", "2026-12-29T00:00:00-06:00", "2027-01-01T00:00:00-06:00"},
		},
		"the moment of a bill date": {
			"2026-12-01T06:00:00Z", dates{"2027-01-01T00:00:00-06:00", "2026-12-29T00:00:00-06:00", "2027-01-01T00:00:00-06:00"},
		},
		"29 February": {
			"2028-02-29T12:00:00Z", dates{"2028-03-01T00:00:00-06:00", "2028-03-28T23:00:00-06:00", "2028-03-31T23:00:00-06:00"},
		},
		"the clocks go forward": {
			"2027-03-14T08:00:00Z", dates{"2027-03-31T23:00:00-06:00", "2027-03-28T23:00:00-06:00", "2027-03-31T23:00:00-06:00"},
		},
		"the clocks go back, before": {
			"2026-11-01T06:59:00Z", dates{"2026-12-01T00:00:00-06:00", "2026-11-28T00:00:00-06:00", "2026-12-01T00:00:00-06:00"},
		},
		"the clocks go back, on a bill date": {
			"2026-10-30T12:00:00Z", dates{"2026-10-31T23:00:00-06:00", "2026-11-28T00:00:00-06:00", "2026-12-01T00:00:00-06:00"},
		},
		"New Year's Eve": {
			"2026-12-31T23:59:00Z", dates{"2027-01-01T00:00:00-06:00", "2027-01-29T00:00:00-06:00", "2027-02-01T00:00:00-06:00"},
		},
	} {
		assert.Equal(t, c.want, datesOf(t, at(c.now, fakesoftlayer.Options{})), day)
	}
}

func TestBillDateAndCutoffFollowTheAccountsClock(t *testing.T) {
	t.Parallel()
	for _, now := range []string{
		"2026-11-28T18:00:00Z", "2026-12-01T00:30:00Z", "2028-02-29T12:00:00Z",
		"2027-03-14T08:00:00Z", "2026-11-01T07:00:00Z", "2026-12-31T23:59:00Z",
	} {
		moment := func(text string) time.Time {
			parsed, err := time.Parse(time.RFC3339, text)
			require.NoError(t, err)
			return parsed
		}
		open := datesOf(t, at(now, fakesoftlayer.Options{BillDays: 10}))
		assert.Equal(t, open.bill, open.ends, "%s: ten days before the bill date there is time", now)
		assert.InDelta(t, 9.5, moment(open.bill).Sub(moment(now)).Hours()/24, 0.6, now)
		assert.InDelta(t, 3, moment(open.bill).Sub(moment(open.cutoff)).Hours()/24, 0.1, now)

		passed := datesOf(t, at(now, fakesoftlayer.Options{BillDays: 2}))
		assert.NotEqual(t, passed.bill, passed.ends, "%s: two days before it the cut-off has passed", now)
		assert.InDelta(t, 30, moment(passed.ends).Sub(moment(passed.bill)).Hours()/24, 2.1, now)
		assert.InDelta(t, 3, moment(passed.ends).Sub(moment(passed.cutoff)).Hours()/24, 0.1, "%s: it is the next one", now)

		late := datesOf(t, at(now, fakesoftlayer.Options{BillDays: 2, CutoffDays: 1}))
		assert.Equal(t, late.bill, late.ends, "%s: unless the cut-off is a day before it", now)
	}
}

func TestBillDateOnThe31stFitsShorterMonths(t *testing.T) {
	t.Parallel()
	account := at("2028-01-30T12:00:00Z", fakesoftlayer.Options{BillDays: 1})
	var got []string
	for _, days := range []time.Duration{0, 5, 30} {
		account.Advance(days * 24 * time.Hour)
		type billing struct{ NextBillDate string }
		b := ask[billing](t, account, fmt.Sprintf("SoftLayer_Hardware_Server/%d/getBillingItem", account.Cancelable()), "")
		got = append(got, b.NextBillDate)
	}
	assert.Equal(t, []string{"2028-01-31T00:00:00-06:00", "2028-02-29T00:00:00-06:00", "2028-03-30T23:00:00-06:00"}, got)
}

func TestAccountStartsAtAnyMoment(t *testing.T) {
	t.Parallel()
	now := start
	begin := time.Date(2028, 2, 29, 23, 59, 0, 0, time.UTC)
	account := fakesoftlayer.New(fakesoftlayer.Options{Servers: 1, Start: begin, Now: func() time.Time { return now }})
	assert.Equal(t, begin, account.Now())
	now = now.Add(time.Hour)
	account.Advance(time.Minute)
	assert.Equal(t, begin.Add(time.Hour+time.Minute), account.Now())
}
