package review_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/review"
	"cancel-server/internal/serverlist"
)

var now = time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)

// read is a read of a server that can be asked for, which costs 412.50 a month and ends on 1 December.
func read(id int64, change func(*review.Read)) review.Read {
	r := review.Read{Verdict: cancellation.RowVerdict{
		Decision: authz.Decision{Effect: authz.NeedsApproval},
		Card: cancellation.Card{ReadAt: now, Cutoff: "2026-11-28T23:59:59-06:00", ShortNameUnique: true, Server: cancellation.Server{
			ID: id, Hostname: host(id), FQDN: fmt.Sprintf("%s.example.%d", host(id), id), ProvisionDate: "2020-01-01T00:00:00Z",
			Billing: &cancellation.Billing{ID: id, MonthlyTotal: "412.50", RecurringFee: "400", NextBillDate: "2026-12-01T00:00:00-06:00"},
		}},
	}}
	if change != nil {
		change(&r)
	}
	return r
}

func host(id int64) string { return fmt.Sprintf("web-%03d", id) }

// list resolves a text against the servers 1 to 9, of which 8 and 9 have one name.
func list(t *testing.T, text string) serverlist.Resolved {
	t.Helper()
	l, err := serverlist.Parse(text)
	require.NoError(t, err)
	return serverlist.Resolve(l, func(yield func(serverlist.Server) bool) {
		for id := range int64(9) {
			s := serverlist.Server{ID: id + 1, Hostname: host(min(id+1, 8)), FQDN: fmt.Sprintf("%s.example.%d", host(min(id+1, 8)), id+1), Datacenter: "che01"}
			if !yield(s) {
				return
			}
		}
	}, serverlist.Options{Most: 50})
}

// judged reviews servers that were named by id and read like this.
func judged(t *testing.T, reads ...review.Read) review.Review {
	t.Helper()
	in := review.Input{Reads: map[int64]review.Read{}, Now: now}
	var ids []string
	for i, r := range reads {
		in.Reads[int64(i+1)] = r
		ids = append(ids, strconv.Itoa(i+1))
	}
	in.List = list(t, strings.Join(ids, " "))
	return review.Of(in)
}

func ids(rows []review.Row) (all []int64) {
	for _, row := range rows {
		all = append(all, row.Named.Server.ID)
	}
	return all
}

func TestRowsThatCannotBeAskedForSayWhy(t *testing.T) {
	t.Parallel()
	verdict := func(change func(*cancellation.RowVerdict)) func(*review.Read) {
		return func(r *review.Read) { change(&r.Verdict) }
	}
	for why, change := range map[review.Why]func(*review.Read){
		"":              verdict(func(*cancellation.RowVerdict) {}),
		review.NotFound: func(r *review.Read) { *r = review.Read{Err: fmt.Errorf("reading: %w", cancellation.ErrServerNotFound)} },
		review.Unread:   func(r *review.Read) { *r = review.Read{Err: errors.New("timeout")} },
		review.NotAllowed: verdict(func(v *cancellation.RowVerdict) {
			v.Decision.Effect, v.Blockers = authz.Refused, []cancellation.Blocker{cancellation.BlockedByTicket}
		}),
		review.Blocked: verdict(func(v *cancellation.RowVerdict) { v.Blockers = []cancellation.Blocker{cancellation.BlockedByContract} }),
		review.Held:    verdict(func(v *cancellation.RowVerdict) { v.Held = &cancellation.Request{} }),
		review.Nobody:  verdict(func(v *cancellation.RowVerdict) { v.Decision, v.Nobody = authz.Decision{}, true }),
		review.Unseen:  verdict(func(v *cancellation.RowVerdict) { v.Decision, v.Unseen = authz.Decision{}, true }),
	} {
		r := judged(t, read(1, change), read(2, nil))
		assert.Equal(t, []int{2, 2}, []int{r.Read, r.Of}, "%q", why)
		if why == "" {
			assert.Equal(t, []int64{1, 2}, ids(r.Rest))
			continue
		}
		require.Len(t, r.Left, 1, "%q", why)
		assert.Equal(t, why, r.Left[0].Why)
		assert.Equal(t, []int64{2}, ids(r.Rest), "%q", why)
		assert.True(t, r.Complete(), "%q", why)
	}
}

