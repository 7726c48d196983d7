package softlayer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
)

const (
	livesMask = "mask[id,statusId,status[name],awaitingUserResponseFlag,lastUpdate[id,createDate,editorType]," +
		"cancellationRequest[id,status[keyName,name],items[billingItemId,scheduledCancellationDate]]]"
	updatesMask = "mask[id,createDate,editorType]"
	entriesMask = "mask[id,createDate,editorType,entry]"
)

// The editor types of updates by SoftLayer's staff and by its programs.
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Ticket_Update/
const (
	byStaff   = "EMPLOYEE"
	byProgram = "AUTO"
)

// Listed reads which of many servers SoftLayer lists, in one call. That one is missing proves nothing.
// Billing items are left out: SoftLayer fails on many rows of them
// (https://github.com/softlayer/softlayer-python/issues/943).
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getHardware/
func (c *Client) Listed(ctx context.Context, servers []int64) (map[int64]bool, error) {
	var rows []hardware
	err := c.get(ctx, call{
		service: "SoftLayer_Account", method: "getHardware", mask: "mask[id]", limit: len(servers),
		filter: tree{"hardware": tree{"id": among(servers)}},
	}, &rows)
	if err != nil {
		return nil, fmt.Errorf("listing %d servers: %w", len(servers), err)
	}
	found := make(map[int64]bool, len(rows))
	for _, row := range rows {
		if !slices.Contains(servers, row.ID) { // SoftLayer ignored the filter: nothing in the answer was asked for
			return nil, fmt.Errorf("listing %d servers: %w: server %d was not asked for", len(servers), ErrAnswerLost, row.ID)
		}
		found[row.ID] = true
	}
	return found, nil
}

// lifeRow is a SoftLayer_Ticket as livesMask asks for it.
type lifeRow struct {
	ID         int64      `json:"id"`
	StatusID   int64      `json:"statusId"`
	Status     onlyName   `json:"status"`
	LastUpdate *updateRow `json:"lastUpdate"`
	Awaits     *bool      `json:"awaitingUserResponseFlag"`

	Cancellation *cancellationRow `json:"cancellationRequest"`
}

// updateRow is a SoftLayer_Ticket_Update as updatesMask and entriesMask ask for it.
type updateRow struct {
	ID         int64 `json:"id"`
	CreateDate text  `json:"createDate"`
	EditorType text  `json:"editorType"`
	Entry      text  `json:"entry"`
}

// author says who wrote an update. One of no type shows nobody.
func (r updateRow) author() cancellation.TicketUpdate {
	return cancellation.TicketUpdate{
		ID: r.ID, ByStaff: r.EditorType == byStaff,
		ByOther: r.EditorType != "" && r.EditorType != byStaff && r.EditorType != byProgram,
	}
}

// Lives reads how far many tickets have come, in one call. It holds only tickets that were asked for;
// that one is missing proves nothing.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getTickets/
func (c *Client) Lives(ctx context.Context, tickets []int64) (map[int64]cancellation.TicketLife, error) {
	var rows []lifeRow
	err := c.get(ctx, call{
		service: "SoftLayer_Account", method: "getTickets", mask: livesMask, limit: len(tickets),
		filter: tree{"tickets": tree{"id": among(tickets)}},
	}, &rows)
	if err != nil {
		return nil, fmt.Errorf("listing %d tickets: %w", len(tickets), err)
	}
	found := make(map[int64]cancellation.TicketLife, len(rows))
	for _, row := range rows {
		if !slices.Contains(tickets, row.ID) {
			return nil, fmt.Errorf("listing %d tickets: %w: ticket %d was not asked for", len(tickets), ErrAnswerLost, row.ID)
		}
		if row.StatusID != 0 || row.Status.Name != "" { // else it says nothing
			found[row.ID] = row.life()
		}
	}
	return found, nil
}

func (r lifeRow) life() cancellation.TicketLife {
	life := cancellation.TicketLife{ID: r.ID, Open: r.StatusID != statusClosed && r.Status.Name != "Closed", Awaits: r.Awaits}
	if last := r.LastUpdate; last != nil {
		by := last.author()
		life.Last, life.ByStaff, life.ByOther, life.LastAt = last.ID, by.ByStaff, by.ByOther, date(last.CreateDate)
	}
	if request := r.Cancellation; request != nil && request.is("PENDING", "APPROVED") {
		life.Cancels = map[int64]string{}
		for _, item := range request.Items {
			life.Cancels[item.BillingItemID] = string(item.Scheduled)
		}
	}
	return life
}

