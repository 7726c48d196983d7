package inquiry

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"cancel-server/internal/cancellation"
)

// Page writes what people read. What is foreign goes through printable, which returns one line that
// moves no terminal's cursor.
type Page struct {
	out       *bufio.Writer
	printable func(string) string
}

// NewPage returns a page on out.
func NewPage(out io.Writer, printable func(string) string) *Page {
	return &Page{bufio.NewWriter(out), printable}
}

// File writes everything on record about a request.
func (p *Page) File(f *File) error {
	p.top(f)
	p.decided(f)
	p.list("APPROVALS\tBY\tRULE\tPOLICY", len(f.Approvals), func(i int) []any {
		a := f.Approvals[i]
		return []any{at(a.At), a.By, a.Rule, short(a.Policy)}
	})
	p.list("HISTORY\tWHAT\tBY\tSTATE\tSAID", len(f.History), func(i int) []any {
		e := f.History[i]
		return []any{at(e.At), e.Kind, e.Actor, moved(e), said(e)}
	})
	p.list("READ\tWHAT\tSAID", len(f.Reads), func(i int) []any { return []any{at(f.Reads[i].At), f.Reads[i].What, f.Reads[i].Said} })
	p.calls(f.Calls)
	p.list("MESSAGES\tWAY\tCHANNEL\tTS\tSTATUS", len(f.Messages), func(i int) []any {
		m := f.Messages[i]
		return []any{m.Kind, m.Way, dash(m.Channel), dash(m.TS), m.Status}
	})
	p.list("DIRECT MESSAGES\tTO\tKIND\tDETAIL\tTOLD", len(f.News), func(i int) []any {
		n := f.News[i]
		return []any{at(n.At), n.To, n.Kind, dash(n.Detail), since(n.Settled)}
	})
	p.texts(f.Texts)
	p.saw(f.Saw)
	p.policies(f.Policies)
	return p.out.Flush()
}

func (p *Page) top(f *File) {
	p.line(f.Ref, string(f.State), "since", at(f.Since), ended(f.Why))
	p.line("Times are in UTC.")
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	row := func(name string, values ...any) { fmt.Fprintf(table, "%s\t%s\n", name, p.join(values)) }
	row("Server", f.Server+",", "id", strconv.FormatInt(f.ServerID, 10)+",", dash(f.Datacenter))
	row("Account", f.Account, f.Saw.Account.Name)
	row("Asked", at(f.AskedAt), "by", f.By, "in", place(f.Asked))
	row("Reason", f.Asked.Reason)
	row("Text", f.Asked.Text)
	row("Typed", f.Asked.Confirmation)
	row("Associated", map[bool]string{true: "yes: their billing items go too", false: "no"}[f.Asked.Associated])
	if f.Asked.Repeats > 0 {
		row("Again", "denied again", f.Asked.Repeats, "times")
	}
	if f.EndedBy != nil {
		row("Ended by", *f.EndedBy)
	}
	if f.Ticket != 0 {
		row("Ticket", ticket(f.Summary), "sent", since(f.SentAt))
	}
	if f.StopAsked != nil {
		row("Stop", "SoftLayer was asked to stop", at(*f.StopAsked))
	}
	_ = table.Flush() // bufio keeps the error
}

func (p *Page) decided(f *File) {
	d := f.Decision
	p.blank()
	p.line("DECISION", d.Effect, "by rule", d.Rule, "of policy", short(d.Policy), ended(d.Reason))
	if d.Approvals > 0 {
		p.line("approvals needed:", d.Approvals)
	}
	if d.Count > 0 {
		p.line("context.count:", d.Count, "context.today:", d.Today)
	}
}

// list writes a table, if it has rows.
func (p *Page) list(head string, rows int, row func(i int) []any) {
	if rows == 0 {
		return
	}
	p.blank()
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, head)
	for i := range rows {
		var cells []string
		for _, cell := range row(i) {
			cells = append(cells, p.text(cell))
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	_ = table.Flush() // bufio keeps the error
}

func (p *Page) calls(calls []Call) {
	for i, c := range calls {
		p.blank()
		p.line("CALL", strconv.Itoa(i+1), "to SoftLayer", at(c.At), c.Method)
		for _, name := range slices.Sorted(maps.Keys(c.Sent)) {
			p.block(name, fmt.Sprint(c.Sent[name]))
		}
		if c.AnsweredAt == nil {
			p.line("no answer is on record")
			continue
		}
		p.line("answered", at(*c.AnsweredAt), c.Outcome, ended(c.Answer))
	}
}

func (p *Page) texts(texts []Text) {
	for _, t := range texts {
		p.blank()
		p.line("TEXT FOR THE TICKET", at(t.At), t.Kind, "by", t.By, t.State, "since", at(t.Since), ended(t.Why))
		p.block("sent as", t.Entry)
	}
}

// saw writes each fact of the card.
func (p *Page) saw(card cancellation.Card) {
	p.blank()
	p.line("WHAT THEY SAW")
	text, _ := json.Marshal(card) // what was read from JSON
	var members map[string]any
	_ = json.Unmarshal(text, &members) // of an object
	p.facts("", members)
}

func (p *Page) facts(prefix string, members map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		switch value := members[name].(type) {
		case nil:
		case map[string]any:
			p.facts(prefix+name+".", value)
		case float64:
			p.line(prefix+name+":", strconv.FormatFloat(value, 'f', -1, 64))
		case string:
			p.line(prefix+name+":", value)
		default:
			text, _ := json.Marshal(value) // what was read from JSON
			p.line(prefix+name+":", string(text))
		}
	}
}

