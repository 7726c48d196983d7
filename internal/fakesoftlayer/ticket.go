package fakesoftlayer

import (
	"errors"
	"fmt"
	"time"
)

// Ids and names of ticket states seen in recorded data.
const (
	statusOpen   = 1001
	statusClosed = 1002
)

// Bounds of the records: what does not fit is refused with SoftLayer's "Internal Error".
const (
	maxTickets = 50_000
	maxUpdates = 1_000
)

// ticket is one SoftLayer_Ticket and what else the account knows about it.
type ticket struct {
	tree   tree
	server int64
	// cancels tells a cancel-server ticket from any other.
	cancels bool
	// own is a ticket that this key filed: it needs no TICKET_VIEW_ALL.
	own bool
	// hidden is a ticket that this key cannot see for no reason it is told.
	hidden bool
	// closed is when it was closed; zero while it is open.
	closed time.Time
	// declined is a ticket that staff closed without approving its cancellation.
	declined bool
}

// newTicket describes a ticket to be recorded.
type newTicket struct {
	server  int64
	subject string
	title   string
	entry   string
	by      tree // the user of the account who opens it
	own     bool
	cancels bool
	age     time.Duration
}

// write records a ticket and gives it its number.
func (a *Account) write(n newTicket) (*ticket, error) {
	if len(a.tickets) >= maxTickets {
		return nil, errInternal()
	}
	a.lastTicket += 1 + int64(a.random.IntN(97))
	id, at := a.lastTicket, date(a.now().Add(-n.age))
	number := fmt.Sprint(id)
	if a.random.IntN(2) == 0 {
		number = fmt.Sprintf("CS%07d", 1_000_000+a.random.IntN(9_000_000))
	}
	t := &ticket{server: n.server, own: n.own, cancels: n.cancels}
	t.tree = tree{
		"id": id, "accountId": int64(accountID), "assignedUserId": n.by["id"], "title": n.title,
		"createDate": at, "lastEditDate": at, "modifyDate": at, "lastEditType": byUser,
		"assignedUser": n.by, "groupId": int64(1), "priority": int64(0), "userEditableFlag": true,
		"subjectId": int64(1021), "subject": tree{"id": int64(1021), "name": n.subject},
		"serviceProviderId": int64(1), "serviceProviderResourceId": number,
		"updates": []any{}, "awaitingUserResponseFlag": false,
	}
	t.setStatus(statusOpen, "Open")
	a.tickets[id] = t
	if s := a.servers[n.server]; s != nil {
		s.tickets = append(s.tickets, t)
	}
	a.ticketIDs = append(a.ticketIDs, id)
	_, err := a.addUpdates(t, n.entry, customer(n.by), at)
	return t, err
}

// writeCancellation writes a cancel-server ticket with its cancellation request. A cancellation
// of associated items asks for these too.
func (a *Account) writeCancellation(s *server, entry string, by tree, associated bool) (*ticket, error) {
	t, err := a.write(newTicket{
		server: number(s.tree["id"]), subject: "Server Cancellation", by: by, own: isKeysUser(by), cancels: true,
		title: fmt.Sprintf("Server Cancellation Request: %v", s.tree["fullyQualifiedDomainName"]),
		entry: entry,
	})
	if err != nil {
		return nil, err
	}
	t.tree["cancellationRequest"] = a.newRequest(s, t, associated)
	return t, nil
}

// close ends a ticket; the server may then have another. Nobody's answer is waited for
// any more.
func (a *Account) close(t *ticket, by string) error {
	if !t.closed.IsZero() {
		return errors.New("the ticket is closed already")
	}
	t.closed = a.now()
	t.setStatus(statusClosed, "Closed")
	t.tree["userEditableFlag"] = a.options.Unproven.UpdateReopens
	t.tree["awaitingUserResponseFlag"] = false
	t.edited(by, date(t.closed))
	return nil
}

// reopen opens a closed ticket: "A SoftLayer employee can change a ticket's status from
// Closed to Open or Assigned if the need arises."
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Ticket_Status/
func (a *Account) reopen(t *ticket, by string) error {
	if t.closed.IsZero() {
		return errors.New("the ticket is open already")
	}
	t.closed = time.Time{}
	if t.declined {
		t.declined = false
		a.setRequest(t.request(), requestPending)
	}
	t.setStatus(statusOpen, "Open")
	t.tree["userEditableFlag"] = true
	t.edited(by, date(a.now()))
	return nil
}

// edited notes who changed a ticket last.
func (t *ticket) edited(by, at string) {
	t.tree["lastEditDate"], t.tree["modifyDate"], t.tree["lastEditType"] = at, at, by
}

func (t *ticket) setStatus(id int64, name string) {
	t.tree["statusId"], t.tree["status"] = id, tree{"id": id, "name": name}
}

func (t *ticket) updates() []any {
	updates, _ := t.tree["updates"].([]any)
	return updates
}

// visible tells whether the key may see a ticket.
func (a *Account) visible(t *ticket) bool {
	return t != nil && !t.hidden && a.key.may(ticketView) && (t.own || a.key.may(ticketViewAll))
}

// ticketNamed is the ticket with an id, nil if the key cannot see it.
func (a *Account) ticketNamed(id int64) any {
	if t := a.tickets[id]; a.visible(t) {
		return t.tree
	}
	return nil
}

// ticketsThat are the visible tickets that a condition picks, oldest first.
func (a *Account) ticketsThat(picked func(*ticket) bool) []any {
	list := []any{}
	for _, id := range a.ticketIDs {
		if t := a.tickets[id]; a.visible(t) && picked(t) {
			list = append(list, t.tree)
		}
	}
	return list
}

func (a *Account) activeTickets(server int64) []any {
	return a.ticketsThat(func(t *ticket) bool { return t.server == server && t.closed.IsZero() })
}

// openCancellation is a server's open cancellation ticket, nil if there is
// none that the key may see.
func (a *Account) openCancellation(server int64) any {
	list := a.ticketsThat(func(t *ticket) bool {
		return t.server == server && t.cancels && t.closed.IsZero()
	})
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// attachedHardware is the server of a ticket, if the key may see it.
func (a *Account) attachedHardware(ticket int64) []any {
	t := a.tickets[ticket]
	if t == nil || a.servers[t.server] == nil || !a.key.sees(t.server) {
		return []any{}
	}
	return []any{a.servers[t.server].tree}
}

// updateAt is a ticket's first (0) or last (-1) update, nil if there is none.
func updateAt(object tree, at int) any {
	updates, _ := object["updates"].([]any)
	if len(updates) == 0 {
		return nil
	}
	if at < 0 {
		at += len(updates)
	}
	return updates[at]
}
