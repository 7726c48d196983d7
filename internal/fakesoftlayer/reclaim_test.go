package fakesoftlayer_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakesoftlayer"
)

// cancelled is a world with one approved cancellation, due on 1 December.
func cancelled(t *testing.T, options fakesoftlayer.Options) (w *world, server int64, ticket string) {
	t.Helper()
	options.Servers = 24
	w = newWorldOf(t, options)
	server = w.account.Cancelable()
	ticket = fmt.Sprintf("SoftLayer_Ticket/%.0f", w.object(w.cancel(server))["id"])
	w.staff(ticket, `"do":"approve"`)
	return w, server, ticket
}

// to moves the account's clock to a moment.
func (w *world) to(moment string) {
	w.Helper()
	at, err := time.Parse(time.RFC3339, moment)
	require.NoError(w, err)
	w.account.Advance(at.Sub(w.account.Now()))
}

// seen is what can be read of a server: its status, "gone" where it is not found.
func (w *world) seen(server int64) any {
	w.Helper()
	r := w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d", server), "objectMask", "mask[id,hardwareStatus[status]]")
	if r.status == http.StatusNotFound {
		return "gone"
	}
	return w.object(r)["hardwareStatus"].(map[string]any)["status"]
}

// "Pending reclaim: Device is in a hold state in preparation of the reclaim process. Reclaiming:
// Device is being reclaimed."
// https://cloud.ibm.com/docs/bare-metal?topic=bare-metal-understanding-server-status
func TestAServerIsHeldThenReclaimedThenGone(t *testing.T) {
	t.Parallel()
	w, server, ticket := cancelled(t, fakesoftlayer.Options{HoldTime: time.Hour, ReclaimTime: 2 * time.Hour})
	billing, _ := w.billingOf(server)
	for _, c := range []struct{ at, status, request string }{
		{"2026-11-30T23:59:59-06:00", "ACTIVE", "Approved"},
		{"2026-12-01T00:00:00-06:00", "Pending reclaim", "Approved"},
		{"2026-12-01T00:59:59-06:00", "Pending reclaim", "Approved"},
		{"2026-12-01T01:00:00-06:00", "Reclaiming", "Approved"},
		{"2026-12-01T02:59:59-06:00", "Reclaiming", "Approved"},
		{"2026-12-01T03:00:00-06:00", "gone", "Complete"},
	} {
		w.to(c.at)
		assert.Equal(t, c.status, w.seen(server), c.at)
		assert.Equal(t, c.request, w.stateOf(), c.at)
		item := w.object(w.get("SoftLayer_Billing_Item/"+billing, "objectMask", "mask[cancellationDate,pendingCancellationFlag]"))
		assert.Equal(t, map[string]any{"cancellationDate": "2026-12-01T00:00:00-06:00", "pendingCancellationFlag": c.status == "ACTIVE"}, item, c.at)
		if c.status != "ACTIVE" && c.status != "gone" {
			path := fmt.Sprintf("SoftLayer_Hardware_Server/%d", server)
			s := w.object(w.get(path, "objectMask", "mask[id,billingItem[id],activeTransaction[transactionStatus[friendlyName]]]"))
			assert.NotContains(t, s, "billingItem", "its billing item has ended")
			assert.Contains(t, s, "activeTransaction")
		}
	}
	assert.NotContains(t, w.ids(w.get("SoftLayer_Account/getHardware", "objectMask", "mask[id]")), float64(server))
	items := w.requestOf()["items"].([]any)
	assert.Equal(t, "COMPLETED", items[0].(map[string]any)["serviceReclaimStatusCode"])
	last := w.object(w.get(ticket, "objectMask", "mask[status[name],lastEditDate,lastUpdate[editorType,createDate]]"))
	assert.Equal(t, "Closed", last["status"].(map[string]any)["name"])
	assert.Equal(t, map[string]any{"editorType": "AUTO", "createDate": "2026-12-01T03:00:00-06:00"}, last["lastUpdate"])
	assert.Equal(t, http.StatusInternalServerError, w.post(fmt.Sprintf("%s/%.0f/void", requestService, w.requestOf()["id"]), true).status)
}

