package fakesoftlayer_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakesoftlayer"
)

const requestService = "SoftLayer_Billing_Item_Cancellation_Request"

// requestMask is what the vendor's own command lines ask about a cancellation request.
// https://github.com/softlayer/softlayer-cli/blob/master/plugin/testfixtures/SoftLayer_Billing_Item_Cancellation_Request/getAllCancellationRequests.json
const requestMask = "mask[id,itemCount,createDate,modifyDate,ticketId," +
	"ticket[assignedUserId,id,serviceProviderResourceId,attachedHardware[id,hostname,domain],attachedVirtualGuests,attachedDedicatedHosts]," +
	"status[name,id],user[id,firstName,lastName,iamId]," +
	"items[id,billingItemId,cancellationRequestId,immediateCancellationFlag,scheduledCancellationDate,serviceReclaimStatusCode," +
	"billingItem[cancellationDate,categoryCode,pendingCancellationFlag]]]"

// requestOf is the newest cancellation request of the account, as slcli reads it.
func (w *world) requestOf() map[string]any {
	w.Helper()
	rows := w.rows(w.get(requestService+"/getAllCancellationRequests", "objectMask", requestMask))
	require.NotEmpty(w, rows)
	return rows[0]
}

// stateOf is the state of the newest cancellation request.
func (w *world) stateOf() any { return w.requestOf()["status"].(map[string]any)["name"] }

// billingOf is the id of a server's billing item, and the item as the server has it.
func (w *world) billingOf(server int64) (string, map[string]any) {
	w.Helper()
	item := w.object(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d/getBillingItem", server), "objectMask", "mask[id,cancellationDate,pendingCancellationFlag]"))
	return fmt.Sprintf("%.0f", item["id"]), pick(item, "cancellationDate", "pendingCancellationFlag")
}

func TestARequestReadsAsRecorded(t *testing.T) {
	t.Parallel()
	w, server, ticket := filed(t, fakesoftlayer.Unproven{EndsASecondEarly: true})
	w.staff(ticket, `"do":"approve"`)
	request := w.requestOf()
	id, _ := w.billingOf(server)
	item := request["items"].([]any)[0].(map[string]any)
	assert.Equal(t, id, fmt.Sprintf("%.0f", item["billingItemId"]))
	assert.Equal(t, request["id"], item["cancellationRequestId"])
	assert.Nil(t, item["immediateCancellationFlag"])
	assert.Contains(t, item, "immediateCancellationFlag")
	assert.Equal(t, "2026-12-01T00:00:00-06:00", item["scheduledCancellationDate"])
	assert.Equal(t, "NOT_COMPLETED", item["serviceReclaimStatusCode"])
	assert.Equal(t, map[string]any{
		"cancellationDate": "2026-11-30T23:59:59-06:00", "categoryCode": "server", "pendingCancellationFlag": true,
	}, item["billingItem"])
	assert.Equal(t, map[string]any{"id": 4.0, "name": "Approved"}, request["status"])
	assert.Equal(t, map[string]any{"id": 811234.0, "firstName": "Fake", "lastName": "Bot", "iamId": "SL-811234"}, request["user"])
	about := request["ticket"].(map[string]any)
	assert.Equal(t, about["id"], request["ticketId"])
	assert.EqualValues(t, server, about["attachedHardware"].([]any)[0].(map[string]any)["id"])
	assert.Equal(t, []any{}, about["attachedVirtualGuests"])
	assert.Equal(t, 1.0, request["itemCount"])

	path := fmt.Sprintf("%s/%.0f", requestService, request["id"])
	assert.Equal(t, request, w.object(w.get(path, "objectMask", requestMask)))
	assert.Len(t, w.rows(w.get(path+"/getItems")), 1)
	for getter, want := range map[string]any{"getStatus": 4.0, "getTicket": about["id"], "getUser": 811234.0} {
		assert.Equal(t, want, w.object(w.get(path + "/" + getter))["id"], getter)
	}
	assert.Empty(t, w.broke())
}

// "If there is no result limit header is passed, it will return the latest 25 results by default."
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/getAllCancellationRequests/
func TestWithoutALimitTheLatest25RequestsCome(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 80)
	server := w.account.Cancelable()
	var filed []any // newest first
	for range 30 {
		ticket := w.object(w.cancel(server))["id"]
		filed = append([]any{ticket}, filed...)
		w.mustSteer("/ticket", fmt.Sprintf(`{"id":%.0f,"close":true}`, ticket))
	}
	list := func(query ...string) (tickets []any, total string) {
		r := w.get(requestService+"/getAllCancellationRequests", append(query, "objectMask", "mask[id,ticketId]")...)
		for _, row := range w.rows(r) {
			tickets = append(tickets, row["ticketId"])
		}
		return tickets, r.total
	}
	latest, total := list()
	assert.Equal(t, filed[:25], latest)
	more, sameTotal := list("resultLimit", "0,100")
	assert.Equal(t, filed, more[:30])
	assert.Equal(t, fmt.Sprint(len(more)), total)
	assert.Equal(t, total, sameTotal)
	pending, _ := list("resultLimit", "0,100", "objectFilter", fmt.Sprintf(`{"ticketId":{"operation":%.0f}}`, filed[4]))
	assert.Equal(t, filed[4:5], pending, "the filter has no root, as the list hangs on no object")
	assert.Empty(t, w.broke())
}

