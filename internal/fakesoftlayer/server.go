package fakesoftlayer

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// server is one SoftLayer_Hardware_Server and what else the account knows about it.
type server struct {
	tree tree
	// plain is a server grown with nothing special about it.
	plain bool
	// removed is a server that is gone: 404 to everybody.
	removed bool
	// blockedBy is a closed ticket that goes on refusing new ones, 0 if none.
	// https://github.com/softlayer/softlayer-api-php-client/issues/23
	blockedBy int64
	// tickets are those about it, oldest first.
	tickets []*ticket
	// stage is how far its end has come, since ends; ended is its billing item then.
	stage stage
	ends  time.Time
	ended tree
}

// visibleServer is a server that exists and that the key may see.
func (a *Account) visibleServer(id int64) (*server, error) {
	s := a.servers[id]
	if s == nil || s.removed || !a.key.sees(id) {
		return nil, errNotFound(id)
	}
	return s, nil
}

// visibleServers are all servers that the key may see, by id.
func (a *Account) visibleServers() []any {
	list := make([]any, 0, len(a.serverIDs))
	sees := a.key.sight()
	for _, id := range a.serverIDs {
		if s := a.servers[id]; !s.removed && sees(id) {
			list = append(list, s.tree)
		}
	}
	return list
}

// standing is the open cancellation ticket of a server, no matter who may see it.
func (a *Account) standing(server int64) *ticket {
	if s := a.servers[server]; s != nil {
		for _, t := range s.tickets {
			if t.cancels && t.closed.IsZero() {
				return t
			}
		}
	}
	return nil
}

// blocking is the ticket that refuses another cancellation ticket, 0 if none.
func (a *Account) blocking(s *server) int64 {
	if t := a.standing(number(s.tree["id"])); t != nil {
		return number(t.tree["id"])
	}
	return s.blockedBy
}

// matches tells whether a server is meant by an id, or by a part of a name or
// of an address; an empty query means every server.
func (s *server) matches(query string) bool {
	query = strings.ToLower(strings.TrimSpace(query))
	if fmt.Sprint(s.tree["id"]) == query {
		return true
	}
	for _, name := range []string{"fullyQualifiedDomainName", "primaryIpAddress", "primaryBackendIpAddress"} {
		if text, ok := s.tree[name].(string); ok && strings.Contains(strings.ToLower(text), query) {
			return true
		}
	}
	return false
}

// found are the servers that are not gone and that a query means.
func (a *Account) found(query string) []*server {
	list := []*server{}
	for _, id := range a.serverIDs {
		if s := a.servers[id]; !s.removed && s.matches(query) {
			list = append(list, s)
		}
	}
	return list
}

// number reads an id of a tree, whether it was grown or patched in; 0 if it is none.
func number(value any) int64 {
	if n, ok := value.(int64); ok {
		return n
	}
	n, err := strconv.ParseInt(fmt.Sprint(value), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// gateway is one SoftLayer_Network_Gateway with the servers that it is made of.
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Network_Gateway/
type gateway struct {
	tree    tree
	members []tree // SoftLayer_Network_Gateway_Member
}

// growGateway makes a gateway whose first member is the server.
func (a *Account) growGateway(s *server) {
	id := int64(30_000 + len(a.gateways))
	place := s.tree["datacenter"].(tree)["name"]
	g := &gateway{tree: tree{
		"id": id, "accountId": int64(accountID), "groupNumber": int64(1), "networkSpace": "BOTH", "statusId": int64(1),
		"name": fmt.Sprintf("gw-%v-%02d", place, len(a.gateways)+1),
	}}
	a.gateways = append(a.gateways, g)
	a.join(s, g)
}

// join makes a server the next member of a gateway.
func (a *Account) join(s *server, g *gateway) {
	s.tree["networkGatewayMemberFlag"], s.tree["hardwareFunctionDescription"] = true, "Network Gateway"
	g.members = append(g.members, tree{
		"id": number(g.tree["id"])*10 + int64(len(g.members)), "hardwareId": s.tree["id"],
		"networkGatewayId": g.tree["id"], "priority": int64(254 - len(g.members)),
	})
}

// memberOf is a server's place in a gateway; nil if it is in none.
func (a *Account) memberOf(server int64) any {
	for _, g := range a.gateways {
		for _, m := range g.members {
			if number(m["hardwareId"]) == server {
				return m
			}
		}
	}
	return nil
}

// memberHardware is the server of a member, if the key may see it; nil else.
func (a *Account) memberHardware(member tree) any {
	s, err := a.visibleServer(number(member["hardwareId"]))
	if err != nil {
		return nil
	}
	return s.tree
}

func (a *Account) gatewayOf(id int64) any {
	for _, g := range a.gateways {
		if number(g.tree["id"]) == id {
			return g.tree
		}
	}
	return nil
}

// membersOf are the members of a gateway. A server that is gone is in none.
func (a *Account) membersOf(id int64) any {
	list := []any{}
	for _, g := range a.gateways {
		for _, m := range g.members {
			s := a.servers[number(m["hardwareId"])]
			if number(g.tree["id"]) == id && s != nil && !s.removed {
				list = append(list, m)
			}
		}
	}
	return list
}

// contract is the agreement that a server on a contract term is billed under, as
// "SoftLayer_Container_Product_Order_Hardware_Server_Upgrade_MigrateToReserved" makes
// one: "a new billing agreement contract".
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Account_Agreement/
func (a *Account) contract(server int64) tree {
	start := a.bill(-3)
	return tree{
		"id": server + 800_000_000, "title": "1 year term", "autoRenew": int64(0), "cancellationFee": int64(0),
		"createDate": date(start), "startDate": date(start), "endDate": date(start.AddDate(1, 0, 0)),
		"durationMonths": int64(12), "statusId": int64(2), "agreementTypeId": int64(1),
	}
}