// Updates reads who wrote the updates of a ticket, and not what they wrote.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/getUpdates/
func (c *Client) Updates(ctx context.Context, ticket int64) ([]cancellation.TicketUpdate, error) {
	rows, err := c.updates(ctx, ticket, updatesMask)
	if err != nil {
		return nil, err
	}
	updates := make([]cancellation.TicketUpdate, len(rows))
	for i, row := range rows {
		updates[i] = row.author()
	}
	return updates, nil
}

// Entries reads the updates of a ticket with what they say, the oldest first.
func (c *Client) Entries(ctx context.Context, ticket int64) ([]cancellation.TicketEntry, error) {
	rows, err := c.updates(ctx, ticket, entriesMask)
	if err != nil {
		return nil, err
	}
	entries := make([]cancellation.TicketEntry, len(rows))
	for i, row := range rows {
		entries[i] = cancellation.TicketEntry{
			TicketUpdate: row.author(), At: date(row.CreateDate), Text: string(row.Entry),
		}
	}
	slices.SortStableFunc(entries, func(a, b cancellation.TicketEntry) int { return cmp.Compare(a.ID, b.ID) })
	return entries, nil
}

func (c *Client) updates(ctx context.Context, ticket int64, mask string) (rows []updateRow, err error) {
	err = c.get(ctx, call{service: "SoftLayer_Ticket", id: ticket, method: "getUpdates", mask: mask}, &rows)
	if err != nil {
		return nil, fmt.Errorf("reading the updates of ticket %d: %w", ticket, err)
	}
	return rows, nil
}

// maxCancellations is how many cancellation requests are read: it answers with 25 unless it is sent a
// limit (https://github.com/softlayer/softlayer-python/blob/master/SoftLayer/managers/ordering.py).
const maxCancellations = 500

const cancellationsMask = "mask[id,createDate,status[keyName,name],items[billingItemId]]"

// Cancelled reads which billing items the standing cancellation requests made since then name. It
// returns an error unless it read all of those. That there is none at all is
// cancellation.ErrReadRefused: this account had one cancelled.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/getAllCancellationRequests/
func (c *Client) Cancelled(ctx context.Context, since time.Time) (map[int64]bool, error) {
	var rows []cancellationRow
	err := c.get(ctx, call{
		service: "SoftLayer_Billing_Item_Cancellation_Request", method: "getAllCancellationRequests",
		mask: cancellationsMask, limit: maxCancellations,
	}, &rows)
	if errors.Is(err, ErrNotFound) || err == nil && len(rows) == 0 { // a key without the right may get either
		err = fmt.Errorf("%w: none is shown", cancellation.ErrReadRefused)
	}
	if err != nil {
		return nil, fmt.Errorf("listing the cancellation requests: %w", err)
	}
	named, whole := map[int64]bool{}, len(rows) < maxCancellations
	for _, row := range rows {
		made := date(row.CreateDate)
		whole = whole || !made.IsZero() && made.Before(since)
		for _, item := range row.Items {
			named[item.BillingItemID] = named[item.BillingItemID] || row.stands()
		}
	}
	if !whole {
		return nil, fmt.Errorf("listing the cancellation requests: %w: more than %d since %s", ErrAnswerLost, len(rows), since.UTC().Format(time.DateOnly))
	}
	return named, nil
}

// cancellationRow is a SoftLayer_Billing_Item_Cancellation_Request as cancellationsMask asks for it.
type cancellationRow struct {
	CreateDate text `json:"createDate"`
	Status     struct {
		KeyName text `json:"keyName"`
		Name    text `json:"name"`
	} `json:"status"`
	Items []struct {
		BillingItemID int64 `json:"billingItemId"`
		Scheduled     text  `json:"scheduledCancellationDate"`
	} `json:"items"`
}

// stands reports whether a cancellation request was not voided or denied. One of an unknown status
// stands: it may be why the server goes.
func (r cancellationRow) stands() bool { return !r.is("VOID", "VOIDED", "DENIED") }

// is reports whether the cancellation request is in one of these states.
func (r cancellationRow) is(states ...string) bool {
	return slices.ContainsFunc(states, func(state string) bool {
		return strings.EqualFold(string(r.Status.KeyName), state) || strings.EqualFold(string(r.Status.Name), state)
	})
}

// among is a filter on one property: any of these.
func among(ids []int64) tree {
	return tree{"operation": "in", "options": []tree{{"name": "data", "value": ids}}}
}