// "Pending until SoftLayer Sales team reviews it. [It] will be updated to Approved or Voided by
// SoftLayer Sales."
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Billing_Item_Cancellation_Request/
func TestSalesApproveOrVoidARequest(t *testing.T) {
	t.Parallel()
	w, server, ticket := filed(t, fakesoftlayer.Unproven{})
	open := func() int { return len(w.rows(w.get("SoftLayer_Account/getOpenCancellationRequests"))) }
	others := open() - 1
	assert.Equal(t, "Pending", w.stateOf())
	w.staff(ticket, `"do":"close","text":"We cannot: contract."`)
	assert.Equal(t, "Voided", w.stateOf())
	assert.Equal(t, others, open())
	_, billing := w.billingOf(server)
	assert.Equal(t, map[string]any{"pendingCancellationFlag": false, "cancellationDate": nil}, billing)

	w.staff(ticket, `"do":"reopen"`)
	assert.Equal(t, "Pending", w.stateOf())
	w.staff(ticket, `"do":"approve","text":"Approved."`)
	assert.Equal(t, "Approved", w.stateOf())
	_, billing = w.billingOf(server)
	assert.Equal(t, map[string]any{"pendingCancellationFlag": true, "cancellationDate": "2026-12-01T00:00:00-06:00"}, billing)
	w.staff(ticket, `"do":"close"`)
	assert.Equal(t, "Approved", w.stateOf(), "a closed ticket does not end what was approved")
	assert.Equal(t, others+1, open())
}

// "This method voids a service cancellation request in Pending or Approved status."
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/void/
func TestVoidWorksOnlyInPendingOrApproved(t *testing.T) {
	t.Parallel()
	for order, closes := range map[string]bool{"": false, `"do":"approve"`: true} {
		w, server, ticket := filed(t, fakesoftlayer.Unproven{})
		if order != "" {
			w.staff(ticket, order)
		}
		path := fmt.Sprintf("%s/%.0f/void", requestService, w.requestOf()["id"])
		r := w.post(path, closes)
		require.Equal(t, "true", r.text)
		assert.Equal(t, "Voided", w.stateOf())
		_, billing := w.billingOf(server)
		assert.Equal(t, map[string]any{"pendingCancellationFlag": false, "cancellationDate": nil}, billing)
		status := w.object(w.get(ticket, "objectMask", "mask[status[name]]"))["status"].(map[string]any)["name"]
		assert.Equal(t, map[bool]string{false: "Open", true: "Closed"}[closes], status)
		assert.Equal(t, http.StatusInternalServerError, w.post(path, closes).status, "it is neither any more")
		assert.Equal(t, !closes, strings.Contains(w.cancel(server).text, "already exists"), "an open ticket goes on blocking")
		w.account.Advance(90 * 24 * time.Hour)
		_, billing = w.billingOf(server)
		assert.Nil(t, billing["cancellationDate"], "the server goes on")
	}
}