func (p *Page) policies(all []PolicyText) {
	for _, policy := range all {
		p.blank()
		switch {
		case policy.Gone:
			p.line("POLICY", policy.Digest, "its text is gone: somebody deleted it from the database")
			continue
		case policy.Text == nil:
			p.line("POLICY", policy.Digest, "text not recorded")
			continue
		}
		if policy.Forged {
			p.changed()
		}
		p.block("POLICY "+policy.Digest+", first in force "+since(policy.Since), *policy.Text)
	}
}

func (p *Page) changed() {
	p.line("The text below does not have its digest: somebody changed it in the database.")
}

// Policy writes one policy.
func (p *Page) Policy(policy Policy) error {
	if policy.forged() {
		p.changed()
	}
	p.block("POLICY "+policy.Digest+", first in force "+at(policy.Since), policy.Text)
	return p.out.Flush()
}

// History writes the requests for a server.
func (p *Page) History(entries []Entry) error {
	if len(entries) == 0 {
		p.line("none")
	}
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for i, e := range entries {
		if i == 0 {
			fmt.Fprintln(table, "ASKED\tREF\tSTATE\tSINCE\tSERVER\tID\tBY\tRULE\tTICKET\tWHY")
		}
		row := []any{at(e.AskedAt), e.Ref, string(e.State), at(e.Since), e.Server, e.ServerID, e.By, e.Decision.Rule, ticket(e.Summary), dash(e.Why)}
		var cells []string
		for _, cell := range row {
			cells = append(cells, p.text(cell))
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	_ = table.Flush() // bufio keeps the error
	for _, e := range entries {
		p.people(e)
	}
	return p.out.Flush()
}

// people writes who else had a say in a request.
func (p *Page) people(e Entry) {
	for _, a := range e.Approvals {
		p.line(e.Ref, "approved", at(a.At), "by", a.By, "rule", a.Rule, "policy", short(a.Policy))
	}
	if e.EndedBy != nil {
		p.line(e.Ref, "ended", at(e.Since), "by", *e.EndedBy)
	}
	for _, refused := range e.Refusals {
		p.line(e.Ref, refused.Kind, at(refused.At), "by", refused.Actor, said(refused))
	}
}

func (p *Page) blank() { _ = p.out.WriteByte('\n') } // Flush returns the error

func (p *Page) line(values ...any) { fmt.Fprintln(p.out, p.join(values)) }

// join puts spaces between values, but for those that are empty or begin with a colon.
func (p *Page) join(values []any) string {
	var line strings.Builder
	for _, value := range values {
		text := p.text(value)
		if line.Len() > 0 && text != "" && !strings.HasPrefix(text, ": ") {
			line.WriteByte(' ')
		}
		line.WriteString(text)
	}
	return line.String()
}

func (p *Page) text(value any) string {
	if person, is := value.(Person); is {
		value = strings.TrimSpace(person.Name + " (" + person.ID + ")")
	}
	return p.printable(fmt.Sprint(value))
}

// block writes a text of several lines, indented.
func (p *Page) block(head, text string) {
	if !strings.Contains(text, "\n") {
		p.line(head+":", text)
		return
	}
	p.line(head + ":")
	for line := range strings.Lines(text) {
		fmt.Fprintln(p.out, strings.TrimRight("    "+p.printable(strings.TrimSuffix(line, "\n")), " "))
	}
}

func at(t time.Time) string { return t.UTC().Format(time.DateTime) }

func since(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return at(*t)
}

// short is the beginning of a digest, which names a policy well enough for people.
func short(digest string) string {
	if digest == "" {
		return "-"
	}
	return digest[:min(len(digest), 12)]
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func ended(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

func place(a Asked) string {
	switch {
	case a.Channel == "":
		return "no channel"
	case a.ChannelName == "":
		return a.Channel
	}
	return "#" + a.ChannelName + " (" + a.Channel + ")"
}

func ticket(s Summary) string {
	switch id := strconv.FormatInt(s.Ticket, 10); {
	case s.Ticket == 0:
		return "-"
	case s.Number != "" && s.Number != id:
		return s.Number + " (" + id + ")"
	default:
		return id
	}
}

func moved(e Event) string {
	if e.From == e.To {
		return string(e.To)
	}
	return strings.TrimSpace(string(e.From) + " → " + string(e.To))
}

func said(e Event) string {
	text := e.Why
	if e.Detail != nil {
		whole, _ := json.Marshal(e.Detail) // what was read from JSON
		text = string(whole)
	}
	if e.Rule != "" && !strings.HasPrefix(text, e.Rule) {
		text = strings.TrimSpace("rule " + e.Rule + " " + text)
	}
	if e.Policy != "" {
		text += ", policy " + short(e.Policy)
	}
	return dash(text)
}
