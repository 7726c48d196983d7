package cancellation

import (
	"slices"
	"time"

	"cancel-server/internal/billed"
)

// MaxCardAge is how old a card may be when it is submitted.
const MaxCardAge = 15 * time.Minute

// Account is the SoftLayer account that the key belongs to.
type Account struct {
	ID   string // digits
	Name string
}

// Rights are the rights of the API key that matter here.
type Rights struct {
	Cancel      bool // SERVER_CANCEL
	AddTickets  bool // TICKET_ADD
	EditTickets bool // TICKET_EDIT: without it nothing is written into a ticket that there is
	ViewTickets bool // TICKET_VIEW: without it an absent ticket proves nothing
	AllHardware bool // HARDWARE_VIEW, with ACCESS_ALL_HARDWARE or hasFullHardwareAccessFlag
	Billing     bool // ACCOUNT_SUMMARY_VIEW: without it an absent billing item proves nothing
	Storage     bool // NAS_MANAGE: without it an absent volume proves nothing
}

// Card is what a person reads before asking: the server as it was at ReadAt, and
// what goes with it. Its JSON form travels in the modal's private_metadata.
type Card struct {
	Server          Server
	Account         Account
	ReadAt          time.Time
	Cutoff          string `json:",omitempty"` // RFC 3339 as given; "" if it could not be read
	ShortNameUnique bool   `json:",omitempty"` // no other server has this host name; false if unknown
	TicketsHidden   bool   `json:",omitempty"` // the key may not see tickets, or that is unknown: that it shows no open one proves nothing
	Standing        *Standing
	Stays           *billed.Stays `json:",omitempty"` // what stays billed when the server is gone; nil: not read yet
}

// Standing is this installation's live request for the same server.
type Standing struct {
	RequestID string
	Version   int64
	Ref       string // short form
	State     State
	By        Person
	Ticket    TicketID
	Ending    State     `json:",omitempty"` // Stuck if its ticket cannot be read; "" for none
	Known     time.Time `json:",omitzero"`  // if it seems to have ended: when that will be known
}

// waits reports whether the standing request waits for approval: a request of somebody who may
// cancel without approval replaces it.
func (s *Standing) waits() bool { return s != nil && s.State == Pending }

// Blockers lists what stops a submission for this card.
func (c Card) Blockers() []Blocker {
	blockers := c.Server.Blockers()
	if c.Standing != nil && !c.Standing.waits() {
		blockers = append(blockers, BlockedByRequest)
	}
	return slices.Clip(blockers)
}

// Fresh reports whether the card is young enough to be submitted.
func (c Card) Fresh(now time.Time) bool {
	age := now.Sub(c.ReadAt)
	return age >= -time.Minute && age <= MaxCardAge
}

// NewWarnings lists the warnings that are true now and that the card did not show, because the
// requester confirmed only what it showed. A warning whose reason cannot be compared, because a read
// left it out, is not new.
func (c Card) NewWarnings(now Server, at time.Time) []string {
	shown, _ := c.Server.Warnings(c.ReadAt)
	standing, _ := now.Warnings(at)
	return slices.DeleteFunc(standing, func(warning string) bool {
		return slices.Contains(shown, warning) && c.Server.sameReason(warning, now)
	})
}

// sameReason reports whether a warning has the same reason in another read, as far as both say.
func (s Server) sameReason(warning string, now Server) bool {
	switch warning {
	case WarningGateway:
		sameName := s.GatewayName == "" || now.GatewayName == "" || s.GatewayName == now.GatewayName
		return sameName && (!s.PartnersKnown || !now.PartnersKnown || slices.Equal(s.Partners, now.Partners))
	case WarningTransaction:
		return s.LastTransaction == now.LastTransaction && s.LastTransactionAt == now.LastTransactionAt
	}
	return true
}
