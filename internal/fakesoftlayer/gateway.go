package fakesoftlayer

import "fmt"

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
