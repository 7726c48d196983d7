package fakesoftlayer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Every 24th server is one of each of these; the others are plain.
const (
	kindTransaction = iota + 1
	kindNoBilling
	kindPending
	kindNotAllowed
	kindTicket
	kindGateway
	kindHourly
	kindHostile
	kindProtected
	kindProd
	kindDisconnected
	kindRecent
	kindReloaded
	kindTwin
	kindOtherTwin
	kindQuestion
	kindPartner  // of the gateway that the kindGateway of its cycle is in
	kindContract // on a contract term
	kindCycle    = 24
)

// hostileNotes tries to mention a channel, to make a link and to break markup.
const hostileNotes = "<!channel> *bold* _it_ `code` <https://evil.example|ticket 1> & <script>alert(1)</script> \u202e"

// populate grows the servers and the tickets that stand at the start.
func (a *Account) populate() {
	id := int64(1_200_000)
	for i := range a.options.Servers {
		id += 1 + int64(a.random.IntN(900))
		kind := i % kindCycle
		s := &server{tree: a.grow(i, id), plain: kind == 0 || kind > kindContract}
		a.servers[id] = s
		a.serverIDs = append(a.serverIDs, id)
		a.makeSpecial(s, kind)
		switch kind {
		case kindOtherTwin:
			a.makeTwin(s, a.servers[a.serverIDs[i-1]])
		case kindPartner:
			a.join(s, a.gateways[len(a.gateways)-1])
		}
	}
	a.growGuests()
}

// grow makes a server that nothing is special about.
func (a *Account) grow(i int, id int64) tree {
	r := a.random
	hostname := fmt.Sprintf("%s-%03d", pick(r, "web", "db", "cache", "app", "build", "mail", "queue", "search"), i+1)
	domain := pick(r, "example.com", "example.net", "example.org")
	place := pick(r, [2]string{"fra02", "Frankfurt 2"}, [2]string{"dal13", "Dallas 13"},
		[2]string{"lon06", "London 6"}, [2]string{"wdc07", "Washington 7"}, [2]string{"tok02", "Tokyo 2"})
	system := pick(r, [2]string{"Ubuntu", "22.04-64"}, [2]string{"Debian", "12.0.0-64"},
		[2]string{"Red Hat", "9.0-64"}, [2]string{"Windows", "2022 Std"})
	t := tree{
		"id": id, "accountId": int64(accountID), "globalIdentifier": identifier(r),
		"hostname": hostname, "domain": domain, "fullyQualifiedDomainName": hostname + "." + domain,
		"primaryBackendIpAddress": address(10, i), "hardwareStatusId": int64(5),
		"hardwareStatus": tree{"id": int64(5), "status": "ACTIVE"},
		"provisionDate":  date(a.now().AddDate(-1-r.IntN(6), 0, -r.IntN(300))), "notes": "",
		"memoryCapacity": int64(64), "processorPhysicalCoreAmount": int64(16),
		"hourlyBillingFlag": false, "networkGatewayMemberFlag": false,
		"blockCancelBecauseDisconnectedFlag": false, "hardwareFunctionDescription": "Web Server",
		"bareMetalInstanceFlag": a.flag(pick(r, false, true)),
		"datacenter":            tree{"id": int64(449500), "name": place[0], "longName": place[1]},
		"tagReferences":         tags("team-"+pick(r, "data", "web", "core"), pick(r, "staging", "test", "lab")),
		"operatingSystem": tree{"id": id + 1, "softwareLicense": tree{"id": id + 2, "softwareDescription": tree{
			"id": id + 3, "name": system[0], "version": system[1], "longDescription": system[0] + " " + system[1],
		}}},
		"lastTransaction": transaction(id+4, "Service Setup", a.now().AddDate(-1, 0, 0)),
		"billingItem":     a.growBilling(id),
	}
	if r.IntN(8) > 0 {
		t["primaryIpAddress"] = address(198, i)
	}
	return t
}