func TestAYearAheadEverythingDueIsDone(t *testing.T) {
	t.Parallel()
	w, server, ticket := cancelled(t, fakesoftlayer.Options{})
	other := w.account.Cancelable()
	waits := fmt.Sprintf("SoftLayer_Ticket/%.0f", w.object(w.cancel(other))["id"])
	w.to("2027-12-05T12:00:00Z")
	assert.Equal(t, "gone", w.seen(server))
	assert.Equal(t, "2026-12-02T00:00:00-06:00", w.object(w.get(ticket))["lastEditDate"], "what happened meanwhile has its own date")
	assert.Equal(t, "ACTIVE", w.seen(other), "what staff have not approved goes on")
	next := w.object(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d/getBillingItem", other)))
	assert.Equal(t, "2028-01-01T00:00:00-06:00", next["nextBillDate"])
	assert.Equal(t, "2027-12-01T00:00:00-06:00", next["lastBillDate"])
	w.staff(waits, `"do":"approve"`)
	assert.NotEqual(t, "ACTIVE", w.seen(other), "the date that it was asked for has passed")
}

func TestALateApprovalMayMoveTheDate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		moves      bool
		at, expect string
	}{
		{true, "2026-11-27T12:00:00-06:00", "2026-12-01T00:00:00-06:00"},
		{true, "2026-11-29T12:00:00-06:00", "2027-01-01T00:00:00-06:00"},
		{true, "2026-12-05T12:00:00-06:00", "2027-01-01T00:00:00-06:00"},
		{false, "2026-11-29T12:00:00-06:00", "2026-12-01T00:00:00-06:00"},
	} {
		w, server, ticket := filed(t, fakesoftlayer.Unproven{LateApprovalMoves: c.moves})
		w.to(c.at)
		w.staff(ticket, `"do":"approve"`)
		_, billing := w.billingOf(server)
		assert.Equal(t, c.expect, billing["cancellationDate"], "%v", c)
		item := w.requestOf()["items"].([]any)[0].(map[string]any)
		assert.Equal(t, c.expect, item["scheduledCancellationDate"], "%v", c)
	}
}

func TestEndedItemsMayStayOnTheServer(t *testing.T) {
	t.Parallel()
	w, server, _ := cancelled(t, fakesoftlayer.Options{Unproven: fakesoftlayer.Unproven{EndedItemsStay: true}})
	w.to("2026-12-01T06:00:00-06:00")
	assert.Equal(t, "Pending reclaim", w.seen(server))
	_, billing := w.billingOf(server)
	assert.Equal(t, map[string]any{"cancellationDate": "2026-12-01T00:00:00-06:00", "pendingCancellationFlag": false}, billing)
}

func TestWithoutReclaimTimeAServerGoesAtOnce(t *testing.T) {
	t.Parallel()
	w, server, _ := cancelled(t, fakesoftlayer.Options{HoldTime: -1, ReclaimTime: -1})
	w.to("2026-11-30T23:59:59-06:00")
	assert.Equal(t, "ACTIVE", w.seen(server))
	w.to("2026-12-01T00:00:00-06:00")
	assert.Equal(t, "gone", w.seen(server))
}

// cancelAssociatedItems: the floating items of a server are cancelled with it or stay billed.
// https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/createCancelServerTicket/
func TestFloatingItemsEndOnlyIfAskedFor(t *testing.T) {
	t.Parallel()
	for associated, ended := range map[bool]bool{false: false, true: true} {
		w := newWorld(t, 72)
		server, floating := w.withFloating()
		ticket := fmt.Sprintf("SoftLayer_Ticket/%.0f", w.object(w.post(cancelMethod, server, "No longer needed", "x", associated, "HARDWARE"))["id"])
		w.staff(ticket, `"do":"approve"`)
		w.to("2026-12-03T00:00:00-06:00")
		assert.Equal(t, "gone", w.seen(server))
		for _, id := range floating {
			item := w.object(w.get(fmt.Sprintf("SoftLayer_Billing_Item/%.0f", id), "objectMask", "mask[id,cancellationDate,pendingCancellationFlag]"))
			assert.Equal(t, ended, item["cancellationDate"] != nil, "associated: %v", associated)
			assert.NotEqual(t, true, item["pendingCancellationFlag"])
		}
	}
}
