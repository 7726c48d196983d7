package softlayer

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"cancel-server/internal/cancellation"
)

// hardware is a SoftLayer_Hardware_Server as the masks ask for it. A nil field was missing from the
// answer, or null.
type hardware struct {
	ID               int64                   `json:"id"`
	GlobalIdentifier text                    `json:"globalIdentifier"`
	FQDN             text                    `json:"fullyQualifiedDomainName"`
	Hostname         text                    `json:"hostname"`
	Domain           *text                   `json:"domain"`
	PublicIP         text                    `json:"primaryIpAddress"`
	PrivateIP        text                    `json:"primaryBackendIpAddress"`
	Datacenter       onlyName                `json:"datacenter"`
	Status           hardwareStatus          `json:"hardwareStatus"`
	Membership       *gatewayMember          `json:"networkGatewayMember"`
	ProvisionDate    text                    `json:"provisionDate"`
	Hourly           *flag                   `json:"hourlyBillingFlag"`
	Gateway          *flag                   `json:"networkGatewayMemberFlag"`
	Disconnected     *flag                   `json:"blockCancelBecauseDisconnectedFlag"`
	Tags             []tagReference          `json:"tagReferences"`
	OS               member[operatingSystem] `json:"operatingSystem"`
	Active           *transaction            `json:"activeTransaction"`
	Last             member[lastTransaction] `json:"lastTransaction"`
	OpenTicket       *ticketName             `json:"openCancellationTicket"`
	Billing          *billingItem            `json:"billingItem"`
	Routers          []idRow                 `json:"backendRouters"`
}

type onlyName struct {
	Name text `json:"name"`
}

type hardwareStatus struct {
	Status text `json:"status"`
}

type tagReference struct {
	Tag onlyName `json:"tag"`
}

type operatingSystem struct {
	License struct {
		Description struct {
			Name    text `json:"name"`
			Version text `json:"version"`
		} `json:"softwareDescription"`
	} `json:"softwareLicense"`
}

type transaction struct {
	ID     int64 `json:"id"`
	Status struct {
		Name         text `json:"name"`
		FriendlyName text `json:"friendlyName"`
	} `json:"transactionStatus"`
}

type lastTransaction struct {
	At    text     `json:"createDate"`
	Group onlyName `json:"transactionGroup"`
}

// gatewayMember is a server's place in a network gateway.
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Network_Gateway_Member/
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Network_Gateway/
type gatewayMember struct {
	Gateway struct {
		Name    text `json:"name"`
		Members []struct {
			Hardware *struct { // nil: the key may not see that server
				ID       int64 `json:"id"`
				Hostname text  `json:"hostname"`
			} `json:"hardware"`
		} `json:"members"` // nil: not in the answer
	} `json:"networkGateway"`
}

// billingItem is a SoftLayer_Billing_Item_Hardware.
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Billing_Item_Hardware/
type billingItem struct {
	ID                  int64            `json:"id"`
	AllowCancellation   *flag            `json:"allowCancellationFlag"`
	PendingCancellation *flag            `json:"pendingCancellationFlag"`
	CancellationDate    text             `json:"cancellationDate"`
	NextBillDate        text             `json:"nextBillDate"`
	RecurringFee        money            `json:"recurringFee"`
	HourlyFee           money            `json:"hourlyRecurringFee"`
	MonthlyTotal        money            `json:"nextInvoiceTotalRecurringAmount"`
	Children            []childItem      `json:"nextInvoiceChildren"`
	Associated          []associatedItem `json:"activeAssociatedChildren"`
	Agreement           *agreement       `json:"activeAgreement"`
}

// agreement is the contract that a server on a 1-year or 3-year term is billed under:
// ordering the term makes "a new billing agreement contract".
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Container_Product_Order_Hardware_Server_Upgrade_MigrateToReserved/
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Account_Agreement/
type agreement struct {
	End text `json:"endDate"`
}

type childItem struct {
	Category  text  `json:"categoryCode"`
	HourlyFee money `json:"hourlyRecurringFee"`
}

type associatedItem struct {
	ID          int64 `json:"id"`
	Description text  `json:"description"`
	Fee         money `json:"recurringFee"`
}

// server returns an answer as the domain's server.
func (h hardware) server() cancellation.Server {
	tags, known := h.tags()
	last, lastAt := h.last()
	partners, partnersKnown := h.partners()
	return cancellation.Server{
		ID: h.ID, GlobalIdentifier: string(h.GlobalIdentifier),
		FQDN: string(h.FQDN), Hostname: string(h.Hostname), Domain: h.domain(),
		PublicIP: string(h.PublicIP), PrivateIP: string(h.PrivateIP),
		Datacenter:    string(h.Datacenter.Name),
		OS:            h.system(),
		Status:        string(h.Status.Status),
		ProvisionDate: string(h.ProvisionDate),
		Tags:          tags, TagsKnown: known, Unread: h.unread(), Hidden: h.hidden(),
		Hourly: h.Hourly.yes(), Disconnected: h.Disconnected.yes(),
		Gateway: h.inGateway(), GatewayName: h.gatewayName(), Partners: partners, PartnersKnown: partnersKnown,
		Transaction: h.Active.name(), LastTransaction: last, LastTransactionAt: lastAt,
		OpenTicket: h.openTicket(), Billing: h.Billing.billing(), Routers: h.routers(),
	}
}

// tags are known only if the answer lists them and each has its name.
func (h hardware) tags() ([]string, bool) {
	if h.Tags == nil {
		return nil, false
	}
	tags := make([]string, 0, len(h.Tags))
	for _, reference := range h.Tags {
		if reference.Tag.Name == "" {
			return nil, false
		}
		tags = append(tags, string(reference.Tag.Name))
	}
	slices.Sort(tags)
	return slices.Compact(tags), true
}

