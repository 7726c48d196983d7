package fakesoftlayer_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (w *world) controlGet(path string) reply {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.control.URL+path, nil)
	require.NoError(w, err)
	return w.must(r)
}

func TestPatchChangesDeletesAndRemoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	id := w.account.Cancelable()
	path := fmt.Sprintf("SoftLayer_Hardware_Server/%d", id)
	w.mustSteer("/server", fmt.Sprintf(`{"id":%d,"patch":{"notes":"hello","billingItem":{"recurringFee":"7"},"tagReferences":[],"primaryIpAddress":null}}`, id))
	s := w.object(w.get(path, "objectMask", "mask[id,notes,primaryIpAddress,tagReferences,billingItem[recurringFee,nextBillDate]]"))
	assert.Equal(t, "hello", s["notes"])
	assert.Equal(t, []any{}, s["tagReferences"])
	assert.NotContains(t, s, "primaryIpAddress")
	assert.Equal(t, map[string]any{"recurringFee": "7", "nextBillDate": "2026-12-01T00:00:00-06:00"}, s["billingItem"])
	w.mustSteer("/server", fmt.Sprintf(`{"id":%d,"patch":{"billingItem":null}}`, id))
	assert.Equal(t, "null", w.get(path+"/getBillingItem").text)
	w.mustSteer("/server", fmt.Sprintf(`{"id":%d,"remove":true}`, id))
	assert.Equal(t, http.StatusNotFound, w.get(path).status)
	assert.Equal(t, http.StatusNotFound, w.cancel(id).status)
	w.mustSteer("/server", fmt.Sprintf(`{"id":%d,"remove":false}`, id))
	assert.Equal(t, http.StatusOK, w.get(path).status)
}

func TestStaffOpenAnswerAndHideTickets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	id := w.account.Cancelable()
	made := w.mustSteer("/ticket", fmt.Sprintf(`{"server":%d,"open":true,"entry":"by phone"}`, id))
	ticket := int64(made["id"].(float64))
	assert.Equal(t, "by phone", made["firstUpdate"].(map[string]any)["entry"])
	assert.Contains(t, w.cancel(id).text, fmt.Sprintf("Please refer to ticket %d.", ticket))
	w.mustSteer("/ticket", fmt.Sprintf(`{"id":%d,"answer":"we are on it"}`, ticket))
	updates := w.rows(w.get(fmt.Sprintf("SoftLayer_Ticket/%d/getUpdates", ticket)))
	require.Len(t, updates, 2)
	assert.Contains(t, w.get(fmt.Sprintf("SoftLayer_Ticket/%d", ticket), "objectMask", "mask[lastUpdate[entry]]").text, "we are on it")
	w.mustSteer("/ticket", fmt.Sprintf(`{"id":%d,"hide":true}`, ticket))
	assert.Equal(t, http.StatusNotFound, w.get(fmt.Sprintf("SoftLayer_Ticket/%d", ticket)).status)
	assert.Equal(t, "null", w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d/getOpenCancellationTicket", id)).text)
	assert.Contains(t, w.cancel(id).text, fmt.Sprint(ticket), "what cannot be seen still blocks")
	assert.Len(t, w.books(id), 1)
}

func TestServersAreFoundByIDNameOrAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	all := w.rows(w.controlGet("/servers"))
	require.Len(t, all, 30)
	one := all[4]
	for _, query := range []string{fmt.Sprintf("%.0f", one["id"]), strings.ToUpper(one["fullyQualifiedDomainName"].(string)), one["primaryBackendIpAddress"].(string)} {
		found := w.rows(w.controlGet("/servers?q=" + query))
		require.NotEmpty(t, found, query)
		assert.Contains(t, found, one, query)
		assert.Less(t, len(found), 30, query)
	}
	assert.Contains(t, one, "billingItem", "whole trees")
	assert.Empty(t, w.rows(w.controlGet("/servers?q=nothing-like-this")))
}

func TestControlRefusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 6)
	id := w.account.Cancelable()
	for _, c := range [][2]string{
		{"/server", `{"id":1,"patch":{}}`},
		{"/server", fmt.Sprintf(`{"id":%d}`, id)},
		{"/server", fmt.Sprintf(`{"id":%d,"patch":{"hostName":"x"}}`, id)},
		{"/server", fmt.Sprintf(`{"id":%d,"patch":{"billingItem":{"fee":1}}}`, id)},
		{"/server", fmt.Sprintf(`{"id":%d,"patch":{"id":5}}`, id)},
		{"/server", fmt.Sprintf(`{"id":%d,"path":{}}`, id)},
		{"/server", fmt.Sprintf(`{"id":%d,"remove":true} {}`, id)},
		{"/ticket", `{}`},
		{"/ticket", `{"id":1,"close":true}`},
		{"/ticket", fmt.Sprintf(`{"server":%d,"open":true,"close":true}`, id)},
		{"/ticket", `{"server":1,"open":true}`},
		{"/storage", fmt.Sprintf(`{"volume":1,"server":%d}`, id)},
		{"/storage", `{"volume":1500000000,"server":1}`},
		{"/key", `{"grant":["FLY"]}`},
		{"/key", `[]`},
	} {
		r := w.steer(c[0], c[1])
		assert.Equal(t, http.StatusBadRequest, r.status, c)
		assert.NotEmpty(t, w.object(r)["error"], c)
	}
	response, err := http.Post(w.control.URL+"/key", "text/plain", strings.NewReader(`{"master":true}`))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusUnsupportedMediaType, response.StatusCode)
	assert.Equal(t, http.StatusNotFound, w.controlGet("/nothing").status)
	assert.Equal(t, http.StatusMethodNotAllowed, w.controlGet("/key").status)
}

func TestEveryListedCallIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	require.Len(t, w.account.Calls(), 8)
	for _, call := range w.account.Calls() {
		path, _, _ := strings.Cut(call.Path, "?")
		r, err := http.NewRequestWithContext(t.Context(), call.Method, w.control.URL+path, strings.NewReader("{}"))
		require.NoError(t, err)
		assert.NotEqual(t, http.StatusNotFound, w.must(r).status, call.Path)
		assert.NotEmpty(t, call.Doc)
	}
}
