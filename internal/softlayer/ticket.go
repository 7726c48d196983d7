package softlayer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"cancel-server/internal/cancellation"
)

// statusClosed is the id of a closed ticket's status; every other one is open.
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Ticket_Status/
const statusClosed = 1002

const ticketMask = "mask[id,serviceProviderResourceId,createDate,lastEditDate,statusId,status[name]," +
	"attachedHardware[id],firstUpdate[entry]]"

// Ticket reads one ticket with its first update and the servers attached.
//
// cancellation.ErrTicketHidden: there is none, or the key may not see it.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/getObject/
func (c *Client) Ticket(ctx context.Context, id int64) (cancellation.Ticket, error) {
	var row ticketRow
	err := c.get(ctx, call{service: "SoftLayer_Ticket", id: id, method: "getObject", mask: ticketMask}, &row)
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, cancellation.ErrReadRefused):
		return cancellation.Ticket{}, fmt.Errorf("reading ticket %d: %w: %w", id, cancellation.ErrTicketHidden, err)
	case err != nil:
		return cancellation.Ticket{}, fmt.Errorf("reading ticket %d: %w", id, err)
	case row.ID != id:
		return cancellation.Ticket{}, fmt.Errorf("reading ticket %d: %w: it is about ticket %d", id, ErrAnswerLost, row.ID)
	}
	return row.ticket()
}

// Bounds of one list of tickets. Pages are small because first updates are long, and
// SoftLayer fails on many rows (https://github.com/softlayer/softlayer-python/issues/943).
const (
	pageRows = 10
	maxPages = 5
)

// clockSkew is how far SoftLayer's clock may be behind the caller's.
const clockSkew = 5 * time.Minute

// TicketsOf reads the tickets attached to a server: all that are open, and the closed
// ones made or edited since. A ticket that does not say what it is attached to is
// among them, with ServersRead false. It returns all of them or an error: one that is
// missing here is taken as proof. Newest first.
//
// cancellation.ErrTooManyTickets: there are more than are read.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Hardware_Server/getActiveTickets/
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getTickets/
func (c *Client) TicketsOf(ctx context.Context, server int64, since time.Time) ([]cancellation.Ticket, error) {
	since = since.Add(-clockSkew)
	rows, err := c.activeTickets(ctx, server)
	if err != nil {
		return nil, fmt.Errorf("reading the active tickets of server %d: %w", server, err)
	}
	recent, err := c.recentTickets(ctx, server, since)
	if err != nil {
		return nil, fmt.Errorf("reading the recent tickets of server %d: %w", server, err)
	}
	tickets := map[int64]cancellation.Ticket{}
	for _, row := range append(rows, recent...) {
		t, err := row.ticket()
		if err != nil {
			return nil, fmt.Errorf("reading the tickets of server %d: %w", server, err)
		}
		if row.mayBeAbout(server) && (t.Open || !row.untouchedSince(since)) {
			tickets[t.ID] = t
		}
	}
	return slices.SortedFunc(maps.Values(tickets), func(x, y cancellation.Ticket) int {
		return cmp.Compare(y.ID, x.ID)
	}), nil
}

func (c *Client) activeTickets(ctx context.Context, server int64) ([]ticketRow, error) {
	rows, err := c.ticketPages(ctx, call{
		service: "SoftLayer_Hardware_Server", id: server, method: "getActiveTickets",
		filter: tree{"activeTickets": tree{"id": descending()}},
	}, func([]ticketRow) bool { return false })
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", cancellation.ErrServerNotFound, err)
	}
	return rows, err
}

// recentTickets reads the account's tickets for the server, back to the first that was made before
// since. No ticket leaves this list, whereas a ticket that closes between two pages of the active
// ones can hide another one there.
func (c *Client) recentTickets(ctx context.Context, server int64, since time.Time) ([]ticketRow, error) {
	return c.ticketPages(ctx, call{
		service: "SoftLayer_Account", method: "getTickets",
		filter: tree{"tickets": tree{
			"attachedHardware": tree{"id": where(server)},
			"id":               descending(),
		}},
	}, func(rows []ticketRow) bool {
		oldest := rows[len(rows)-1].createdAt()
		return !oldest.IsZero() && oldest.Before(since)
	})
}

// ticketPages reads a list newest first, to its end or until it has enough. The order of the rows
// proves that no row was missed. The filter cannot, since SoftLayer may have ignored it. If the
// rows are in no order, only a single page is complete. An answer that says itself that there are more
// rows is no end.
func (c *Client) ticketPages(ctx context.Context, k call, enough func([]ticketRow) bool) ([]ticketRow, error) {
	header := http.Header{}
	k.mask, k.limit, k.header = ticketMask, pageRows, &header
	var all []ticketRow
	for range maxPages {
		var rows []ticketRow
		k.offset = len(all)
		if err := c.get(ctx, k, &rows); err != nil {
			return nil, err
		}
		all = append(all, rows...)
		last := len(rows) < pageRows
		if total, err := strconv.Atoi(header.Get(totalItems)); last && err == nil && total > len(all) {
			return nil, c.cleaned(unusable(http.StatusOK, fmt.Sprintf("%d tickets of %d", len(all), total)), k)
		}
		if last && k.offset == 0 {
			return all, nil
		}
		if !newestFirst(all) {
			return nil, fmt.Errorf("%d or more, in no order: %w", len(all), cancellation.ErrTooManyTickets)
		}
		if last || enough(all) {
			return all, nil
		}
	}
	return nil, fmt.Errorf("more than %d: %w", maxPages*pageRows, cancellation.ErrTooManyTickets)
}

func newestFirst(rows []ticketRow) bool {
	return slices.IsSortedFunc(rows, func(x, y ticketRow) int { return cmp.Compare(y.ID, x.ID) })
}
