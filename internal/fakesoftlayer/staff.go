package fakesoftlayer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// ticketChange is the body of POST /ticket.
type ticketChange struct {
	Server  int64  `json:"server"`
	Open    bool   `json:"open"`
	Entry   string `json:"entry"`
	User    string `json:"user"`
	ID      int64  `json:"id"`
	Close   bool   `json:"close"`
	Blocks  bool   `json:"blocks"`
	Answer  string `json:"answer"`
	Approve bool   `json:"approve"`
	Reopen  bool   `json:"reopen"`
	Auto    string `json:"auto"`
	Hide    *bool  `json:"hide"`
}

// otherUser is the user of the account who cancels elsewhere, where none is named.
const otherUser = "console"

// aFirstName is what a user of the account may be called.
var aFirstName = regexp.MustCompile(`^[A-Za-z]{0,30}$`)

// changeTicket is what somebody else or SoftLayer's staff does to a ticket.
func (a *Account) changeTicket(c ticketChange) (json.RawMessage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, err := a.tickets[c.ID], error(nil)
	switch {
	case c.actions() != 1 || c.Blocks && !c.Close || c.Open == (c.ID != 0) || c.User != "" && !c.Open:
		return nil, errors.New("changing a ticket: give server with open, or id with one of close, answer, approve, reopen, auto, hide")
	case c.Open:
		t, err = a.openForeign(c)
	case t == nil:
		return nil, fmt.Errorf("changing a ticket: there is none with the id %d", c.ID)
	default:
		err = a.act(t, c)
	}
	if err != nil {
		return nil, fmt.Errorf("changing a ticket: %w", err)
	}
	return encode(a.bookEntry(t)), nil
}

// act does the one thing that a change of a ticket that there is asks for.
func (a *Account) act(t *ticket, c ticketChange) error {
	switch {
	case c.Close:
		return a.closeTicket(t, c.Blocks)
	case c.Answer != "":
		return a.answerTicket(t, c.Answer, false)
	case c.Approve:
		return a.approve(t)
	case c.Reopen:
		return a.reopen(t, byEmployee)
	case c.Auto != "":
		_, err := a.addUpdates(t, c.Auto, editor{kind: bySystem}, date(a.now()))
		return err
	}
	t.hidden = *c.Hide
	return nil
}

// staffOrder is the body of POST /staff: what SoftLayer's staff do, in one go.
type staffOrder struct {
	Ticket int64  `json:"ticket"`
	Do     string `json:"do"`
	Text   string `json:"text"`
	Waits  bool   `json:"waits_for_customer"`
}

// staff does what a member of SoftLayer's staff does to a ticket, and writes the text into
// it first. Nothing is written if the rest cannot be done.
func (a *Account) staff(o staffOrder) (json.RawMessage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.tickets[o.Ticket]
	if t == nil {
		return nil, fmt.Errorf("acting as staff: there is no ticket with the id %d", o.Ticket)
	}
	err := o.check(t)
	if err == nil && o.Do == "reopen" {
		err = a.reopen(t, byEmployee)
	}
	if err == nil && o.Text != "" {
		err = a.answerTicket(t, o.Text, o.Waits)
	}
	switch {
	case err != nil:
	case o.Do == "close":
		err = a.closeTicket(t, false)
	case o.Do == "approve":
		err = a.approve(t)
	}
	if err != nil {
		return nil, fmt.Errorf("acting as staff: %w", err)
	}
	return encode(a.bookEntry(t)), nil
}

func (o staffOrder) check(t *ticket) error {
	open := t.closed.IsZero()
	switch {
	case !slices.Contains([]string{"answer", "close", "approve", "reopen"}, o.Do):
		return fmt.Errorf("do is %q, not answer, close, approve or reopen", o.Do)
	case o.Do == "answer" && o.Text == "":
		return errors.New("an answer needs a text")
	case o.Waits && (o.Do != "answer" && o.Do != "reopen" || o.Text == ""):
		return errors.New("only an answer, or a text at a reopening, can wait for the customer")
	case open && o.Do == "reopen":
		return errors.New("the ticket is open already")
	case !open && o.Do != "reopen":
		return errors.New("the ticket is closed: reopen it first")
	case o.Do == "approve" && !t.approvable():
		return errors.New("only an open cancellation ticket can be approved")
	}
	return nil
}

// actions counts what a change asks for.
func (c ticketChange) actions() int {
	count := 0
	for _, asked := range []bool{c.Open, c.Close, c.Answer != "", c.Approve, c.Reopen, c.Auto != "", c.Hide != nil} {
		if asked {
			count++
		}
	}
	return count
}

// openForeign opens a cancellation ticket as another user of the account.
func (a *Account) openForeign(c ticketChange) (*ticket, error) {
	s := a.servers[c.Server]
	if s == nil {
		return nil, fmt.Errorf("there is no server with the id %d", c.Server)
	}
	if !aFirstName.MatchString(c.User) {
		return nil, errors.New("a user is named by up to 30 letters")
	}
	if standing := a.blocking(s); standing != 0 {
		return nil, errDuplicate(standing)
	}
	return a.writeCancellation(s, c.Entry, person(cmp.Or(c.User, otherUser)), false)
}

// closeTicket is staff who close a ticket. A cancellation that they have not approved is
// voided: "updated to Approved or Voided by SoftLayer Sales".
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Billing_Item_Cancellation_Request/
func (a *Account) closeTicket(t *ticket, blocks bool) error {
	if err := a.close(t, byEmployee); err != nil {
		return err
	}
	if request := t.request(); request["statusId"] == requestPending.id {
		t.declined = true
		a.setRequest(request, requestVoided)
	}
	if s := a.servers[t.server]; blocks && s != nil {
		s.blockedBy = number(t.tree["id"])
	}
	return nil
}

// allTickets are SoftLayer's records, whatever the key may see.
func (a *Account) allTickets() json.RawMessage {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := []tree{}
	for _, id := range a.ticketIDs {
		list = append(list, a.bookEntry(a.tickets[id]))
	}
	return encode(list)
}

// bookEntry is a ticket with its relations.
func (a *Account) bookEntry(t *ticket) tree {
	whole := maps.Clone(t.tree)
	whole["attachedHardware"] = []tree{{"id": t.server}}
	whole["firstUpdate"] = updateAt(t.tree, 0)
	return whole
}

func (a *Account) allServers(query string) json.RawMessage {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := []tree{}
	for _, s := range a.found(query) {
		list = append(list, a.whole(s))
	}
	return encode(list)
}

// whole is a server with its open cancellation ticket.
func (a *Account) whole(s *server) tree {
	whole := maps.Clone(s.tree)
	_, patched := whole["openCancellationTicket"]
	if t := a.standing(number(s.tree["id"])); t != nil && !patched {
		whole["openCancellationTicket"] = t.tree
	}
	return whole
}