// unread lists the facts that a policy may ask for and that the answer does not hold. A null flag
// says nothing; a null last transaction says that there never was one.
func (h hardware) unread() []string {
	return missing([]fact{
		{cancellation.FactDomain, h.Domain != nil},
		{cancellation.FactProvisionDate, h.ProvisionDate != ""},
		{cancellation.FactHourly, h.Hourly != nil},
		{cancellation.FactGateway, h.Gateway != nil || h.Membership != nil},
		{cancellation.FactLastTransaction, h.Last.read},
	})
}

// fact is a fact about a server, and whether the answer holds it.
type fact struct {
	name string
	read bool
}

func missing(facts []fact) []string {
	var names []string
	for _, f := range facts {
		if !f.read {
			names = append(names, f.name)
		}
	}
	return names
}

// hidden lists the other facts that a card shows and that the answer left out. A null operating
// system says that there is none.
func (h hardware) hidden() []string {
	facts := []fact{
		{cancellation.FactDatacenter, h.Datacenter.Name != ""},
		{cancellation.FactStatus, h.Status.Status != ""},
		{cancellation.FactSystem, h.OS.read},
		{cancellation.FactDisconnection, h.Disconnected != nil},
	}
	if b := h.Billing; b != nil && b.ID > 0 { // without one the server is blocked, and this need not be said
		facts = append(
			facts,
			fact{cancellation.FactAllowed, b.AllowCancellation != nil},
			fact{cancellation.FactPending, b.PendingCancellation != nil},
			fact{cancellation.FactParts, b.Children != nil},
			fact{cancellation.FactAssociated, b.Associated != nil},
		)
	}
	return missing(facts)
}

func (h hardware) system() string {
	if h.OS.value == nil {
		return ""
	}
	description := h.OS.value.License.Description
	return strings.TrimSpace(string(description.Name + " " + description.Version))
}

func (h hardware) inGateway() bool { return h.Gateway.yes() || h.Membership != nil }

func (h hardware) gatewayName() string {
	if h.Membership == nil {
		return ""
	}
	return string(h.Membership.Gateway.Name)
}

// partners are the gateway's other members, "" for each that the key may not see.
func (h hardware) partners() ([]string, bool) {
	if h.Membership == nil || h.Membership.Gateway.Members == nil {
		return nil, false
	}
	var partners []string
	self := false
	for _, m := range h.Membership.Gateway.Members {
		switch {
		case m.Hardware == nil:
			partners = append(partners, "")
		case m.Hardware.ID == h.ID:
			self = true
		default:
			partners = append(partners, string(m.Hardware.Hostname))
		}
	}
	slices.Sort(partners)
	return partners, self // a list without this server is not whole
}

func (h hardware) domain() string {
	if h.Domain == nil {
		return ""
	}
	return string(*h.Domain)
}

// last is the last transaction's name, never "" if there was one, and its time.
func (h hardware) last() (name, at string) {
	if h.Last.value == nil {
		return "", ""
	}
	return string(cmp.Or(h.Last.value.Group.Name, "unnamed")), string(h.Last.value.At)
}

func (h hardware) openTicket() *cancellation.TicketID {
	if h.OpenTicket == nil {
		return nil
	}
	ticket := h.OpenTicket.ticketID()
	return &ticket
}

// billingID returns 0 without a billing item.
func (h hardware) billingID() int64 {
	if h.Billing == nil {
		return 0
	}
	return h.Billing.ID
}

// name returns a running transaction's name, never "", because the transaction blocks.
func (t *transaction) name() string {
	if t == nil {
		return ""
	}
	return string(cmp.Or(t.Status.FriendlyName, t.Status.Name, text("transaction "+strconv.FormatInt(t.ID, 10))))
}

func (b *billingItem) billing() *cancellation.Billing {
	if b == nil || b.ID <= 0 {
		return nil
	}
	billing := &cancellation.Billing{
		ID:                  b.ID,
		NotCancellable:      b.AllowCancellation != nil && !b.AllowCancellation.yes(),
		UnderContract:       b.Agreement != nil,
		ContractEnd:         b.Agreement.end(),
		PendingKnown:        b.PendingCancellation != nil,
		PendingCancellation: b.PendingCancellation.yes(),
		CancellationDate:    string(b.CancellationDate),
		NextBillDate:        string(b.NextBillDate),
		RecurringFee:        string(b.RecurringFee),
		HourlyFee:           b.allInHourly(),
		MonthlyTotal:        string(b.MonthlyTotal),
	}
	for _, child := range b.Children {
		if strings.HasPrefix(string(child.Category), "disk") {
			billing.Drives++
		}
	}
	for _, item := range b.Associated {
		billing.Associated = append(billing.Associated, cancellation.AssociatedItem{
			ID: item.ID, Description: string(item.Description), Fee: string(item.Fee),
		})
	}
	slices.SortFunc(billing.Associated, func(x, y cancellation.AssociatedItem) int { return cmp.Compare(x.ID, y.ID) })
	return billing
}

func (a *agreement) end() string {
	if a == nil {
		return ""
	}
	return string(a.End)
}

// allInHourly adds the children's hourly fees. The sum is unknown without the list of children or
// the fee of one of them.
func (b *billingItem) allInHourly() string {
	if b.Children == nil {
		return ""
	}
	fees := []money{b.HourlyFee}
	for _, child := range b.Children {
		fees = append(fees, child.HourlyFee)
	}
	return sum(fees...)
}
