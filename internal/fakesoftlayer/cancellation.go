package fakesoftlayer

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
)

// cancellationMethods are the methods about cancellation requests and billing items.
func cancellationMethods() map[string]method {
	return map[string]method{
		"SoftLayer_Account/getOpenCancellationRequests":     requestList("openCancellationRequests", 0, isOpen),
		requestType + "/getAllCancellationRequests":         requestList(unrooted, latestRequests, everyRequest),
		requestType + "/getObject":                          {returns: requestType, run: (*Account).getRequest},
		requestType + "/getItems":                           getter(requestType, (*Account).getRequest, "items"),
		requestType + "/getStatus":                          getter(requestType, (*Account).getRequest, "status"),
		requestType + "/getTicket":                          getter(requestType, (*Account).getRequest, "ticket"),
		requestType + "/getUser":                            getter(requestType, (*Account).getRequest, "user"),
		requestType + "/void":                               {run: (*Account).voidRequest},
		requestType + "/removeCancellationItem":             {run: (*Account).removeItem},
		requestType + "/validateBillingItemForCancellation": {run: (*Account).validate},
		billingItemType + "/getObject":                      {returns: billingItemType, run: (*Account).getBillingItem},
		billingItemType + "/getActiveCancellationItem":      getter(billingItemType, (*Account).getBillingItem, "activeCancellationItem"),
		billingItemType + "/getCancellationRequests":        getter(billingItemType, (*Account).getBillingItem, "cancellationRequests"),
		billingItemType + "/getActiveAssociatedChildren":    getter(billingItemType, (*Account).getBillingItem, "activeAssociatedChildren"),
	}
}

// requestState is a state of a cancellation request: "When a service cancellation is submitted,
// it will be in Pending status until SoftLayer Sales team reviews it. The status of a
// cancellation request will be updated to Approved or Voided by SoftLayer Sales. It will be
// updated to Complete when all services are reclaimed."
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Billing_Item_Cancellation_Request/
type requestState struct {
	id            int64
	keyName, name string
}

// The states. The id of Approved is from recorded data; the others' are by choice.
var (
	requestPending  = requestState{1, "PENDING", "Pending"}
	requestVoided   = requestState{2, "VOIDED", "Voided"}
	requestComplete = requestState{3, "COMPLETE", "Complete"}
	requestApproved = requestState{4, "APPROVED", "Approved"}
)

// latestRequests is how many requests come without a resultLimit: "it will return the latest 25
// results by default".
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/getAllCancellationRequests/
const latestRequests = 25

// newRequest is the cancellation request of a ticket, laid out as in
// https://github.com/softlayer/softlayer-cli/blob/master/plugin/testfixtures/SoftLayer_Billing_Item_Cancellation_Request/getAllCancellationRequests.json
func (a *Account) newRequest(s *server, t *ticket, associated bool) tree {
	id := number(t.tree["id"]) + 1_000_000
	items := []any{}
	if billing, ok := s.tree["billingItem"].(tree); ok {
		asked := []any{billing}
		if floating, _ := billing["activeAssociatedChildren"].([]any); associated {
			asked = append(asked, floating...)
		}
		for i, billing := range asked {
			items = append(items, a.newItem(id, i, billing.(tree)))
		}
	}
	request := tree{
		"id": id, "accountId": int64(accountID), "ticketId": t.tree["id"], "notes": "",
		"createDate": t.tree["createDate"], "user": t.tree["assignedUser"],
		"items": items, "itemCount": int64(len(items)),
	}
	a.setRequest(request, requestPending)
	return request
}

func (a *Account) newItem(request int64, place int, billing tree) tree {
	return tree{
		"id": request%100_000_000*10 + int64(place), "cancellationRequestId": request,
		"billingItemId": billing["id"], "billingItem": billing,
		"immediateCancellationFlag": nil, "scheduledCancellationDate": date(a.cancellationDate()),
		"serviceReclaimStatusCode": "NOT_COMPLETED",
	}
}

// setRequest moves a cancellation request to a state; there may be none.
func (a *Account) setRequest(request tree, state requestState) {
	if request == nil {
		return
	}
	request["statusId"], request["modifyDate"] = state.id, date(a.now())
	request["status"] = tree{"id": state.id, "keyName": state.keyName, "name": state.name}
}

// request is the cancellation request of a ticket, nil if it asks for none.
func (t *ticket) request() tree {
	request, _ := t.tree["cancellationRequest"].(tree)
	return request
}