// flag is a 0, which the account may say as a boolean.
func (a *Account) flag(boolean bool) any {
	if boolean && a.options.BooleanFlags {
		return false
	}
	return int64(0)
}

// growBilling is a monthly billing item. Fees are strings or numbers, as in
// SoftLayer's answers.
func (a *Account) growBilling(id int64) tree {
	r := a.random
	fee := 120 + 10*r.IntN(60)
	children := []any{
		child(id*10+1, "1.92 TB SSD", "disk0", "25.5"), child(id*10+2, "1.92 TB SSD", "disk1", 25.5),
		child(id*10+3, "64 GB RAM", "ram", "0"), child(id*10+4, "1 IP Address", "pri_ip_addresses", 0),
	}
	associated := []any{}
	for n := range r.IntN(3) {
		floating := child(id*10+5+int64(n), fmt.Sprintf("Portable storage %d", n+1), "evault", 49)
		floating["allowCancellationFlag"], floating["associatedBillingItemId"] = int64(1), fmt.Sprint(id+400_000_000)
		associated = append(associated, floating)
	}
	return tree{
		"id": id + 400_000_000, "allowCancellationFlag": int64(1), "pendingCancellationFlag": false,
		"createDate":   date(a.now().AddDate(-1, 0, 0)),
		"nextBillDate": date(a.nextBill()), "lastBillDate": date(a.bill(-1)),
		"description": "Dual Xeon", "categoryCode": "server",
		"recurringFee":                    pick[any](r, fmt.Sprint(fee), fee, float64(fee)+0.5),
		"nextInvoiceTotalRecurringAmount": pick[any](r, fmt.Sprintf("%d.50", fee+51), float64(fee)+51.5),
		"nextInvoiceChildren":             children, "activeAssociatedChildren": associated,
	}
}

// makeSpecial gives a server what its place in the cycle is there to show.
func (a *Account) makeSpecial(s *server, kind int) {
	t := s.tree
	billing := t["billingItem"].(tree)
	switch kind {
	case kindTransaction:
		t["activeTransaction"] = tree{
			"id": number(t["id"]) + 5, "createDate": date(a.now()),
			"transactionStatus": tree{"name": "OS_RELOAD", "friendlyName": "OS Reload"},
		}
	case kindNoBilling:
		delete(t, "billingItem")
	case kindPending:
		billing["pendingCancellationFlag"], billing["cancellationDate"] = true, date(a.nextBill())
	case kindNotAllowed:
		billing["allowCancellationFlag"] = int64(0)
	case kindTicket, kindQuestion:
		a.growTicket(s, kind == kindTicket)
	case kindGateway:
		a.growGateway(s)
	case kindContract:
		billing["activeAgreement"] = a.contract(number(t["id"]))
	case kindHourly:
		t["hourlyBillingFlag"], t["bareMetalInstanceFlag"] = true, int64(1)
		makeHourly(billing)
	case kindHostile:
		t["notes"] = hostileNotes
	case kindProtected:
		t["tagReferences"] = tags("protected", "team-core")
	case kindProd:
		t["tagReferences"] = tags("prod", "team-data")
	case kindDisconnected:
		t["blockCancelBecauseDisconnectedFlag"] = true
	case kindRecent:
		t["provisionDate"] = date(a.now().Add(-26 * time.Hour))
	case kindReloaded:
		t["lastTransaction"] = transaction(number(t["id"])+4, "Operating System Reload", a.now().Add(-3*time.Hour))
	}
}

// makeHourly moves the fees of a billing item and its children to the hour.
func makeHourly(billing tree) {
	billing["recurringFee"], billing["hourlyRecurringFee"] = "0", ".412"
	billing["nextInvoiceTotalRecurringAmount"] = "0"
	for i, item := range billing["nextInvoiceChildren"].([]any) {
		part := item.(tree)
		part["recurringFee"], part["nextInvoiceTotalRecurringAmount"] = "0", "0"
		part["hourlyRecurringFee"] = []any{".05", 0.021, "0", 0}[i%4]
	}
}

