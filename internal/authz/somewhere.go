package authz

import (
	"slices"
	"strconv"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
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

// ReadsCosts reports whether a rule reads what a server costs or how it is billed.
func (p *Policy) ReadsCosts() bool {
	return slices.ContainsFunc(p.rules, func(r *rule) bool { return anywhere(r.tree, readsAny("monthlyFee", "hourly")) })
}

// ReadsTags reports whether a rule reads a server's tags in any way: more than those of Compared do, such as one that
// asks whether there are any.
func (p *Policy) ReadsTags() bool {
	return slices.ContainsFunc(p.rules, func(r *rule) bool { return anywhere(r.tree, readsAny("tags")) })
}

// readsAny returns whether a node reads an attribute of one of these names, or asks whether it is there.
func readsAny(attributes ...cedar.String) func(ast.IsNode) bool {
	return func(node ast.IsNode) bool {
		switch n := node.(type) {
		case ast.NodeTypeAccess:
			return slices.Contains(attributes, n.Value)
		case ast.NodeTypeHas:
			return slices.Contains(attributes, n.Value)
		}
		return false
	}
}

// ProspectsIn answers like Prospects for one server, of which the id, the data center and, if TagsKnown, the tags
// are known. All else about it is open, also whether its cost can be read.
func (p *Policy) ProspectsIn(who Principal, s Server) Prospects {
	return p.everyMembership(who, func(who Principal) Prospects {
		return p.prospectsOf(who, s.outline(true)).or(p.prospectsOf(who, s.outline(false)))
	})
}

// ProspectsListed answers like ProspectsIn for a server whose names are known too. If priced is true, so
// are its cost and how it is billed: a cost of "" is one that cannot be read.
func (p *Policy) ProspectsListed(who Principal, s Server, priced bool) Prospects {
	whole, err := s.entity()
	if err != nil {
		return p.none(p.refuseUnread(GapFee))
	}
	if priced {
		return p.everyMembership(who, func(who Principal) Prospects { return p.prospectsOf(who, whole) })
	}
	named := func(priced bool) cedar.Entity {
		attributes := s.outline(priced).Attributes.Map()
		for _, name := range names {
			attributes[name], _ = whole.Attributes.Get(name)
		}
		return cedar.Entity{UID: s.uid(), Attributes: cedar.NewRecord(attributes)}
	}
	return p.everyMembership(who, func(who Principal) Prospects {
		return p.prospectsOf(who, named(true)).or(p.prospectsOf(who, named(false)))
	})
}

// prospectsOf answers for one server, of which no more than its attributes is known.
func (p *Policy) prospectsOf(who Principal, server cedar.Entity) Prospects {
	return p.prospects(who, func(name cedar.String) eval.Env { return envOn(server, who, name) })
}

// or are the answers if either of two cases may be so.
func (all Prospects) or(other Prospects) Prospects {
	return Prospects{
		Request: all.Request.or(other.Request), Cancel: all.Cancel.or(other.Cancel), Approve: all.Approve.or(other.Approve),
	}
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
	if !s.TagsKnown {
		attributes["tags"] = eval.Variable("tags")
	}
	for _, open := range []cedar.String{"hostname", "domain", "fqdn", "hourly"} {
		attributes[open] = eval.Variable(open)
	}
	if priced {
		attributes["monthlyFee"] = eval.Variable("monthlyFee")
	}
	return cedar.Entity{UID: s.uid(), Attributes: cedar.NewRecord(attributes)}
}
