package softlayer_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/closing"
	"cancel-server/internal/softlayer"
)

const podsMethod = "SoftLayer_Network_Pod/getAllObjects"

func TestAnnouncedPodsAreRead(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.steer(t, "/pod", `{"id":"dal13.pod02","closing":true}`)
	pods, err := f.Pods(t.Context())
	require.NoError(t, err)
	require.Len(t, pods, 10)
	assert.Equal(t, "dal13.pod01", pods[0].Name, "by name, in whatever order SoftLayer lists them")
	routers := map[int64]string{}
	for _, pod := range pods {
		assert.Equal(t, pod.Name == "dal13.pod02", pod.Closing, pod.Name)
		assert.True(t, strings.HasPrefix(pod.Name, pod.Datacenter+"."))
		routers[pod.Router] = pod.Datacenter
	}
	assert.Len(t, routers, 10)
	servers, _, err := f.Servers(t.Context(), 0, 100)
	require.NoError(t, err)
	for _, s := range servers {
		require.Len(t, s.Routers, 1)
		assert.Equal(t, s.Datacenter, routers[s.Routers[0]])
	}
}

func TestUnclearPodsAreNoAnswer(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"none at all":               `[]`,
		"one without capabilities":  `[{"name":"fra02.pod01","datacenterName":"fra02","backendRouterId":1}]`,
		"null capabilities":         `[{"name":"fra02.pod01","datacenterName":"fra02","backendRouterId":1,"capabilities":null}]`,
		"one without a name":        `[{"datacenterName":"fra02","backendRouterId":1,"capabilities":[]}]`,
		"one without a data center": `[{"name":"fra02.pod01","backendRouterId":1,"capabilities":[]}]`,
		"one that comes twice":      `[{"name":"fra02.pod01","datacenterName":"fra02","capabilities":[]},{"name":"FRA02.pod01","datacenterName":"fra02","capabilities":["CLOSURE_ANNOUNCED"]}]`,
		"no list":                   `{"name":"fra02.pod01"}`,
		"capabilities in one text":  `[{"name":"fra02.pod01","datacenterName":"fra02","capabilities":"CLOSURE_ANNOUNCED"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, answering(podsMethod, body))
			pods, err := f.Pods(t.Context())
			require.ErrorIs(t, err, softlayer.ErrAnswerLost)
			assert.Nil(t, pods)
		})
	}
}

// answering answers one method, and passes everything else on.
func answering(method, body string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.Path, method) {
				next.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		})
	}
}

func TestServersAreListedWithoutRoutersIfThoseFail(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.RawQuery, "backendRouters") {
				w.WriteHeader(http.StatusInternalServerError)
				_, _ = io.WriteString(w, `{"error":"Internal Error","code":"SoftLayer_Exception_Public"}`)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	servers, total, err := f.Servers(t.Context(), 0, 100)
	require.NoError(t, err)
	assert.Equal(t, 60, total)
	require.Len(t, servers, 60)
	assert.Empty(t, servers[0].Routers)
}

func TestCostsAreThoseOfTheCard(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	all, _, err := f.Servers(t.Context(), 0, 100)
	require.NoError(t, err)
	pending, hidden, hourly := 0, 0, 0
	for n := 0; n < len(all); n += closing.MostCosts {
		var ids []int64
		for _, s := range all[n:min(len(all), n+closing.MostCosts)] {
			ids = append(ids, s.ID)
		}
		costs, err := f.Costs(t.Context(), ids)
		require.NoError(t, err)
		require.Len(t, costs, len(ids))
		for _, id := range ids {
			card, err := f.Server(t.Context(), id)
			require.NoError(t, err)
			assert.Equal(t, card.MonthlyFee(), costs[id].Fee)
			assert.Equal(t, card.Hourly, costs[id].Hourly)
			stands := card.Billing != nil && (card.Billing.PendingCancellation || card.Billing.CancellationDate != "")
			assert.Equal(t, stands, costs[id].Cancelled)
			for is, count := range map[*int]bool{&pending: stands, &hidden: card.MonthlyFee() == "", &hourly: card.Hourly} {
				if count {
					*is++
				}
			}
		}
	}
	assert.Positive(t, pending, "some are cancelled already")
	assert.Positive(t, hidden, "some show no cost")
	assert.Positive(t, hourly, "some are billed by the hour")
}

func TestCostsOfOtherServersAreNoAnswer(t *testing.T) {
	t.Parallel()
	f := newFake(t, answering("SoftLayer_Account/getHardware", `[{"id":7,"hourlyBillingFlag":false}]`))
	costs, err := f.Costs(t.Context(), []int64{8})
	require.ErrorIs(t, err, softlayer.ErrAnswerLost, "SoftLayer ignored the filter")
	assert.Nil(t, costs)
}

func TestBillDatesAreThoseOfTheCard(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	all, _, err := f.Servers(t.Context(), 0, 100)
	require.NoError(t, err)
	var ids []int64
	for _, s := range all {
		ids = append(ids, s.ID)
	}
	dates, err := f.BillDates(t.Context(), ids)
	require.NoError(t, err)
	missing := 0
	for _, id := range ids {
		card, err := f.Server(t.Context(), id)
		require.NoError(t, err)
		if b := card.Billing; b == nil || b.PendingCancellation || b.CancellationDate != "" {
			assert.Empty(t, dates[id], "it ends already, or its date cannot be seen")
			missing++
			continue
		}
		assert.Equal(t, card.Billing.NextBillDate, dates[id])
	}
	assert.Positive(t, missing)
	assert.Less(t, missing, len(ids))

	other := newFake(t, answering("SoftLayer_Account/getHardware", `[{"id":7}]`))
	dates, err = other.BillDates(t.Context(), []int64{8})
	require.ErrorIs(t, err, softlayer.ErrAnswerLost, "SoftLayer ignored the filter")
	assert.Nil(t, dates)
}
