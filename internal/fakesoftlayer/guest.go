package fakesoftlayer

import (
	"fmt"
	"slices"
)

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

// VirtualServer returns the full name of one of the account's virtual servers.
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
