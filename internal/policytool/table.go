package policytool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// Table is a file of cases that a policy is tested against. It is strict JSON: an unknown or
// repeated name is refused, since a case that means nothing would look like one that holds.
type Table struct {
	Team    string              `json:"team"`    // where the bot is installed; ids without a team belong to it
	Account string              `json:"account"` // SoftLayer's; a policy sees it as context.account
	People  byName[tablePerson] `json:"people"`
	Servers byName[tableServer] `json:"servers"`
	Cases   []tableCase         `json:"cases"`
}

type tablePerson struct {
	ID          string   `json:"id"` // "U…", or "TEAM/U…"
	Groups      []string `json:"groups"`
	Guest       bool     `json:"guest"`
	Bot         bool     `json:"bot"`
	Deactivated bool     `json:"deactivated"`
	Stranger    bool     `json:"stranger"` // as is everybody of another team
}

type tableServer struct {
	ID         int64    `json:"id"`
	Name       string   `json:"name"` // with its domain
	Datacenter string   `json:"datacenter"`
	Tags       []string `json:"tags"`
	Fee        string   `json:"fee"` // a month, in decimal text; left out: unknown
	Hourly     bool     `json:"hourly"`
}

// tableCase asks for a server's cancellation or, with a requester, whether "who" may approve that
// requester's.
type tableCase struct {
	Says       string   `json:"says"` // what it is about, for people
	Who        string   `json:"who"`
	Server     string   `json:"server"`
	Channel    string   `json:"channel"`
	Associated bool     `json:"associated"`
	Reason     string   `json:"reason"` // one of SoftLayer's ten; left out: the first
	Warnings   []string `json:"warnings"`
	Count      int64    `json:"count"` // servers in the form; left out: 1
	Today      int64    `json:"today"` // servers asked for in the day, with those of the form; left out: those of the form
	Requester  string   `json:"requester"`
	Approvals  int      `json:"approvals"` // valid ones before this one
	Expect     string   `json:"expect"`
	By         string   `json:"by"` // one of the deciding rules; left out: any
}

// byName is a JSON object with names that the author chooses. An error about a value carries
// its name.
type byName[T any] map[string]T

// UnmarshalJSON reads the object name by name.
func (n *byName[T]) UnmarshalJSON(data []byte) error {
	*n = byName[T]{}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		var value T
		if err := decodeStrictly(values[name], &value); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		(*n)[name] = value
	}
	return nil
}

// repeated returns the first name that appears twice in one object of a valid JSON text, or "".
// encoding/json would take the last one and ignore the case of names.
func repeated(in *json.Decoder) string {
	token, _ := in.Token()
	open, _ := token.(json.Delim)
	if open != '{' && open != '[' {
		return ""
	}
	seen := map[string]bool{}
	for in.More() {
		if open == '{' {
			key, _ := in.Token()
			name, _ := key.(string)
			if seen[strings.ToLower(name)] {
				return name
			}
			seen[strings.ToLower(name)] = true
		}
		if name := repeated(in); name != "" {
			return name
		}
	}
	_, _ = in.Token() // what closes it
	return ""
}

func decodeStrictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is text after the end of the table")
	}
	return nil
}

// ReadTable reads a table of cases for a bot installed in team; if team is "", the table names its
// own. The error lists everything that is wrong with the file.
func ReadTable(path, team string) (Table, error) {
	var t Table
	data, err := os.ReadFile(path)
	if err != nil {
		return t, fmt.Errorf("reading the table of cases: %w", err)
	}
	if err := decodeStrictly(data, &t); err != nil {
		return t, fmt.Errorf("%s%s: %w", path, lineOf(data, err), err)
	}
	if name := repeated(json.NewDecoder(bytes.NewReader(data))); name != "" {
		return t, fmt.Errorf("%s: %q appears twice in one object", path, name)
	}
	if team != "" && t.Team != "" && team != t.Team {
		return t, fmt.Errorf("%s: it is about team %q, and --team says %s", path, t.Team, team)
	}
	if t.Team == "" {
		t.Team = team
	}
	if problems := t.problems(); len(problems) > 0 {
		return t, fmt.Errorf("%s:\n  %s", path, strings.Join(problems, "\n  "))
	}
	return t, nil
}

// lineOf returns the line in which a file stops being JSON, as ":3".
func lineOf(data []byte, err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf(":%d", bytes.Count(data[:syntax.Offset], []byte("\n"))+1)
	}
	return ""
}