// growTicket writes a ticket that somebody else opened: a cancellation, or a
// question that has nothing to do with one.
func (a *Account) growTicket(s *server, cancels bool) {
	var err error
	if cancels {
		_, err = a.writeCancellation(s, "Opened in the console by somebody else.", person(otherUser), false)
	} else {
		_, err = a.write(newTicket{
			server: number(s.tree["id"]), subject: "Hardware Issue", title: "A fan is loud", entry: "Please look at the fan.",
			by: person(otherUser), age: 48 * time.Hour,
		})
	}
	if err != nil {
		s.plain = false // the books are full: the server just has no ticket
	}
}

// makeTwin gives a server the host name of another, in another domain.
func (a *Account) makeTwin(s, other *server) {
	domain := "example.com"
	if other.tree["domain"] == domain {
		domain = "example.net"
	}
	s.tree["hostname"], s.tree["domain"] = other.tree["hostname"], domain
	s.tree["fullyQualifiedDomainName"] = fmt.Sprintf("%v.%s", other.tree["hostname"], domain)
}

func transaction(id int64, group string, at time.Time) tree {
	return tree{
		"id": id, "createDate": date(at), "modifyDate": date(at), "statusChangeDate": date(at),
		"transactionStatus": tree{"name": "COMPLETE", "friendlyName": "Complete"},
		"transactionGroup":  tree{"name": group},
	}
}

func child(id int64, description, category string, fee any) tree {
	return tree{
		"id": id, "description": description, "categoryCode": category,
		"recurringFee": fee, "nextInvoiceTotalRecurringAmount": fee,
	}
}

// address is the i-th of a network that belongs to nobody: 10.0.0.0/8, or
// 198.18.0.0/15, which RFC 2544 sets apart.
func address(network, i int) string {
	n := i + 10
	if network == 198 {
		return fmt.Sprintf("198.%d.%d.%d", 18+n/65536%2, n/256%256, n%256)
	}
	return fmt.Sprintf("10.%d.%d.%d", n/65536%256, n/256%256, n%256)
}

func identifier(r *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x",
		r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48))
}

func pick[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

// guestPer is how many servers there are for each virtual one.
const guestPer = 25

// growGuests grows the virtual servers of the account: the first is called
// vm-001.example.com. Nothing about them is random, so that they change no server of
// a seed.
func (a *Account) growGuests() {
	for i := range max(2, min(a.options.Servers/guestPer, 1000)) {
		hostname, id := fmt.Sprintf("vm-%03d", i+1), int64(130_000_000+37*i)
		guest := tree{
			"id": id, "accountId": int64(accountID), "hostname": hostname, "domain": "example.com",
			"fullyQualifiedDomainName": hostname + ".example.com",
			"primaryBackendIpAddress":  fmt.Sprintf("10.250.%d.%d", i/200, i%200+10),
			"startCpus":                int64(4), "maxMemory": int64(8192), "statusId": int64(1001),
			"datacenter":    tree{"id": int64(449500), "name": "fra02", "longName": "Frankfurt 2"},
			"tagReferences": tags("team-web"),
		}
		if i < 200 {
			guest["primaryIpAddress"] = fmt.Sprintf("203.0.113.%d", i+10)
		}
		a.guests = append(a.guests, guest)
	}
}

// VirtualServer is the full name of a virtual server of the account.
func (a *Account) VirtualServer() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return fmt.Sprint(a.guests[0]["fullyQualifiedDomainName"])
}

func (a *Account) getGuest(q *request) (any, error) {
	for _, guest := range a.guests {
		if guest["id"] == number(q.id) {
			return guest, nil
		}
	}
	return nil, errNotFound(q.id)
}

func (a *Account) getVirtualGuests(*request) (any, error) {
	list := make([]any, len(a.guests))
	for i, guest := range a.guests {
		list[i] = guest
	}
	return slices.Clip(list), nil
}
