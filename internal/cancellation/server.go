package cancellation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/billed"
)

// Server is a bare-metal server as SoftLayer described it in one read of SoftLayer_Hardware_Server.
// Money is decimal text as SoftLayer gives it, or "" if the key may not see it. Times keep SoftLayer's
// offset.
type Server struct {
	ID                int64
	GlobalIdentifier  string `json:",omitempty"`
	FQDN              string
	Hostname          string
	Domain            string
	PublicIP          string    `json:",omitempty"` // primaryIpAddress
	PrivateIP         string    `json:",omitempty"` // primaryBackendIpAddress
	Datacenter        string    `json:",omitempty"` // short name: fra02
	OS                string    `json:",omitempty"` // name and version
	Status            string    `json:",omitempty"` // hardwareStatus
	ProvisionDate     string    `json:",omitempty"` // RFC 3339, as given
	Tags              []string  `json:",omitempty"` // sorted
	TagsKnown         bool      `json:",omitempty"` // false: the answer had no tagReferences
	Unread            []string  `json:",omitempty"` // the facts that the answer left out and that a policy may ask for
	Hidden            []string  `json:",omitempty"` // the other facts that the answer left out; cards show them
	Hourly            bool      `json:",omitempty"`
	Gateway           bool      `json:",omitempty"` // networkGatewayMemberFlag
	GatewayName       string    `json:",omitempty"` // of the gateway that it is a member of; "" if the key may not see it
	Partners          []string  `json:",omitempty"` // host names of that gateway's other members, sorted; "" for one that is hidden
	PartnersKnown     bool      `json:",omitempty"` // the answer listed the members
	Disconnected      bool      `json:",omitempty"` // blockCancelBecauseDisconnectedFlag
	Transaction       string    `json:",omitempty"` // the running transaction's name; "" for none
	LastTransaction   string    `json:",omitempty"` // the last transaction group's name; "" for none ever
	LastTransactionAt string    `json:",omitempty"` // RFC 3339, as given
	OpenTicket        *TicketID `json:",omitempty"` // openCancellationTicket
	Billing           *Billing  `json:",omitempty"` // nil: none, or not visible to the key
	Routers           []int64   `json:"-"`          // ids of its backend routers, sorted; only lists of all servers have them
}

// Billing is what a server's billing item says.
type Billing struct {
	ID                  int64
	NotCancellable      bool             `json:",omitempty"` // allowCancellationFlag is 0
	UnderContract       bool             `json:",omitempty"` // it has an activeAgreement: a contract term
	ContractEnd         string           `json:",omitempty"` // RFC 3339, as given; "" where the term's end is not known
	PendingKnown        bool             `json:",omitempty"` // the answer had pendingCancellationFlag
	PendingCancellation bool             `json:",omitempty"`
	CancellationDate    string           `json:",omitempty"` // RFC 3339, as given
	NextBillDate        string           `json:",omitempty"` // RFC 3339, as given
	RecurringFee        string           `json:",omitempty"` // of the server alone, a month
	HourlyFee           string           `json:",omitempty"` // all-in, an hour, for hourly servers
	MonthlyTotal        string           `json:",omitempty"` // nextInvoiceTotalRecurringAmount: all-in, a month
	Drives              int              `json:",omitempty"` // children of category disk*
	Associated          []AssociatedItem `json:",omitempty"` // activeAssociatedChildren
}

// AssociatedItem is a billing item that cancelAssociatedItems would end as well.
type AssociatedItem struct {
	ID          int64
	Description string
	Fee         string `json:",omitempty"` // a month
}

// Facts that a policy may ask for and an answer may leave out. The field of an unread fact says
// nothing: it is neither false nor none. The names of facts are stored, and those of what identifies
// a server are part of its digest, so none is ever renamed. Cards and refusals show them as they are.
const (
	FactDomain          = "domain"
	FactProvisionDate   = "provision date"
	FactHourly          = "hourly billing"
	FactGateway         = "gateway membership"
	FactLastTransaction = "last transaction"
)

// Other facts that an answer may leave out. No policy asks for them.
const (
	FactDatacenter = "data center"
	FactStatus     = "status"
	FactSystem     = "operating system"
	FactAllowed    = "whether it may be cancelled"
	FactPending    = "pending cancellation"
	FactParts      = "parts" // nextInvoiceChildren: the drives among them
	FactAssociated = "associated items"

	FactDisconnection = "whether its network is disconnected"
)

// Shows reports whether the answer had this one of the other facts.
func (s Server) Shows(fact string) bool { return !slices.Contains(s.Hidden, fact) }

// Knows reports whether the answer had this fact that a policy may ask for.
func (s Server) Knows(fact string) bool { return !slices.Contains(s.Unread, fact) }

// Blocker is a reason why a server cannot be cancelled now.
type Blocker string

// The blockers: SoftLayer would refuse, or should not be asked.
const (
	BlockedByTicket        Blocker = "open-ticket"
	BlockedByTransaction   Blocker = "transaction"
	BlockedByNoBilling     Blocker = "no-billing-item"
	BlockedByPending       Blocker = "pending-cancellation"
	BlockedByContract      Blocker = "contract-term"
	BlockedByNotAllowed    Blocker = "not-cancellable"
	BlockedByDisconnection Blocker = "disconnected"
	BlockedByRequest       Blocker = "live-request" // another request of this installation stands
)