// approvable tells whether staff can approve the cancellation that a ticket asks for.
func (t *ticket) approvable() bool { return t.cancels && t.closed.IsZero() && t.request() != nil }

// isOpen tells whether a cancellation request is in the states in which it can be voided.
func isOpen(request tree) bool {
	return request["statusId"] == requestPending.id || request["statusId"] == requestApproved.id
}

// approve makes a cancellation pending on what it asks for.
func (a *Account) approve(t *ticket) error {
	s := a.servers[t.server]
	if !t.approvable() || s == nil {
		return errors.New("only an open cancellation ticket can be approved")
	}
	ends := a.approvedDate(t.request())
	if billing, ok := s.tree["billingItem"].(tree); ok {
		a.schedule(billing, ends)
	}
	for _, item := range itemsOf(t.request()) {
		item["scheduledCancellationDate"] = date(ends)
		a.schedule(item["billingItem"].(tree), ends)
	}
	a.setRequest(t.request(), requestApproved)
	return nil
}

// approvedDate is the date for which a cancellation is approved now: the one that was due when it
// was asked for, or the next, by LateApprovalMoves.
func (a *Account) approvedDate(request tree) time.Time {
	for _, item := range itemsOf(request) {
		ends, ok := moment(item["scheduledCancellationDate"])
		late := ok && a.now().After(a.cutoffOf(ends.In(dallas)))
		if ok && !(late && a.options.Unproven.LateApprovalMoves) {
			return ends
		}
	}
	return a.cancellationDate()
}

// schedule has a billing item end at a date. In recorded data it ends a second before the date
// of its cancellation.
func (a *Account) schedule(billing tree, ends time.Time) {
	if a.options.Unproven.EndsASecondEarly {
		ends = ends.Add(-time.Second)
	}
	billing["pendingCancellationFlag"], billing["cancellationDate"] = true, date(ends)
	a.wakeBy(ends)
}

// release has a billing item go on.
func release(item tree) {
	billing := item["billingItem"].(tree)
	billing["pendingCancellationFlag"] = false
	delete(billing, "cancellationDate")
}

func itemsOf(request tree) []tree {
	list, _ := request["items"].([]any)
	items := make([]tree, len(list))
	for i, item := range list {
		items[i] = item.(tree)
	}
	return items
}

// requests are the account's cancellation requests that a condition picks, newest first. They
// are the account's, whoever may see their tickets.
func (a *Account) requests(picked func(tree) bool) []any {
	list := []any{}
	for _, id := range slices.Backward(a.ticketIDs) {
		if request := a.tickets[id].request(); request != nil && picked(request) {
			list = append(list, request)
		}
	}
	return list
}

func everyRequest(tree) bool { return true }

// requestList is a method that lists cancellation requests.
func requestList(root string, page int, picked func(tree) bool) method {
	return method{returns: requestType, root: root, page: page, run: func(a *Account, _ *request) (any, error) {
		if !a.key.may(accountSummaryView) {
			return a.deniedList(accountID)
		}
		return a.requests(picked), nil
	}}
}

// getRequest finds a cancellation request: "You can only retrieve cancellation request records
// that are assigned to your SoftLayer account."
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/getObject/
func (a *Account) getRequest(q *request) (any, error) {
	if !a.key.may(accountSummaryView) {
		return nil, a.denial(q.id)
	}
	found := a.requests(func(request tree) bool { return number(request["id"]) == number(q.id) })
	if len(found) == 0 {
		return nil, errNotFound(q.id)
	}
	return found[0], nil
}

// changeable finds the cancellation request of a call that changes it. createObject needs
// "Cancel Services", and the console's page of cancellations SERVER_CANCEL too; that these
// calls ask for both is unproven.
func (a *Account) changeable(q *request) (tree, error) {
	if !a.key.may(serverCancel) || !a.key.may(serviceCancel) {
		return nil, a.denial(q.id)
	}
	found, err := a.getRequest(q)
	if err != nil {
		return nil, err
	}
	request := found.(tree)
	if !isOpen(request) || !a.standsYet(request) {
		return nil, exception("SoftLayer_Exception_Public", "This cancellation request is neither pending nor approved.")
	}
	return request, nil
}

// standsYet tells whether nothing that a cancellation request asks for has ended.
func (a *Account) standsYet(request tree) bool {
	return !slices.ContainsFunc(itemsOf(request), func(item tree) bool {
		ends, ok := moment(item["billingItem"].(tree)["cancellationDate"])
		return ok && !a.now().Before(ends)
	})
}