func TestEntriesThatMeanNoServerAreLeftOut(t *testing.T) {
	t.Parallel()
	r := review.Of(review.Input{List: list(t, "web-008 web-099 1 web\u202e-001"), Reads: map[int64]review.Read{1: read(1, nil)}, Now: now})
	require.Len(t, r.Left, 3)
	for i, state := range []serverlist.State{serverlist.Ambiguous, serverlist.NotFound, serverlist.Refused} {
		assert.Equal(t, review.Unclear, r.Left[i].Why)
		assert.Equal(t, state, r.Left[i].Named.State)
	}
	assert.Equal(t, []int{1, 1}, []int{r.Read, r.Of}, "they are not read")
	assert.True(t, r.Complete())
}

func TestSharedHostNameIsLeftOut(t *testing.T) {
	t.Parallel()
	shared := func(r *review.Read) { r.Verdict.Card.ShortNameUnique = false }
	for named, why := range map[string]review.Why{"web-001": review.Namesake, "web-001.example.1": "", "1": "", "web-001 1": ""} {
		r := review.Of(review.Input{List: list(t, named), Reads: map[int64]review.Read{1: read(1, shared)}, Now: now})
		rows := append(r.Left, r.Rest...)
		require.Len(t, rows, 1, named)
		assert.Equal(t, why, rows[0].Why, named)
	}
}

func TestReviewIsCompleteOnceAllIsRead(t *testing.T) {
	t.Parallel()
	in := review.Input{List: list(t, "1 2 3"), Reads: map[int64]review.Read{1: read(1, nil)}, Now: now}
	r := review.Of(in)
	assert.Equal(t, []int{1, 3}, []int{r.Read, r.Of})
	assert.Equal(t, []int64{1}, ids(r.Rest))
	assert.False(t, r.Complete())

	in.Reads[2], in.Reads[3] = read(2, nil), read(3, func(r *review.Read) { r.Verdict.Card.ReadAt = now.Add(-cancellation.MaxCardAge - time.Second) })
	r = review.Of(in)
	assert.Equal(t, []int{2, 3}, []int{r.Read, r.Of}, "an old card is read again")
	assert.False(t, r.Complete())

	in.Without = []int64{3}
	r = review.Of(in)
	assert.Equal(t, []int{2, 2}, []int{r.Read, r.Of}, "what the person left out is not in the list")
	assert.True(t, r.Complete())

	in.Without = []int64{1, 2, 3}
	assert.False(t, review.Of(in).Complete(), "nothing is left")
}

func TestWarningsAreConfirmedOneByOne(t *testing.T) {
	t.Parallel()
	gateway := func(r *review.Read) { r.Verdict.Card.Server.Gateway = true }
	in := review.Input{List: list(t, "1 2 3"), Reads: map[int64]review.Read{1: read(1, gateway), 2: read(2, nil), 3: read(3, gateway)}, Confirmed: []int64{3}, Now: now}
	r := review.Of(in)
	assert.Equal(t, []int64{1}, r.Unconfirmed)
	assert.Equal(t, []string{cancellation.WarningGateway}, r.Rest[0].Warnings)
	assert.False(t, r.Complete())
	in.Confirmed = append(in.Confirmed, 1)
	assert.True(t, review.Of(in).Complete())
}

func TestTickedServersFollowTheNamedOnes(t *testing.T) {
	t.Parallel()
	in := review.Input{List: list(t, "dc:che01 web-002"), Ticked: []int64{5, 2, 4, 5, 77}, Reads: map[int64]review.Read{}, Now: now}
	for _, id := range []int64{2, 4, 5, 77} {
		in.Reads[id] = read(id, nil)
	}
	r := review.Of(in)
	assert.Equal(t, []int64{2, 5, 4, 77}, ids(r.Rest))
	assert.Equal(t, "web-005.example.5", r.Rest[1].Named.Server.FQDN)
	in.Ticked = nil
	assert.Equal(t, []int64{2}, ids(review.Of(in).Rest), "none is ticked by itself")
}

func TestSumIsExactAndCountsHiddenCosts(t *testing.T) {
	t.Parallel()
	fee := func(fee string, hourly bool) func(*review.Read) {
		return func(r *review.Read) {
			b := r.Verdict.Card.Server.Billing
			if r.Verdict.Card.Server.Hourly = hourly; hourly {
				b.HourlyFee, b.MonthlyTotal = fee, ""
			} else {
				b.MonthlyTotal = fee
			}
		}
	}
	blocked := func(r *review.Read) { r.Verdict.Blockers = []cancellation.Blocker{cancellation.BlockedByTicket} }
	r := judged(t, read(1, nil), read(2, fee(".1", false)), read(3, fee("0.2001", false)), read(4, fee("0.5", true)), read(5, fee("", false)), read(6, blocked))
	assert.Equal(t, "777.8001", r.Sum, "412.50 + 0.1 + 0.2001 + 730 × 0.5")
	assert.Equal(t, []int{4, 1}, []int{r.Known, r.Hidden})
	assert.Equal(t, "0.00", judged(t).Sum)
}