// Blockers lists why the server cannot be cancelled, the most important first.
func (s Server) Blockers() []Blocker {
	var found []Blocker
	add := func(is bool, b Blocker) {
		if is {
			found = append(found, b)
		}
	}
	add(s.OpenTicket != nil, BlockedByTicket)
	add(s.Transaction != "", BlockedByTransaction)
	if s.Billing == nil {
		return append(found, BlockedByNoBilling)
	}
	add(s.Billing.PendingCancellation || s.Billing.CancellationDate != "", BlockedByPending)
	add(s.Billing.UnderContract, BlockedByContract)
	add(s.Billing.NotCancellable, BlockedByNotAllowed)
	add(s.Disconnected, BlockedByDisconnection)
	return found
}

// The warnings that a policy and a card may name.
const (
	WarningGateway     = "gateway-member"
	WarningProvisioned = "recently-provisioned"
	WarningTransaction = "recent-transaction"
)

// recent is how long an order or a transaction counts as recent.
const recent = 7 * 24 * time.Hour

// Warnings lists what a person should consider before cancelling this server. The second result
// reports whether every fact that the warnings depend on was read.
func (s Server) Warnings(now time.Time) ([]string, bool) {
	var found []string
	if s.Gateway {
		found = append(found, WarningGateway)
	}
	if at, err := time.Parse(time.RFC3339, s.LastTransactionAt); s.LastTransaction != "" && (err != nil || now.Sub(at) < recent) {
		found = append(found, WarningTransaction)
	}
	ordered, err := time.Parse(time.RFC3339, s.ProvisionDate)
	if err == nil && now.Sub(ordered) < recent {
		found = append(found, WarningProvisioned)
	}
	return found, err == nil && s.Knows(FactGateway) && s.Knows(FactLastTransaction)
}

// MonthlyFee returns the all-in cost a month for the policy: hourly fees times 730, rounded up to
// four decimals. It is "" if the fee could not be read.
func (s Server) MonthlyFee() string {
	if s.Billing == nil || !s.Knows(FactHourly) {
		return ""
	}
	amount := s.Billing.MonthlyTotal
	if s.Hourly {
		amount = s.Billing.HourlyFee
	}
	fee, err := authz.MonthlyFee(s.Hourly, amount)
	if err != nil {
		return ""
	}
	return fee
}

// Resource returns the server for the policy.
func (s Server) Resource() authz.Server {
	return authz.Server{
		ID: s.ID, Hostname: s.Hostname, Domain: s.Domain, FQDN: s.FQDN,
		Datacenter: s.Datacenter, Tags: s.Tags, TagsKnown: s.TagsKnown,
		MonthlyFee: s.MonthlyFee(), Hourly: s.Hourly, Missing: s.Unread,
	}
}

// fee returns the fee by the hour or by the month. It is "" if the fee is unread, or if it is unread
// which of the two applies.
func (s Server) fee() string {
	switch {
	case s.Billing == nil || !s.Knows(FactHourly):
		return ""
	case s.Hourly:
		return s.Billing.HourlyFee
	}
	return s.Billing.RecurringFee
}

// unread lists the facts that this read left out, by the names that identity uses.
func (s Server) unread() []string {
	names := slices.Clone(s.Unread)
	if !s.TagsKnown {
		names = append(names, factTags)
	}
	if s.Billing != nil && s.fee() == "" {
		names = append(names, factFee)
	}
	if s.Billing != nil && !s.Billing.PendingKnown {
		names = append(names, FactPending)
	}
	for _, fact := range []string{FactDatacenter, FactDisconnection} {
		if !s.Shows(fact) {
			names = append(names, fact)
		}
	}
	for _, fact := range []string{FactAllowed, FactAssociated} {
		if s.Billing != nil && !s.Shows(fact) {
			names = append(names, fact)
		}
	}
	return names
}

// unreadOnlyHere lists the facts that this read left out and another read of the same server has.
// Associated items count only if they are to be cancelled too.
func (s Server) unreadOnlyHere(other Server, associated bool) []string {
	return slices.DeleteFunc(s.unread(), func(name string) bool {
		return slices.Contains(other.unread(), name) || (name == FactAssociated && !associated)
	})
}

// The names of facts that fields other than Server.Unread mark as unread.
const (
	factTags = "tags"
	factFee  = "recurring fee"
)

// identity lists the facts that identify the server, by name. Usage totals, notes and the status are
// not among them, because they may change while a request waits.
func (s Server) identity(associated bool) [][2]string {
	billing := Billing{}
	if s.Billing != nil {
		billing = *s.Billing
	}
	facts := [][2]string{
		{"id", strconv.FormatInt(s.ID, 10)},
		{"global identifier", s.GlobalIdentifier},
		{"billing item", strconv.FormatInt(billing.ID, 10)},
		{FactProvisionDate, s.ProvisionDate},
		{"name", s.FQDN},
		{"public address", s.PublicIP},
		{"private address", s.PrivateIP},
		{FactDatacenter, s.Datacenter},
		{factTags, strconv.FormatBool(s.TagsKnown) + strings.Join(s.Tags, "\x00")},
		{FactHourly, strconv.FormatBool(s.Hourly)},
		{factFee, s.fee()},
	}
	if associated {
		items, _ := json.Marshal(billing.Associated) // plain struct of numbers and strings
		facts = append(facts, [2]string{FactAssociated, string(items)})
	}
	return facts
}

// Digest returns a hash of what identifies the server, including its associated items if they are to
// be cancelled too.
func (s Server) Digest(associated bool) string {
	text, _ := json.Marshal(s.identity(associated)) // plain strings
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Changed names the identifying facts that differ between two reads. A fact that one of them left out
// has not changed.
func Changed(shown, now Server, associated bool) []string {
	var names []string
	before, after := shown.identity(associated), now.identity(associated)
	unread := slices.Concat(shown.unread(), now.unread())
	for i := range before {
		if before[i] != after[i] && !slices.Contains(unread, before[i][0]) {
			names = append(names, before[i][0])
		}
	}
	return slices.Clip(names)
}

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
