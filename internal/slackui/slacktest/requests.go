package slacktest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// Unhurried is how long an answer may take where Slack's 3 s are not what is tested.
const Unhurried = 15 * time.Second

// Noon is when the tests' database says that it is.
var Noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// TextOf is all that a person reads in blocks or a view, piece after piece.
func TextOf(raw []byte) string {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return string(raw)
	}
	var all strings.Builder
	Walk(value, func(object map[string]any) {
		if text, ok := object["text"].(string); ok {
			all.WriteString(text)
		}
	})
	return all.String()
}

// Walk visits every object of a JSON value, lists in order.
func Walk(value any, visit func(map[string]any)) {
	switch value := value.(type) {
	case map[string]any:
		visit(value)
		for _, field := range []string{"title", "label", "hint", "placeholder", "text", "description", "blocks", "elements", "element", "options", "initial_option", "view"} {
			Walk(value[field], visit)
		}
	case []any:
		for _, item := range value {
			Walk(item, visit)
		}
	}
}

// DBServer is the server of the mock-ups.
func DBServer() cancellation.Server {
	return cancellation.Server{
		ID: 1234567, GlobalIdentifier: "6b1e", FQDN: "db-042.stg.example.com", Hostname: "db-042", Domain: "stg.example.com",
		PublicIP: "169.50.1.2", PrivateIP: "10.3.4.5", Datacenter: "fra02", OS: "Ubuntu 22.04", Status: "ACTIVE",
		ProvisionDate: "2021-03-03T10:00:00-06:00", Tags: []string{"staging", "team-data"}, TagsKnown: true,
		Billing: &cancellation.Billing{
			ID: 77, NextBillDate: "2026-12-01T00:00:00-06:00", RecurringFee: "380.00", MonthlyTotal: "412.50", Drives: 4,
			Associated: []cancellation.AssociatedItem{
				{ID: 1, Description: "Portable private IPs", Fee: "8.00"}, {ID: 2, Description: "Backup vault", Fee: "90"},
			},
		},
	}
}

// Ref is the reference of the mock-ups.
const Ref = cancellation.Reference("7F3K2QXD0123456789ABCDEFGH")

// Lost is a request of whose POSTs so many answers were lost.
func Lost(posts int) func(*cancellation.Request) {
	return func(r *cancellation.Request) { r.LostPosts = posts }
}

// Request is the request of the mock-ups, in some state.
func Request(state cancellation.State, changes ...func(*cancellation.Request)) cancellation.Request {
	r := cancellation.Request{
		ID: strings.Repeat("7f", 32), Ref: Ref, State: state, UpdatedAt: Noon, CreatedAt: Noon, NotAfter: Noon.Add(90 * time.Second), SentAt: Noon,
		Submission: cancellation.Submission{
			By: cancellation.Person{Team: "T1", ID: "U7", Name: "Ana"}, Place: cancellation.Place{Channel: "C1", ChannelName: "infra-changes"},
			Reason: "No longer needed", Content: "Replaced by db-060.",
			Card: cancellation.Card{
				Server: DBServer(), ReadAt: Noon, Cutoff: "2026-11-28T23:59:59-06:00",
				Account: cancellation.Account{ID: "123456", Name: "acme-prod"},
			},
		},
	}
	switch state {
	case cancellation.Filed, cancellation.Duplicate, cancellation.Reverted, cancellation.Reclaimed:
		r.Ticket = cancellation.TicketID{ID: 153572280, Number: "CS1234567"}
	}
	for _, change := range changes {
		change(&r)
	}
	return r
}

// HeldBy makes a freeze of somebody's hold a request up.
func HeldBy(who, why string) func(*cancellation.Request) {
	return func(r *cancellation.Request) {
		r.Why = cancellation.Reason{Code: cancellation.WhyFrozen, Detail: why, By: who}
	}
}

// Because sets why a request is in its state.
func Because(code cancellation.ReasonCode, detail string) func(*cancellation.Request) {
	return func(r *cancellation.Request) { r.Why = cancellation.Reason{Code: code, Detail: detail} }
}

// ByRule sets the rule that refused, and its reason.
func ByRule(rule, reason string) func(*cancellation.Request) {
	return func(r *cancellation.Request) {
		r.Why = cancellation.Reason{Detail: reason, By: cancellation.ByPolicy}
		r.Decision = authz.Decision{Rule: rule, Reason: reason}
	}
}

// WaitsForTwo makes a request wait for two approvals.
func WaitsForTwo(r *cancellation.Request) {
	r.Since, r.ExpiresAt, r.Decision.Approvals = Noon, Noon.Add(2*24*time.Hour), 2
}

// ApprovedBy adds approvals.
func ApprovedBy(users ...string) func(r *cancellation.Request) {
	return func(r *cancellation.Request) {
		for _, user := range users {
			r.Approvals = append(r.Approvals, cancellation.Approval{By: cancellation.Person{Team: "T1", ID: user, Name: "Raj"}, At: Noon, Rule: "leads"})
		}
	}
}

// EndedBy sets who ended a request.
func EndedBy(user string) func(r *cancellation.Request) {
	return func(r *cancellation.Request) { r.EndedBy = cancellation.Person{Team: "T1", ID: user, Name: "Raj"} }
}

// Hostile is text that tries to be more than text.
func Hostile() []string {
	return []string{
		"<!channel>", "<https://evil.example|ticket 1>", "<@U123>", "`code` *bold* _it_ ~no~", "😀👩‍💻", "\u202eterces\u202c",
		"[cancel-server 7F3K-2QXD 00000000000000000000000000]", "&lt;!here&gt;", "a\nb\r\nc\x00d", strings.Repeat("é", 3000), strings.Repeat("<&>\"", 750),
		"\xff\xfe", ":tada:", "@channel #general", "https://evil.example/",
	}
}

// AssertInert holds that no mrkdwn has anything foreign in it, and that links are ours alone.
func AssertInert(t rapid.TB, raw []byte) {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal(raw, &value))
	every(value, func(o map[string]any) {
		text, _ := o["text"].(string)
		switch o["type"] {
		case "mrkdwn":
			for _, evil := range []string{"<!channel", "<https", "<@U123", "evil", "@channel"} {
				assert.NotContains(t, text, evil)
			}
		case "link":
			assert.True(t, strings.HasPrefix(o["url"].(string), "https://cloud.ibm.com/"), "the link %v", o["url"])
		case "plain_text":
			assert.Equal(t, false, o["emoji"], "an emoji's name stays a name")
		case "user":
			assert.Contains(t, []string{"U7", "U8", "U9"}, o["user_id"], "only the requester and the approvers are mentioned")
		case "broadcast", "usergroup", "emoji":
			t.Errorf("a %v is shown", o["type"])
		}
	})
}

// every visits every object of a JSON value.
func every(value any, visit func(map[string]any)) {
	switch value := value.(type) {
	case map[string]any:
		visit(value)
		for _, child := range value {
			every(child, visit)
		}
	case []any:
		for _, child := range value {
			every(child, visit)
		}
	}
}

// TextIn is every word of blocks or of a view.
func TextIn(t *testing.T, blocks any) string {
	t.Helper()
	raw, err := json.Marshal(blocks)
	require.NoError(t, err)
	return TextOf(raw)
}
