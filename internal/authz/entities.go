package authz

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

const (
	typeUser   cedar.EntityType = "User"
	typeGroup  cedar.EntityType = "Group"
	typeServer cedar.EntityType = "Server"
	typeAction cedar.EntityType = "Action"
)

// The actions of the schema.
const (
	actionRequest = "request"
	actionCancel  = "cancel"
	actionApprove = "approve"
)

func action(name cedar.String) cedar.EntityUID { return cedar.NewEntityUID(typeAction, name) }

func (who Principal) uid() cedar.EntityUID {
	return cedar.NewEntityUID(typeUser, cedar.String(who.ID()))
}

func (who Principal) entity() cedar.Entity {
	groups := make([]cedar.EntityUID, len(who.Groups))
	for i, id := range who.Groups {
		groups[i] = cedar.NewEntityUID(typeGroup, cedar.String(id))
	}
	return cedar.Entity{
		UID:        who.uid(),
		Parents:    cedar.NewEntityUIDSet(groups...),
		Attributes: cedar.NewRecord(cedar.RecordMap{"team": cedar.String(who.Team)}),
	}
}

func (s Server) uid() cedar.EntityUID {
	return cedar.NewEntityUID(typeServer, cedar.String(strconv.FormatInt(s.ID, 10)))
}

func (s Server) entity() (cedar.Entity, error) {
	attributes := cedar.RecordMap{
		"hostname":   cedar.String(s.Hostname),
		"domain":     cedar.String(s.Domain),
		"fqdn":       cedar.String(s.FQDN),
		"datacenter": cedar.String(s.Datacenter),
		"tags":       stringSet(plainTags(s.Tags)),
		"hourly":     cedar.Boolean(s.Hourly),
	}
	if s.MonthlyFee != "" {
		fee, err := parseFee(s.MonthlyFee)
		if err != nil {
			return cedar.Entity{}, fmt.Errorf("reading the monthly fee of server %d: %w", s.ID, err)
		}
		attributes["monthlyFee"] = fee
	}
	return cedar.Entity{UID: s.uid(), Attributes: cedar.NewRecord(attributes)}, nil
}

func (c Context) record() cedar.Record { return cedar.NewRecord(c.attributes()) }

// approving returns the context of the action approve.
func (c Context) approving(requester Principal, approvals int) cedar.Record {
	attributes := c.attributes()
	attributes["requester"] = requester.uid()
	attributes["approvals"] = cedar.Long(approvals)
	return cedar.NewRecord(attributes)
}

// unstated returns the context before the form is filled in: what the person states there is open, and
// so is a number that is not known.
func (c Context) unstated() cedar.Record {
	attributes := c.attributes()
	attributes["associatedItems"] = eval.Variable("associatedItems")
	attributes["statedReason"] = eval.Variable("statedReason")
	if c.Count == 0 {
		attributes["count"] = eval.Variable("count")
	}
	if c.Today == 0 {
		attributes["today"] = eval.Variable("today")
	}
	return cedar.NewRecord(attributes)
}

// approvable returns the context of approve while the requester and the number of approvals are open.
func (c Context) approvable() cedar.Record {
	attributes := c.attributes()
	attributes["requester"] = eval.Variable("requester")
	attributes["approvals"] = eval.Variable("approvals")
	return cedar.NewRecord(attributes)
}

func (c Context) attributes() cedar.RecordMap {
	return cedar.RecordMap{
		"channel":         cedar.String(c.Channel),
		"account":         cedar.String(c.Account),
		"associatedItems": cedar.Boolean(c.AssociatedItems),
		"statedReason":    cedar.String(c.StatedReason),
		"warnings":        stringSet(c.Warnings),
		"count":           cedar.Long(c.Count),
		"today":           cedar.Long(c.Today),
	}
}

func stringSet(texts []string) cedar.Set {
	values := make([]types.Value, len(texts))
	for i, text := range texts {
		values[i] = cedar.String(text)
	}
	return cedar.NewSet(values...)
}

// parseFee reads decimal text with any number of digits, rounded up as MonthlyFee rounds.
func parseFee(text string) (cedar.Decimal, error) {
	rounded, err := MonthlyFee(false, text)
	if err != nil {
		return cedar.Decimal{}, err
	}
	return types.ParseDecimal(rounded)
}

// unread lists what a decision needs and was not read. A policy may depend on any
// of it, so a gap refuses and is never taken for "none". Only a policy that asks for the numbers of
// servers needs them.
func (p *Policy) unread(who Principal, s Server, c Context) []string {
	var gaps []string
	need := func(known bool, what string) {
		if !known {
			gaps = append(gaps, what)
		}
	}
	need(who.hasID(), GapPerson)
	need(p.knowsGroups(who), GapGroups)
	need(s.ID > 0, GapServerID)
	need(s.Hostname != "" && s.FQDN != "", GapServerName)
	need(s.Datacenter != "", GapDatacenter)
	need(s.TagsKnown, GapTags)
	gaps = append(gaps, s.Missing...)
	need(isDigits(c.Account), GapAccount)
	need(c.StatedReason != "", GapStatedReason)
	need(c.WarningsKnown, GapWarnings)
	need(c.Count > 0 || !p.countsForm, GapCount)
	need(c.Today > 0 || !p.countsToday, GapToday)
	return gaps
}

// knowsGroups reports whether all memberships that the policy may ask about were read.
func (p *Policy) knowsGroups(who Principal) bool {
	return who.GroupsKnown || len(p.groups) == 0
}

func (who Principal) hasID() bool {
	return who.Team != "" && who.User != "" && strings.Count(who.ID(), "/") == 1
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
