package fakesoftlayer_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheFiveErrorsComeWordForWord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	id := w.account.Cancelable()
	const (
		attachment = "Attachment id must be provided."
		reason     = "Cancellation reason must be provided."
		content    = "Cancellation content description must be provided."
	)
	for name, c := range map[string]struct {
		parameters []any
		want       string
	}{
		"nothing":               {nil, attachment},
		"no id":                 {[]any{nil, "No longer needed", "x", false, "HARDWARE"}, attachment},
		"zero for an id":        {[]any{0, "No longer needed", "x", false, "HARDWARE"}, attachment},
		"a word for an id":      {[]any{"web", "No longer needed", "x", false, "HARDWARE"}, attachment},
		"one dictionary":        {[]any{map[string]any{"attachmentId": id, "reason": "x"}}, attachment},
		"no reason":             {[]any{id}, reason},
		"an empty reason":       {[]any{id, "", "x", false, "HARDWARE"}, reason},
		"a blank reason":        {[]any{id, " \t", "x", false, "HARDWARE"}, reason},
		"no content":            {[]any{id, "No longer needed"}, content},
		"a null for content":    {[]any{id, "No longer needed", nil, false, "HARDWARE"}, content},
		"a content of newlines": {[]any{id, "No longer needed", "\n\n", false, "HARDWARE"}, content},
	} {
		r := w.post(cancelMethod, c.parameters...)
		assert.Equal(t, http.StatusInternalServerError, r.status, name)
		assert.JSONEq(t, fmt.Sprintf(`{"error":%q,"code":"SoftLayer_Exception"}`, c.want), r.text, name)
	}
	assert.Empty(t, w.books(id), "a refused call makes no ticket")

	ticket := w.object(w.cancel(id))
	again := w.cancel(id)
	assert.Equal(t, http.StatusInternalServerError, again.status)
	assert.Equal(t, fmt.Sprintf("A cancellation ticket already exists for this server. Please refer to ticket %.0f.", ticket["id"]),
		w.object(again)["error"])
}

func TestKeyNeedsItsPermissionsToCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	id := w.account.Cancelable()
	for _, permission := range []string{"SERVER_CANCEL", "TICKET_ADD"} {
		w.mustSteer("/key", fmt.Sprintf(`{"revoke":[%q]}`, permission))
		r := w.cancel(id)
		assert.Equal(t, http.StatusInternalServerError, r.status)
		assert.JSONEq(t, `{"error":"You do not have permission to this service.","code":"SoftLayer_Exception"}`, r.text, permission)
		w.mustSteer("/key", fmt.Sprintf(`{"grant":[%q]}`, permission))
	}
	w.mustSteer("/key", `{"permissions":[],"master":true}`)
	assert.Equal(t, http.StatusOK, w.cancel(id).status, "a master user needs no list")
}

func TestServerHiddenFromTheKeyIsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	id := w.account.Cancelable()
	w.mustSteer("/key", fmt.Sprintf(`{"hide_servers":[%d]}`, id))
	assert.Equal(t, http.StatusNotFound, w.cancel(id).status)
	assert.Equal(t, http.StatusNotFound, w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d", id)).status)
	assert.Len(t, w.rows(w.get("SoftLayer_Account/getHardware")), 4)
	w.mustSteer("/key", `{"hide_servers":[]}`)
	assert.Equal(t, http.StatusOK, w.cancel(id).status)
}

func TestTicketIsWholeAndOnTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	id := w.account.Cancelable()
	r := w.request(http.MethodPost, cancelMethod+".json?objectMask=mask[id,statusId,status[name],attachedHardware[id],firstUpdate[entry],cancellationRequest[statusId,status[name]]]",
		fmt.Sprintf(`{"parameters":[%d,"No longer needed","first line\nlast line",true,"HARDWARE"]}`, id))
	made := w.must(r)
	require.Equal(t, http.StatusOK, made.status, made.text)
	ticket := w.object(made)
	assert.Len(t, fmt.Sprintf("%.0f", ticket["id"]), 9)
	assert.Equal(t, map[string]any{
		"id": ticket["id"], "statusId": 1001.0, "status": map[string]any{"name": "Open"},
		"attachedHardware":    []any{map[string]any{"id": float64(id)}},
		"firstUpdate":         map[string]any{"entry": "Reason: No longer needed\nCancel associated items: Yes\n\nfirst line\nlast line"},
		"cancellationRequest": map[string]any{"statusId": 1.0, "status": map[string]any{"name": "Pending"}},
	}, ticket)

	server := w.object(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d", id), "objectMask",
		"mask[id,openCancellationTicket[id],billingItem[pendingCancellationFlag]]"))
	assert.Equal(t, map[string]any{"id": ticket["id"]}, server["openCancellationTicket"])
	assert.Equal(t, map[string]any{
		"pendingCancellationFlag": false,
	}, pick(server["billingItem"], "pendingCancellationFlag"), "nothing is pending before staff approve")
	getter := w.object(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d/getOpenCancellationTicket", id)))
	assert.Equal(t, ticket["id"], getter["id"])
	assert.NotContains(t, getter, "cancellationRequest", "a relation comes only with a mask")
	updates := w.rows(w.get(fmt.Sprintf("SoftLayer_Ticket/%.0f/getUpdates", ticket["id"])))
	assert.Len(t, updates, 1)
}

// pick keeps some properties of an object.
func pick(object any, names ...string) map[string]any {
	kept := map[string]any{}
	for _, name := range names {
		kept[name] = object.(map[string]any)[name]
	}
	return kept
}

func TestScalarsMayComeAsText(t *testing.T) {
	t.Parallel()
	for _, flag := range []any{true, "true", 1, "1"} {
		w := newWorld(t, 1)
		id := w.account.Cancelable()
		r := w.post(cancelMethod, fmt.Sprint(id), "No longer needed", "x", flag, "HARDWARE")
		require.Equal(t, http.StatusOK, r.status, r.text)
		assert.Contains(t, w.books(id)[0]["firstUpdate"].(map[string]any)["entry"], "associated items: Yes", "%T %v", flag, flag)
		assert.Empty(t, w.broke())
	}
	w := newWorld(t, 1)
	r := w.post(cancelMethod, w.account.Cancelable(), "No longer needed", "x", "false", "HARDWARE")
	require.Equal(t, http.StatusOK, r.status, r.text)
	assert.Len(t, w.broke(), 1, `the text "false" is a risk that the observer hears of`)
}

func TestObserverHearsOfUndocumentedArguments(t *testing.T) {
	t.Parallel()
	for name, parameters := range map[string][]any{
		"a reason not of the ten":     {"because I say so", "x", false, "HARDWARE"},
		"three parameters":            {"No longer needed", "x"},
		"another kind of attachment":  {"No longer needed", "x", false, "VIRTUAL_GUEST"},
		"a word instead of a boolean": {"No longer needed", "x", "perhaps", "HARDWARE"},
	} {
		w := newWorld(t, 1)
		w.post(cancelMethod, append([]any{w.account.Cancelable()}, parameters...)...)
		assert.Len(t, w.broke(), 1, name)
	}
}

func TestFiftyAtOnceMakeOneTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	id := w.account.Cancelable()
	var made, refused atomic.Int32
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if w.cancel(id).status == http.StatusOK {
				made.Add(1)
			} else {
				refused.Add(1)
			}
		})
	}
	group.Wait()
	assert.EqualValues(t, 1, made.Load())
	assert.EqualValues(t, 49, refused.Load())
	assert.Len(t, w.books(id), 1)
}

func TestClosedTicketAllowsAnotherUnlessItBlocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	id := w.account.Cancelable()
	first := w.object(w.cancel(id))["id"]
	w.mustSteer("/ticket", fmt.Sprintf(`{"id":%.0f,"close":true}`, first))
	assert.Equal(t, "null", w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d/getOpenCancellationTicket", id)).text)
	second := w.object(w.cancel(id))["id"]
	assert.NotEqual(t, first, second)
	w.mustSteer("/ticket", fmt.Sprintf(`{"id":%.0f,"close":true,"blocks":true}`, second))
	assert.Contains(t, w.cancel(id).text, fmt.Sprintf("Please refer to ticket %.0f.", second))
}