func TestDatesSpanThoseOfTheRest(t *testing.T) {
	t.Parallel()
	bill := func(date, cutoff string) func(*review.Read) {
		return func(r *review.Read) { r.Verdict.Card.Server.Billing.NextBillDate, r.Verdict.Card.Cutoff = date, cutoff }
	}
	days := func(r review.Review) []string {
		return []string{r.Ends.First.Format(time.DateOnly), r.Ends.Last.Format(time.DateOnly), fmt.Sprint(r.Ends.Depends), fmt.Sprint(r.Ends.Undated)}
	}
	r := judged(t, read(1, bill("2026-12-14T00:00:00-06:00", "2026-12-11T23:59:59-06:00")), read(2, nil), read(3, bill("", "")))
	assert.Equal(t, []string{"2026-12-01", "2026-12-14", "true", "1"}, days(r))
	r = judged(t, read(1, bill("2026-12-14T00:00:00-06:00", "")))
	assert.Equal(t, []string{"2026-12-14", "2027-01-14", "true", "0"}, days(r), "either date is possible")
	r = judged(t, read(1, bill("", "")))
	assert.True(t, r.Ends.First.IsZero() && r.Ends.Last.IsZero())
}

func TestDigestIsThatOfTheRest(t *testing.T) {
	t.Parallel()
	digest := func(in review.Input) string { in.Now = now; return review.Of(in).Digest }
	reads := map[int64]review.Read{1: read(1, nil), 2: read(2, nil), 3: read(3, nil)}
	one := digest(review.Input{List: list(t, "1 2 3"), Reads: reads})
	assert.Equal(t, one, digest(review.Input{List: list(t, "3 web-001.example.1 2 2"), Reads: reads}), "the order does not count")
	form := cancellation.BatchForm{}
	for _, id := range []int64{2, 3, 1} {
		form.Cards = append(form.Cards, reads[id].Verdict.Card)
	}
	assert.Equal(t, form.Digest(), one, "the form that is sent has the same")
	different := []string{
		one,
		digest(review.Input{List: list(t, "1 2"), Reads: reads}),
		digest(review.Input{List: list(t, "1 2 3"), Reads: reads, Without: []int64{3}, Associated: true}),
		digest(review.Input{List: list(t, "1 2 3"), Reads: reads, Associated: true}),
		digest(review.Input{List: list(t, "1 2 3"), Now: now, Reads: map[int64]review.Read{
			1: reads[1], 2: reads[2], 3: read(3, func(r *review.Read) { r.Verdict.Card.Server.FQDN = "renamed.example.com" }),
		}}),
	}
	assert.Len(t, slices.Compact(slices.Sorted(slices.Values(different))), len(different))
}

func TestServerCalledOtherwiseIsLeftOut(t *testing.T) {
	t.Parallel()
	for text, why := range map[string]review.Why{
		"3": "", "web-003": "", "web-003.example.3": "", "WEB-003.example.3.": "", "10.0.0.3": "",
		"old-name.example.com": review.Renamed, "10.0.0.4": review.Renamed,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			named := serverlist.Row{Entry: serverlist.Entry{Text: text}, State: serverlist.Found, Server: serverlist.Server{ID: 3}}
			r := read(3, func(r *review.Read) { r.Verdict.Card.Server.PrivateIP = "10.0.0.3" })
			in := review.Input{List: serverlist.Resolved{Rows: []serverlist.Row{named}}, Reads: map[int64]review.Read{3: r}, Now: now}
			got := review.Of(in)
			if why == "" {
				assert.Empty(t, got.Left)
				return
			}
			require.Len(t, got.Left, 1, "the name or address may be another server's by now")
			assert.Equal(t, why, got.Left[0].Why)
			in.List.Rows[0].Text, in.List.Rows[0].Also = "3", []string{text}
			require.Len(t, review.Of(in).Left, 1, "all that a row of a table says has to be true")
		})
	}
}