// problems lists what Slack and SoftLayer could never return: a case about it would test nothing.
func (t Table) problems() []string {
	var found []string
	complain := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if t.Team != "" && !teamID.MatchString(t.Team) {
		complain("team: %q is no id of a team or an enterprise", t.Team)
	}
	if !accountID.MatchString(t.Account) {
		complain("account: %q is not the digits of a SoftLayer account", t.Account)
	}
	for _, name := range slices.Sorted(maps.Keys(t.People)) {
		for _, problem := range t.People[name].problems(t.Team) {
			complain("person %q: %s", name, problem)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Servers)) {
		for _, problem := range t.Servers[name].problems() {
			complain("server %q: %s", name, problem)
		}
	}
	if len(t.Cases) == 0 {
		complain("no cases: nothing would be tested")
	}
	for i, c := range t.Cases {
		for _, problem := range t.caseProblems(c) {
			complain("%s: %s", c.title(i), problem)
		}
	}
	return found
}

func (p tablePerson) problems(team string) []string {
	var found []string
	switch {
	case !userID.MatchString(p.ID) && !wholeID.MatchString(p.ID):
		found = append(found, fmt.Sprintf("id %q is not a Slack user's (U…, W… or TEAM/U…)", p.ID))
	case userID.MatchString(p.ID) && team == "":
		found = append(found, `whose team? Give the table a "team", or name it by --team, or write TEAM/`+p.ID)
	}
	for _, group := range p.Groups {
		if !groupID.MatchString(group) {
			found = append(found, fmt.Sprintf("group %q is not a Slack user group's id (S…)", group))
		}
	}
	return found
}

func (s tableServer) problems() []string {
	var found []string
	if s.ID <= 0 {
		found = append(found, "id: a hardware id is above 0")
	}
	if !hostDomain.MatchString(s.Name) {
		found = append(found, fmt.Sprintf("name %q is not a host name with its domain", s.Name))
	}
	if s.Datacenter == "" {
		found = append(found, "datacenter: give its short name, such as fra02")
	}
	if _, err := authz.MonthlyFee(false, s.Fee); err != nil {
		found = append(found, "fee: "+err.Error())
	}
	return found
}

func (t Table) caseProblems(c tableCase) []string {
	var found []string
	need := func(fine bool, format string, args ...any) {
		if !fine {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	_, person := t.People[c.Who]
	_, server := t.Servers[c.Server]
	_, requester := t.People[c.Requester]
	need(person, "who: there is no person %q", c.Who)
	need(server, "server: there is no server %q", c.Server)
	need(requester || c.Requester == "", "requester: there is no person %q", c.Requester)
	need(c.Requester != "" || c.Approvals == 0, "approvals: they count for an approval, which has a requester")
	need(c.Approvals >= 0, "approvals: %d is below 0", c.Approvals)
	need(CheckChannel(c.Channel) == "", "channel: %q is %s", c.Channel, CheckChannel(c.Channel))
	need(c.Reason == "" || slices.Contains(cancellation.Reasons(), c.Reason), "reason: %q is not one of SoftLayer's ten", c.Reason)
	for _, warning := range c.Warnings {
		need(slices.Contains(warnings, warning), "warnings: %q is not one of %s", warning, strings.Join(warnings, ", "))
	}
	found = append(found, countProblems("", c.Count, c.Today)...)
	outcome := expectation.FindStringSubmatch(c.Expect)
	need(outcome != nil, "expect: %q is not one of refused, may file, needs N approvals and, with a requester, may approve", c.Expect)
	need(outcome == nil || c.Expect == "refused" || (c.Requester != "") == (c.Expect == mayApprove),
		"expect: %q cannot come of this; with a requester it is refused or may approve, without one another", c.Expect)
	return found
}

// countProblems lists what no form could come to. 0 is a number that is left out.
func countProblems(flag string, count, today int64) []string {
	var found []string
	if count < 0 {
		found = append(found, fmt.Sprintf("%scount: %d is below 1", flag, count))
	}
	if today < 0 || today > 0 && today < max(count, 1) {
		found = append(found, fmt.Sprintf("%stoday: %d is less than the %d of the form", flag, today, max(count, 1)))
	}
	return found
}

var warnings = []string{cancellation.WarningGateway, cancellation.WarningProvisioned, cancellation.WarningTransaction}

// What a case may expect.
const (
	mayFile    = "may file"
	mayApprove = "may approve"
)

var expectation = regexp.MustCompile(`^(?:refused|may file|may approve|needs (?:1 approval|[2-9] approvals))$`)

// title names a case in messages.
func (c tableCase) title(i int) string {
	if c.Says == "" {
		return fmt.Sprintf("case %d", i+1)
	}
	return fmt.Sprintf("case %d (%s)", i+1, Printable(c.Says))
}
