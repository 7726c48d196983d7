package authz

import (
	"slices"
	"strconv"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// Compared returns the tags that the rules compare a server's tags with, in lower case, and the ids of
// the servers that they name. By nothing else than these and the data center are servers told apart
// whose names and costs are open.
func (p *Policy) Compared() (tags []string, servers []int64) {
	for _, r := range p.rules {
		tags = append(tags, comparedTags(r.tree)...)
		for _, uid := range r.literals {
			if id, err := strconv.ParseInt(string(uid.ID), 10, 64); err == nil && uid.Type == typeServer {
				servers = append(servers, id)
			}
		}
	}
	slices.Sort(servers)
	return sorted(tags), slices.Compact(servers)
}

// ProspectsIn answers like Prospects for one server, of which the id, the data center and the tags are
// known. All else about it is open, also whether its cost can be read.
func (p *Policy) ProspectsIn(who Principal, s Server) Prospects {
	return p.everyMembership(who, func(who Principal) Prospects {
		priced := p.prospects(who, func(name cedar.String) eval.Env { return envOn(s.outline(true), who, name) })
		unpriced := p.prospects(who, func(name cedar.String) eval.Env { return envOn(s.outline(false), who, name) })
		return Prospects{
			Request: priced.Request.or(unpriced.Request), Cancel: priced.Cancel.or(unpriced.Cancel), Approve: priced.Approve.or(unpriced.Approve),
		}
	})
}

// or is the answer if either of two cases may be so.
func (a Prospect) or(b Prospect) Prospect {
	switch {
	case a.May == b.May, b.May == No:
		return a
	case a.May == No:
		return b
	}
	return Prospect{May: Depends, Rules: union(a.Rules, b.Rules)}
}

// outline is the server with what is known of it; all else is open.
func (s Server) outline(priced bool) cedar.Entity {
	attributes := cedar.RecordMap{
		"datacenter": cedar.String(s.Datacenter),
		"tags":       stringSet(plainTags(s.Tags)),
	}
	for _, open := range []cedar.String{"hostname", "domain", "fqdn", "hourly"} {
		attributes[open] = eval.Variable(open)
	}
	if priced {
		attributes["monthlyFee"] = eval.Variable("monthlyFee")
	}
	return cedar.Entity{UID: s.uid(), Attributes: cedar.NewRecord(attributes)}
}