// "This method removes a cancellation item from a cancellation request."
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/removeCancellationItem/
func TestARemovedItemIsNotCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 72)
	server, floating := w.withFloating()
	ticket := fmt.Sprintf("SoftLayer_Ticket/%.0f", w.object(w.post(cancelMethod, server, "No longer needed", "x", true, "HARDWARE"))["id"])
	w.staff(ticket, `"do":"approve"`)
	request := w.requestOf()
	items := request["items"].([]any)
	require.Len(t, items, 1+len(floating), "associated items are asked for too")
	path := fmt.Sprintf("%s/%.0f/removeCancellationItem", requestService, request["id"])
	assert.Equal(t, http.StatusNotFound, w.post(path, 5).status)
	for i, item := range items {
		id := item.(map[string]any)["id"]
		billing := fmt.Sprintf("SoftLayer_Billing_Item/%.0f", item.(map[string]any)["billingItemId"])
		mask := []string{"objectMask", "mask[pendingCancellationFlag]"}
		assert.Equal(t, true, w.object(w.get(billing, mask...))["pendingCancellationFlag"])
		assert.Equal(t, "true", w.post(path, id).text)
		assert.Equal(t, false, w.object(w.get(billing, mask...))["pendingCancellationFlag"])
		assert.Equal(t, float64(len(items)-1-i), w.requestOf()["itemCount"])
	}
	assert.Equal(t, "Voided", w.stateOf())
	assert.Equal(t, http.StatusInternalServerError, w.post(path, 5).status)
}

// withFloating is a server that can be cancelled, and the ids of its floating billing items.
func (w *world) withFloating() (server int64, floating []any) {
	w.Helper()
	for {
		server = w.account.Cancelable()
		require.NotZero(w, server)
		id, _ := w.billingOf(server)
		if floating = w.ids(w.get("SoftLayer_Billing_Item/" + id + "/getActiveAssociatedChildren")); len(floating) > 0 {
			return server, floating
		}
		w.cancel(server)
	}
}

// It "examined if a billing item is eligible for cancellation. It checks if the billing item
// you provided is already in your existing cancellation request."
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/validateBillingItemForCancellation/
func TestValidateKnowsWhatIsInARequest(t *testing.T) {
	t.Parallel()
	for refuses, no := range map[bool]string{false: "false", true: "SoftLayer_Exception_Public"} {
		w := newWorldOf(t, fakesoftlayer.Options{Servers: 12, Unproven: fakesoftlayer.Unproven{ValidateRefuses: refuses}})
		server := w.account.Cancelable()
		id, _ := w.billingOf(server)
		validate := func() string { return w.post(requestService+"/validateBillingItemForCancellation", id).text }
		assert.Equal(t, "true", validate())
		w.mustSteer("/server", fmt.Sprintf(`{"id":%d,"patch":{"billingItem":{"allowCancellationFlag":0}}}`, server))
		assert.Contains(t, validate(), no)
		w.mustSteer("/server", fmt.Sprintf(`{"id":%d,"patch":{"billingItem":{"allowCancellationFlag":1}}}`, server))
		w.cancel(server)
		assert.Contains(t, validate(), no)
		assert.Equal(t, http.StatusNotFound, w.post(requestService+"/validateBillingItemForCancellation", 5).status)
	}
}

