package fakesoftlayer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// methods are all methods of the imitated API, by the vendor's name. The
// package's doc says of each how faithful it is.
// https://sldn.softlayer.com/reference/services/
func methods() map[string]method {
	all := map[string]method{
		"SoftLayer_Ticket/createCancelServerTicket": {returns: ticketType, run: (*Account).createCancelServerTicket},
		"SoftLayer_Ticket/getObject":                {returns: ticketType, run: (*Account).getTicket},
		"SoftLayer_Ticket/getUpdates":               ticketRelation("updates", updateType),
		"SoftLayer_Ticket/getLastUpdate":            ticketRelation("lastUpdate", updateType),
		"SoftLayer_Ticket/getAttachedHardware":      ticketRelation("attachedHardware", hardwareType),

		"SoftLayer_Ticket/addUpdate":                   {returns: updateType, run: (*Account).addTicketUpdate},
		"SoftLayer_Ticket/getAwaitingUserResponseFlag": {run: (*Account).getAwaitingUserResponseFlag},
		"SoftLayer_Ticket/getTicketsClosedSinceDate":   {returns: ticketType, run: (*Account).closedSince},

		"SoftLayer_Hardware_Server/getObject":                 {returns: serverType, run: (*Account).getServer},
		"SoftLayer_Hardware_Server/getOpenCancellationTicket": serverRelation("openCancellationTicket", ticketType, false),
		"SoftLayer_Hardware_Server/getActiveTickets":          serverRelation("activeTickets", ticketType, true),
		"SoftLayer_Hardware_Server/getBillingItem":            serverRelation("billingItem", billingType, false),

		"SoftLayer_Account/getObject": {returns: accountType, run: (*Account).getAccount},
		podType + "/getAllObjects": {
			returns: podType, root: unrooted,
			run: func(a *Account, _ *request) (any, error) { return a.pods(), nil },
		},
		"SoftLayer_Account/getCurrentUser": {returns: userType, run: (*Account).getCurrentUser},
		"SoftLayer_Account/getHardware": {
			returns: hardwareType, root: "hardware",
			run: func(a *Account, _ *request) (any, error) { return a.visibleServers(), nil },
		},
		"SoftLayer_Account/getVirtualGuests": {returns: guestType, root: "virtualGuests", run: (*Account).getVirtualGuests},
		"SoftLayer_Virtual_Guest/getObject":  {returns: guestType, run: (*Account).getGuest},

		"SoftLayer_Tag/getAttachedTagsForCurrentUser": {returns: tagType, run: (*Account).getAttachedTags},
		"SoftLayer_Tag/getReferences":                 {returns: tagReferenceType, root: "references", run: (*Account).getTagReferences},

		"SoftLayer_Account/getTickets": accountTickets("tickets", func(*Account, *ticket) bool { return true }),
		"SoftLayer_Account/getOpenTickets": accountTickets("openTickets",
			func(_ *Account, t *ticket) bool { return t.closed.IsZero() }),
		"SoftLayer_Account/getClosedTickets": accountTickets("closedTickets",
			func(_ *Account, t *ticket) bool { return !t.closed.IsZero() }),
		"SoftLayer_Account/getTicketsClosedInTheLastThreeDays": {
			returns: ticketType, root: "ticketsClosedInTheLastThreeDays", run: (*Account).recentlyClosed,
		},

		"SoftLayer_Account/getOpenTicketsWaitingOnCustomer": accountTickets("openTicketsWaitingOnCustomer", waitsOnCustomer),

		"SoftLayer_User_Customer/getPermissions":                                {returns: grantType, root: "permissions", run: (*Account).getPermissions},
		"SoftLayer_Billing_Item_Cancellation_Request/getCancellationCutoffDate": {run: (*Account).getCutoff},
		"SoftLayer_Search/advancedSearch": {
			returns: searchType, mask: "mask[relevanceScore,resourceType,resource]", run: (*Account).advancedSearch,
		},
	}
	maps.Copy(all, cancellationMethods())
	maps.Copy(all, serviceMethods())
	return all
}

