package fakesoftlayer_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cancel-server/internal/fakesoftlayer"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEachFaultOverRealHTTP(t *testing.T) {
	t.Parallel()
	const internal = `{"error":"Internal Error","code":"SoftLayer_Exception_Public"}`
	for fault, want := range map[string]struct {
		status  int // 0: no answer
		text    string
		tickets int
	}{
		"error_before":  {500, internal, 0},
		"error_after":   {500, internal, 1},
		"drop_before":   {0, "", 0},
		"drop_after":    {0, "", 1},
		"ok_error":      {200, internal, 0},
		"ok_null":       {200, "null", 0},
		"ok_empty":      {200, "", 0},
		"html":          {502, "<!DOCTYPE html>", 0},
		"html_200":      {200, "<!DOCTYPE html>", 0},
		"rate_limit":    {500, `{"error":"Rate limit of 50 requests for every 1 second(s) exceeded.","code":"SoftLayer_Exception_WebService_RateLimitExceeded"}`, 0},
		"expired_token": {500, "SoftLayer_Exception_Account_Authentication_AccessTokenValidation", 0},
		"unauthorized":  {401, "Access Denied. ", 0},
		"no_permission": {500, "You do not have permission to this service.", 0},
		"not_found":     {404, `{"error":"Unable to find object with id of ''.","code":"SoftLayer_Exception_ObjectNotFound"}`, 0},
		"redirect":      {307, "", 0},
		"huge":          {200, strings.Repeat("x", 64<<20), 0},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			id := w.account.Cancelable()
			require.NoError(t, w.account.Fault(cancelMethod, fault, 1))
			assert.Equal(t, http.StatusOK, w.get("SoftLayer_Account").status, "another method is not hit")
			got, err := w.do(w.request(http.MethodPost, cancelMethod, fmt.Sprintf(`{"parameters":[%d,"No longer needed","x",false,"HARDWARE"]}`, id)))
			assert.Equal(t, want.status == 0, err != nil)
			assert.Equal(t, want.status, got.status)
			assert.True(t, strings.Contains(got.text, want.text), "the body is not what the fault promises")
			assert.Len(t, w.books(id), want.tickets)
			assert.Equal(t, want.status, w.lastExchange().Status, "what the observer is told")
			if want.tickets == 0 {
				assert.Equal(t, http.StatusOK, w.cancel(id).status, "the fault is over after one call")
			}
		})
	}
}

func TestTruncatedAnswerIsHalfOfARealOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	id := w.account.Cancelable()
	require.NoError(t, w.account.Fault("*", "truncated_json", 1))
	got := w.cancel(id)
	assert.Equal(t, http.StatusOK, got.status)
	assert.True(t, strings.HasPrefix(got.text, "{") && !strings.HasSuffix(got.text, "}"), got.text)
	assert.Len(t, w.books(id), 1)
}

func TestAShortListHidesRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 9)
	require.NoError(t, w.account.Fault("SoftLayer_Account/getHardware", "short_list", 1))
	r := w.get("SoftLayer_Account/getHardware")
	assert.Len(t, w.rows(r), 4)
	assert.Equal(t, "9", r.total)
	require.NoError(t, w.account.Fault("SoftLayer_Account/getObject", "short_list", 1))
	assert.Contains(t, w.get("SoftLayer_Account").text, "companyName", "what is no list comes whole")
	require.NoError(t, w.account.Fault("SoftLayer_Hardware_Server/getObject", "not_found", 1))
	path := fmt.Sprintf("SoftLayer_Hardware_Server/%d", w.account.Cancelable())
	assert.Contains(t, w.get(path).text, fmt.Sprintf("id of '%d'", w.account.Cancelable()), "it names what was asked for")
	assert.Equal(t, http.StatusOK, w.get(path).status)
}

func TestClientThatFollowsARedirectIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	id := w.account.Cancelable()
	require.NoError(t, w.account.Fault(cancelMethod, "redirect", 1))
	r := w.request(http.MethodPost, cancelMethod+"?objectMask=id", fmt.Sprintf(`{"parameters":[%d,"No longer needed","x",false,"HARDWARE"]}`, id))
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Len(t, w.books(id), 1)
	require.Len(t, w.broke(), 1)
	assert.Contains(t, w.broke()[0].Rule, "redirect")
}

func TestHangLastsUntilTheClientLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		account := fakesoftlayer.New(fakesoftlayer.Options{Servers: 1})
		require.NoError(t, account.Fault(cancelMethod, "hang", 1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, took, dropped := directly(ctx, account)
		assert.True(t, dropped)
		assert.Equal(t, time.Hour, took)
		assert.NotZero(t, account.Cancelable(), "nothing happened")
		answer, _, _ := directly(t.Context(), account)
		assert.Equal(t, http.StatusOK, answer.Code, "the fault is over")
	})
}

// directly calls the handler with no network in between, so that its time is
// the test's.
func directly(ctx context.Context, account *fakesoftlayer.Account) (answer *httptest.ResponseRecorder, took time.Duration, dropped bool) {
	body := fmt.Sprintf(`{"parameters":[%d,"No longer needed","x",false,"HARDWARE"]}`, account.Cancelable())
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/rest/v3.1/"+cancelMethod, strings.NewReader(body))
	r.SetBasicAuth(account.Username(), account.APIKey())
	answer = httptest.NewRecorder()
	began := time.Now()
	defer func() { took, dropped = time.Since(began), recover() != nil }()
	account.Handler().ServeHTTP(answer, r)
	return answer, 0, false
}

func TestSlowFaultsEndWhenTheClientLeaves(t *testing.T) {
	t.Parallel()
	for fault, ticketWhenLeft := range map[string]bool{"slow": false, "slow_after": true} {
		synctest.Test(t, func(t *testing.T) {
			account := fakesoftlayer.New(fakesoftlayer.Options{Servers: 1})
			require.NoError(t, account.Fault(cancelMethod, fault, 1))
			answer, took, dropped := directly(t.Context(), account)
			assert.False(t, dropped, fault)
			assert.Equal(t, http.StatusOK, answer.Code, fault)
			assert.Equal(t, 3*time.Second, took, fault)

			account = fakesoftlayer.New(fakesoftlayer.Options{Servers: 1})
			require.NoError(t, account.Fault(cancelMethod, fault, 1))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, took, dropped = directly(ctx, account)
			assert.True(t, dropped, fault)
			assert.Equal(t, time.Second, took, fault)
			assert.Equal(t, ticketWhenLeft, account.Cancelable() == 0, fault)
		})
	}
}

func TestFaultsStrikeInTheOrderArmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	require.NoError(t, w.account.Fault("*", "ok_null", 2))
	require.NoError(t, w.account.Fault("SoftLayer_Account/getObject", "ok_empty", 1))
	assert.Equal(t, 3, w.account.FaultsLeft())
	var got []int
	for range 4 {
		got = append(got, len(w.get("SoftLayer_Account").text))
	}
	assert.Equal(t, []int{4, 4, 0}, got[:3], "null twice, then nothing")
	assert.Greater(t, got[3], 4, "then the account again")
	assert.Zero(t, w.account.FaultsLeft())
}

func TestUnknownFaultsAreRefused(t *testing.T) {
	t.Parallel()
	account := fakesoftlayer.New(fakesoftlayer.Options{Servers: 1})
	require.ErrorContains(t, account.Fault(cancelMethod, "explode", 1), `"explode" is not one of slow`)
	require.ErrorContains(t, account.Fault("SoftLayer_Ticket/fly", "slow", 1), `"SoftLayer_Ticket/fly"`)
	require.ErrorContains(t, account.Fault("*", "slow", 0), "must be positive")
	for _, f := range account.FaultNames() {
		assert.NotEmpty(t, f.Doc, f.Name)
		require.NoError(t, account.Fault("*", f.Name, 1))
	}
}