// voidRequest "voids a service cancellation request in Pending or Approved status". What it asked
// for goes on; its ticket is closed if the flag says so.
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/void/
func (a *Account) voidRequest(q *request) (any, error) {
	request, err := a.changeable(q)
	if err != nil {
		return nil, err
	}
	for _, item := range itemsOf(request) {
		release(item)
	}
	a.setRequest(request, requestVoided)
	if t := a.tickets[number(request["ticketId"])]; readFlag(q, 0, "closeRelatedTicketFlag") && t != nil && t.closed.IsZero() {
		return true, a.close(t, byUser)
	}
	return true, nil
}

// removeItem "removes a cancellation item from a cancellation request that is in Pending or
// Approved status". That a request without any item is voided is unproven.
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/removeCancellationItem/
func (a *Account) removeItem(q *request) (any, error) {
	request, err := a.changeable(q)
	if err != nil {
		return nil, err
	}
	items, _ := request["items"].([]any)
	at := slices.IndexFunc(items, func(item any) bool { return number(item.(tree)["id"]) == number(q.argument(0)) })
	if at < 0 {
		return nil, errNotFound(q.argument(0))
	}
	release(items[at].(tree))
	items = slices.Delete(slices.Clone(items), at, at+1)
	request["items"], request["itemCount"] = items, int64(len(items))
	state := requestPending
	if request["statusId"] == requestApproved.id {
		state = requestApproved
	}
	if len(items) == 0 {
		state = requestVoided
	}
	a.setRequest(request, state)
	return true, nil
}

// validate examines "if a billing item is eligible for cancellation. It checks if the billing
// item you provided is already in your existing cancellation request." How it says no is
// unproven.
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/validateBillingItemForCancellation/
func (a *Account) validate(q *request) (any, error) {
	id := number(q.argument(0))
	billing, err := a.billingItem(id)
	if err != nil {
		return nil, err
	}
	eligible := number(billing["allowCancellationFlag"]) == 1 && a.activeItem(id) == nil
	if !eligible && a.options.Unproven.ValidateRefuses {
		return nil, exception("SoftLayer_Exception_Public", fmt.Sprintf("Billing item %d cannot be cancelled.", id))
	}
	return eligible, nil
}

// activeItem is the item of an open cancellation request that asks for a billing item, nil if
// there is none.
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item/getActiveCancellationItem/
func (a *Account) activeItem(billing int64) any {
	for _, found := range a.requests(isOpen) {
		for _, item := range itemsOf(found.(tree)) {
			if number(item["billingItemId"]) == billing {
				return item
			}
		}
	}
	return nil
}

// requestsFor are "any cancellation requests that are associated with this billing item".
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item/getCancellationRequests/
func (a *Account) requestsFor(billing int64) any {
	return a.requests(func(request tree) bool {
		return slices.ContainsFunc(itemsOf(request), func(item tree) bool { return number(item["billingItemId"]) == billing })
	})
}

// requestNamed is the cancellation request with an id, nil if there is none.
func (a *Account) requestNamed(id int64) any {
	if t := a.tickets[id-1_000_000]; t != nil && t.request() != nil {
		return t.request()
	}
	return nil
}

// billingItem finds a billing item of the account, one that ended too.
func (a *Account) billingItem(id int64) (tree, error) {
	if !a.key.may(accountSummaryView) {
		return nil, a.denial(id)
	}
	for billing := range a.billingItems() {
		if number(billing["id"]) == id {
			return billing, nil
		}
		for _, name := range []string{"activeAssociatedChildren", "nextInvoiceChildren"} {
			children, _ := billing[name].([]any)
			for _, child := range children {
				if number(child.(tree)["id"]) == id {
					return child.(tree), nil
				}
			}
		}
	}
	return nil, errNotFound(id)
}

// billingItems yields the billing items of all servers, those that ended too, and of what stands
// next to them.
func (a *Account) billingItems() iter.Seq[tree] {
	return func(yield func(tree) bool) {
		for _, id := range a.serverIDs {
			s := a.servers[id]
			billing, ok := s.tree["billingItem"].(tree)
			if !ok {
				billing = s.ended
			}
			if billing != nil && !yield(billing) {
				return
			}
		}
		for _, service := range slices.Concat(a.volumes(), a.subnets(), a.vlans()) {
			if billing, ok := service.(tree)["billingItem"].(tree); ok && !yield(billing) {
				return
			}
		}
	}
}

func (a *Account) getBillingItem(q *request) (any, error) {
	billing, err := a.billingItem(number(q.id))
	if err != nil {
		return nil, err
	}
	return billing, nil
}