func TestABillingItemKnowsItsRequests(t *testing.T) {
	t.Parallel()
	w, server, ticket := filed(t, fakesoftlayer.Unproven{})
	id, _ := w.billingOf(server)
	path := "SoftLayer_Billing_Item/" + id
	active := w.object(w.get(path+"/getActiveCancellationItem", "objectMask", "mask[billingItemId,cancellationRequest[ticketId]]"))
	assert.Equal(t, id, fmt.Sprintf("%.0f", active["billingItemId"]))
	assert.Equal(t, w.object(w.get(ticket))["id"], active["cancellationRequest"].(map[string]any)["ticketId"])
	w.staff(ticket, `"do":"close"`)
	assert.Equal(t, "null", w.get(path+"/getActiveCancellationItem").text)
	w.cancel(server)
	assert.Len(t, w.rows(w.get(path+"/getCancellationRequests")), 2, "any that are associated with it")
	masked := w.object(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d", server), "objectMask",
		"mask[billingItem[activeCancellationItem[scheduledCancellationDate],cancellationRequests[status[name]]]]"))["billingItem"].(map[string]any)
	assert.Equal(t, "2026-12-01T00:00:00-06:00", masked["activeCancellationItem"].(map[string]any)["scheduledCancellationDate"])
	assert.Len(t, masked["cancellationRequests"], 2)
}

func TestRequestsOfOthersAreTheAccountsToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 12)
	w.mustSteer("/ticket", fmt.Sprintf(`{"server":%d,"open":true,"entry":"by phone","user":"jane"}`, w.account.Cancelable()))
	assert.Equal(t, "Jane", w.requestOf()["user"].(map[string]any)["firstName"])
	w.mustSteer("/key", `{"revoke":["TICKET_VIEW_ALL"]}`)
	request := w.requestOf()
	assert.NotContains(t, request, "ticket", "the ticket is not this key's to see")
	assert.NotEmpty(t, request["ticketId"], "the request is the account's")
}

func TestKeyWithoutBillingViewSeesNoRequests(t *testing.T) {
	t.Parallel()
	for denial, want := range map[fakesoftlayer.Denial]int{
		fakesoftlayer.DeniedAsAbsent: http.StatusNotFound, fakesoftlayer.DeniedAsEmpty: http.StatusOK,
		fakesoftlayer.DeniedInWords: http.StatusInternalServerError,
	} {
		w, server, _ := filed(t, fakesoftlayer.Unproven{Denial: denial})
		id, _ := w.billingOf(server)
		path := fmt.Sprintf("%s/%.0f", requestService, w.requestOf()["id"])
		for _, permission := range []string{"SERVER_CANCEL", "SERVICE_CANCEL"} {
			w.mustSteer("/key", fmt.Sprintf(`{"revoke":[%q]}`, permission))
			assert.NotEqual(t, http.StatusOK, w.post(path+"/void", false).status, permission)
			assert.NotEqual(t, http.StatusOK, w.post(path+"/removeCancellationItem", 1).status, permission)
			w.mustSteer("/key", fmt.Sprintf(`{"grant":[%q]}`, permission))
		}
		assert.Equal(t, "Pending", w.stateOf(), "nothing was voided")
		w.mustSteer("/key", `{"revoke":["ACCOUNT_SUMMARY_VIEW"]}`)
		for _, list := range []string{requestService + "/getAllCancellationRequests", "SoftLayer_Account/getOpenCancellationRequests"} {
			r := w.get(list)
			assert.Equal(t, want, r.status, list)
			assert.True(t, want != http.StatusOK || r.text == "[]", r.text)
		}
		for _, one := range []string{path, path + "/getItems", "SoftLayer_Billing_Item/" + id, "SoftLayer_Billing_Item/" + id + "/getActiveCancellationItem"} {
			assert.NotEqual(t, http.StatusOK, w.get(one).status, one)
		}
		assert.NotEqual(t, http.StatusOK, w.post(path+"/void", false).status)
	}
}