// Methods lists the methods that the account serves, by the vendor's name, such
// as "SoftLayer_Ticket/getObject": what Fault can be armed for.
func (a *Account) Methods() []string { return slices.Sorted(maps.Keys(a.methods)) }

// hasService tells whether any method of a service is known.
func (a *Account) hasService(service string) bool {
	for name := range a.methods {
		if strings.HasPrefix(name, service+"/") {
			return true
		}
	}
	return false
}

// ticketRelation is a getter of something that hangs on a ticket.
func ticketRelation(name, returns string) method {
	return method{returns: returns, root: name, run: func(a *Account, q *request) (any, error) {
		object, err := a.getTicket(q)
		if err != nil {
			return nil, err
		}
		rel, _ := relationOf(ticketType, name)
		return a.follow(rel, object.(tree), name), nil
	}}
}

// getter is the method that gets one relation of the object that find gets. A key without the
// relation's right is refused.
func getter(typ string, find func(*Account, *request) (any, error), name string) method {
	rel, _ := relationOf(typ, name)
	m := method{returns: rel.to, run: func(a *Account, q *request) (any, error) {
		object, err := find(a, q)
		if err != nil {
			return nil, err
		}
		if rel.right != "" && !a.key.may(rel.right) {
			return a.deniedRelation(q.id, rel)
		}
		return a.follow(rel, object.(tree), name), nil
	}}
	if rel.many {
		m.root = name
	}
	return m
}

// serverRelation is a getter of something that hangs on a server. Where there
// is nothing, or the key may not see it, the answer is null.
func serverRelation(name, returns string, many bool) method {
	m := method{returns: returns, run: func(a *Account, q *request) (any, error) {
		object, err := a.getServer(q)
		if err != nil {
			return nil, err
		}
		rel, _ := relationOf(serverType, name)
		return a.follow(rel, object.(tree), name), nil
	}}
	if many {
		m.root = name
	}
	return m
}

func accountTickets(root string, picked func(*Account, *ticket) bool) method {
	return method{returns: ticketType, root: root, run: func(a *Account, _ *request) (any, error) {
		return a.ticketsThat(func(t *ticket) bool { return picked(a, t) }), nil
	}}
}

// recentlyClosed are the tickets closed within 72 hours, ten at most: "or last
// 10 tickets, whichever is less".
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getTicketsClosedInTheLastThreeDays/
func (a *Account) recentlyClosed(*request) (any, error) {
	since := a.now().Add(-72 * time.Hour)
	list := a.ticketsThat(func(t *ticket) bool { return t.closed.After(since) })
	return list[max(0, len(list)-10):], nil
}

func (a *Account) getTicket(q *request) (any, error) {
	if t := a.tickets[number(q.id)]; a.visible(t) {
		return t.tree, nil
	}
	return nil, errNotFound(q.id)
}

func (a *Account) getServer(q *request) (any, error) {
	s, err := a.visibleServer(number(q.id))
	if err != nil {
		return nil, err
	}
	return s.tree, nil
}

func (a *Account) getAccount(q *request) (any, error) {
	if q.id != "" && number(q.id) != accountID {
		return nil, errNotFound(q.id)
	}
	return tree{
		"id": int64(accountID), "companyName": "Example Hosting (fake)",
		"email": "fake@example.com", "country": "US",
	}, nil
}

func (a *Account) getCurrentUser(*request) (any, error) { return a.key.user(), nil }

// getPermissions gives one's own permissions; another user's are not visible.
func (a *Account) getPermissions(q *request) (any, error) {
	if number(q.id) != userID {
		return nil, errNotFound(q.id)
	}
	return a.key.grants(), nil
}

// getCutoff is until when a cancellation takes effect on the next bill date. "If the
// current time falls into the cut off date, this will return next earliest
// cancellation cut off date."
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/getCancellationCutoffDate/
func (a *Account) getCutoff(q *request) (any, error) {
	if q.argument(0) != fmt.Sprint(accountID) {
		return nil, errNotFound(q.argument(0))
	}
	if q.argument(1) != "server" {
		return nil, exception("SoftLayer_Exception_InvalidValue", fmt.Sprintf("Invalid category code %q.", q.argument(1)))
	}
	return date(a.cutoff()), nil
}
