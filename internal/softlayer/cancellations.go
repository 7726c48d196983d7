package softlayer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/reconcile"
)

const (
	allCancellationsMask = "mask[id,createDate,ticketId,status[keyName,name],user[username],items[billingItemId]," +
		"ticket[id,serviceProviderResourceId,attachedHardware[id,fullyQualifiedDomainName]]]"
	cancellationsPage = 100
	// mostCancellations bounds how many are read: SoftLayer is asked 200 times at most.
	mostCancellations = 20_000
	// cancellationRounds is how often the list is read until it is whole: one that is made meanwhile
	// moves the others.
	cancellationRounds = 2
)

// anyCancellation is a SoftLayer_Billing_Item_Cancellation_Request as allCancellationsMask asks for it.
type anyCancellation struct {
	cancellationRow
	ID       int64 `json:"id"`
	TicketID int64 `json:"ticketId"`
	User     *struct {
		Name text `json:"username"`
	} `json:"user"`
	Ticket *struct {
		ID       int64 `json:"id"`
		Number   text  `json:"serviceProviderResourceId"`
		Hardware []struct {
			ID   int64 `json:"id"`
			FQDN text  `json:"fullyQualifiedDomainName"`
		} `json:"attachedHardware"`
	} `json:"ticket"`
}

// Cancellations reads all cancellation requests that the key sees and that were made since then, whoever
// made them; zero means all. before is called before each call. A page that is shorter than asked for is
// no end: it reads on until SoftLayer shows nothing more and as many as it says there are. It stops
// earlier at a page from before since, if all until there came newest first.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/getAllCancellationRequests/
func (c *Client) Cancellations(ctx context.Context, since time.Time, before func(context.Context) error) ([]reconcile.Cancellation, error) {
	const step = "listing the cancellation requests"
	list := cancellationList{since: since, found: map[int64]int{}}
	for range cancellationRounds {
		if err := c.readCancellations(ctx, &list, before); err != nil {
			return nil, fmt.Errorf("%s: %w", step, err)
		}
		if list.whole() {
			return list.all, nil
		}
	}
	return nil, fmt.Errorf("%s: %w: it shows %d of %d", step, ErrAnswerLost, len(list.all), list.total)
}

// cancellationList is what was read of a list that may move while it is read.
type cancellationList struct {
	since time.Time
	all   []reconcile.Cancellation
	found map[int64]int // where one stands in all, by its id
	total int           // as SoftLayer said last; -1 if it did not
	ended bool          // all later ones are from before since
}

func (l *cancellationList) whole() bool { return l.ended || len(l.all) >= l.total }

// readCancellations reads the list once from its beginning.
func (c *Client) readCancellations(ctx context.Context, l *cancellationList, before func(context.Context) error) error {
	newest := time.Time{} // of those that may follow, if the order is newest first
	ordered := true
	for offset := 0; ; {
		rows, total, err := c.cancellationsFrom(ctx, offset, before)
		if err != nil {
			return err
		}
		if l.total = total; len(rows) == 0 {
			return nil
		}
		offset += len(rows)
		over := true // the page lies before since
		for _, row := range rows {
			made := date(row.CreateDate)
			if row.ID <= 0 || made.IsZero() {
				return fmt.Errorf("%w: one has no id or date", ErrAnswerLost)
			}
			ordered = ordered && (newest.IsZero() || !made.After(newest))
			newest, over = made, over && made.Before(l.since)
			l.add(row, made)
		}
		if l.ended = ordered && over && offset > 1; l.ended { // one row shows no order
			return nil
		}
		if offset >= mostCancellations {
			return fmt.Errorf("%w: there are more than %d; ask for later ones only", ErrAnswerLost, mostCancellations)
		}
	}
}

func (c *Client) cancellationsFrom(ctx context.Context, offset int, before func(context.Context) error) (rows []anyCancellation, total int, err error) {
	if err := before(ctx); err != nil {
		return nil, 0, err
	}
	header := http.Header{}
	err = c.get(ctx, call{
		service: "SoftLayer_Billing_Item_Cancellation_Request", method: "getAllCancellationRequests",
		mask: allCancellationsMask, offset: offset, limit: cancellationsPage, header: &header,
	}, &rows)
	if errors.Is(err, ErrNotFound) { // a key without the right may get that
		err = fmt.Errorf("%w: %w", cancellation.ErrReadRefused, err)
	}
	if err != nil {
		return nil, 0, err
	}
	if total, err = strconv.Atoi(header.Get(totalItems)); err != nil {
		total = -1
	}
	return rows, total, nil
}

// add takes a row over, or in place of the same one that was read before.
func (l *cancellationList) add(row anyCancellation, made time.Time) {
	one := row.cancellation(made)
	if at, known := l.found[one.ID]; known {
		l.all[at] = one
		return
	}
	l.found[one.ID] = len(l.all)
	l.all = append(l.all, one)
}

func (r anyCancellation) cancellation(made time.Time) reconcile.Cancellation {
	status := r.Status.KeyName
	if status == "" {
		status = r.Status.Name
	}
	one := reconcile.Cancellation{ID: r.ID, Made: made, Status: string(status), Voided: !r.stands()}
	one.Ticket.ID = r.TicketID
	if r.User != nil {
		one.User = string(r.User.Name)
	}
	for _, item := range r.Items {
		one.Items = append(one.Items, item.BillingItemID)
	}
	if r.Ticket == nil {
		return one
	}
	if one.Ticket.ID == 0 {
		one.Ticket.ID = r.Ticket.ID
	}
	one.Ticket.Number = string(r.Ticket.Number)
	for _, server := range r.Ticket.Hardware {
		one.Servers = append(one.Servers, reconcile.Server{ID: server.ID, Name: string(server.FQDN)})
	}
	return one
}
