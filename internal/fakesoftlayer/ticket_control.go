package fakesoftlayer

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
)

// ticketChange is the body of POST /ticket.
type ticketChange struct {
	Server  int64  `json:"server"`
	Open    bool   `json:"open"`
	Entry   string `json:"entry"`
	ID      int64  `json:"id"`
	Close   bool   `json:"close"`
	Blocks  bool   `json:"blocks"`
	Answer  string `json:"answer"`
	Approve bool   `json:"approve"`
	Hide    *bool  `json:"hide"`
}

// changeTicket is what somebody else or SoftLayer's staff does to a ticket.
func (a *Account) changeTicket(c ticketChange) (json.RawMessage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, err := a.tickets[c.ID], error(nil)
	switch {
	case c.actions() != 1 || c.Blocks && !c.Close || c.Open == (c.ID != 0):
		return nil, errors.New("changing a ticket: give server with open, or id with one of close, answer, approve, hide")
	case c.Open:
		t, err = a.openForeign(c.Server, c.Entry)
	case t == nil:
		return nil, fmt.Errorf("changing a ticket: there is none with the id %d", c.ID)
	case c.Close:
		err = a.closeTicket(t, c.Blocks)
	case c.Answer != "":
		err = a.reply(t, c.Answer)
	case c.Approve:
		err = a.approve(t)
	default:
		t.hidden = *c.Hide
	}
	if err != nil {
		return nil, fmt.Errorf("changing a ticket: %w", err)
	}
	return encode(a.bookEntry(t)), nil
}

// actions counts what a change asks for.
func (c ticketChange) actions() int {
	count := 0
	for _, asked := range []bool{c.Open, c.Close, c.Answer != "", c.Approve, c.Hide != nil} {
		if asked {
			count++
		}
	}
	return count
}

func (a *Account) openForeign(id int64, entry string) (*ticket, error) {
	s := a.servers[id]
	if s == nil {
		return nil, fmt.Errorf("there is no server with the id %d", id)
	}
	if standing := a.blocking(s); standing != 0 {
		return nil, errDuplicate(standing)
	}
	return a.writeCancellation(s, entry, false)
}

func (a *Account) closeTicket(t *ticket, blocks bool) error {
	if err := a.close(t); err != nil {
		return err
	}
	if s := a.servers[t.server]; blocks && s != nil {
		s.blockedBy = number(t.tree["id"])
	}
	return nil
}

// allTickets returns every ticket, also those that the key may not see.
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
