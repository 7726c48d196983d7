package serverlist

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"cancel-server/internal/cancellation"
)

// MaxInput is how many characters one input of Slack's takes. Slack cuts what is longer, so a text of this
// length may have been cut.
const MaxInput = 3000

// maxName is longer than any host name and any tag.
const maxName = 255

// Problem is why an entry is not looked up.
type Problem string

// The problems of entries.
const (
	MayBeCut   Problem = "may-be-cut" // it ends a text that may have been cut
	TooLong    Problem = "too-long"   // no server has such a long name
	Unanswered Problem = "unanswered" // it was looked up, and nobody answered; [Parse] never says so
	Unreadable Problem = "unreadable" // it has characters that are not shown, or that turn what is shown around
)

// Entry is one server as a person named it.
type Entry struct {
	Text    string   // a name, an id or an address; foreign text
	Also    []string // what else the row of a table says about the same server
	Problem Problem  // "" for an entry that can be looked up
}

// ID returns the id of the server if a person gave one, and 0 if not.
func (e Entry) ID() int64 {
	id, err := strconv.ParseInt(keyOf(e.Text), 10, 64)
	if err != nil || id <= 0 || e.Problem != "" {
		return 0
	}
	return id
}

// List is what a person pasted.
type List struct {
	Entries []Entry // each once, in the order of the text
	Queries []Query // each once, in the order of the text

	Headings []string // words and columns of a header, which are no entries
	Ignored  []string // those of them whose columns are not read
	Repeated int      // entries and queries that were named again
	Marks    int      // bullets, numbers of lines, and other signs without a letter
	Full     bool     // a text is as long as Slack lets it be: what followed may be missing
}

// Parse reads the texts of one or more inputs, which follow each other. Its only error is a *[QueryError];
// the list is then what was understood.
func Parse(inputs ...string) (List, error) {
	p := parser{seen: map[string]bool{}}
	for _, text := range inputs {
		p.input(text)
	}
	p.finish()
	if len(p.wrong) > 0 {
		return p.list, &QueryError{p.wrong}
	}
	return p.list, nil
}

// parser collects what the inputs hold.
type parser struct {
	list  List
	wrong []WrongQuery
	seen  map[string]bool // the keys of entries, and the texts of queries
	heads []string        // the lines that have words of a header

	// Of this input.
	begun  bool   // it had an entry or a query
	headed bool   // it had a word that says which server is meant
	looked bool   // its first line was looked at
	header *table // which is a header with columns
}

func (p *parser) input(text string) {
	full := len(utf16.Encode([]rune(text))) >= MaxInput
	p.list.Full, p.begun = p.list.Full || full, false
	p.header, p.looked, p.headed = nil, false, false
	lines := strings.Split(clean(text), "\n")
	for n, line := range lines {
		p.read(line, full && n == len(lines)-1)
	}
}

// read reads a line. cut says that the text may end within it.
func (p *parser) read(line string, cut bool) {
	if !strings.ContainsFunc(line, isNameable) {
		p.list.Marks += len(strings.FieldsFunc(line, separates))
		return
	}
	if !p.looked {
		p.looked = true
		if p.header = headerOf(line); p.header != nil {
			p.heading(line)
			return
		}
	}
	if row, fits := p.header.row(line); fits {
		if cut {
			row.Problem = MayBeCut
		}
		p.begun = true // a server may be called host
		p.add(row)
		return
	}
	if len(p.list.Entries) == 0 {
		p.heads = append(p.heads, line)
	}
	p.line(line, cut)
}

// heading notes a header that has columns.
func (p *parser) heading(line string) {
	p.list.Headings = append(p.list.Headings, p.header.names...)
	p.list.Ignored = append(p.list.Ignored, p.header.ignored()...)
	p.heads = append(p.heads, line)
}

// line reads each field of a line as an entry or a query. cut says that the text may end within the last.
func (p *parser) line(line string, cut bool) {
	last, _ := utf8.DecodeLastRuneInString(line)
	cut = cut && !separates(last)
	fields := tokens(line)
	for n := 0; n < len(fields); n++ {
		text := plain(fields[n])
		if opensQuery(text) && n+1 < len(fields) { // tag: staging
			n++
			text += plain(fields[n])
		}
		p.field(text, cut && n == len(fields)-1)
	}
}

// field reads a plain field. cut says that it may not be whole.
func (p *parser) field(text string, cut bool) {
	switch {
	case isMark(text):
		p.list.Marks++
	case cut:
		p.add(Entry{Text: text, Problem: MayBeCut})
	case isQuery(text):
		p.query(text)
	default:
		p.add(Entry{Text: text, Problem: problemOf(text)})
	}
}

// add adds an entry, unless it was there before or is a word of a header. Words that do not say which server
// is meant, such as dc, are those of a header only after one that does: servers are called so.
func (p *parser) add(e Entry) {
	if kind := kindOf(e.Text); !p.begun && e.Problem == "" && (kind > otherColumn || kind == otherColumn && p.headed) {
		p.headed = true
		p.list.Headings = append(p.list.Headings, e.Text)
		return
	}
	p.begun = true
	key := string(e.Problem) + "\n" + keyOf(e.Text)
	if p.seen[key] {
		p.list.Repeated++
		return
	}
	p.seen[key] = true
	p.list.Entries = append(p.list.Entries, e)
}

// finish reads the words of headers as entries if there is nothing else: a server may be called server.
func (p *parser) finish() {
	lines, marks := p.heads, p.list.Marks
	for _, begun := range []bool{false, true} {
		if len(p.list.Entries)+len(p.list.Queries)+len(p.wrong) > 0 {
			return
		}
		p.list = List{Marks: marks, Full: p.list.Full}
		p.begun, p.headed = begun, false
		for _, line := range lines {
			p.line(line, false)
		}
	}
}

// keyOf returns the same text for all ways to write a name, an id or an address.
func keyOf(text string) string {
	name := cancellation.PlainName(text)
	if address, err := netip.ParseAddr(name); err == nil {
		return address.Unmap().String()
	}
	return name
}

func problemOf(text string) Problem {
	switch {
	case strings.ContainsRune(text, utf8.RuneError):
		return Unreadable
	case utf8.RuneCountInString(text) > maxName:
		return TooLong
	}
	return ""
}

// separates reports whether a character stands between entries. The text is clean.
func separates(r rune) bool { return strings.ContainsRune(" \t,;\"`<>|", r) }

// tokens splits a line into what stands between separators. A query's name in double quotes stays whole.
func tokens(line string) (found []string) {
	for line != "" {
		at := quoted.FindStringIndex(line)
		if at == nil {
			return append(found, strings.FieldsFunc(line, separates)...)
		}
		found = append(found, strings.FieldsFunc(line[:at[0]], separates)...)
		found = append(found, line[at[0]:at[1]])
		line = line[at[1]:]
	}
	return found
}

var (
	// bullet is a number before an item of a list.
	bullet = regexp.MustCompile(`^\(?[0-9]{1,3}[.)]$`)
	// webAddress is a host with nothing else, as Slack and browsers make a link of it.
	webAddress = regexp.MustCompile(`(?i)^https?://([^/?#@]+?)(:[0-9]+)?/?$`)
)

// plain takes quotes, brackets in pairs and the parts of a web address around a host from a field.
func plain(text string) string {
	for before := ""; text != before; {
		before = text
		text = unbracketed(strings.Trim(text, "'"))
		if host := webAddress.FindStringSubmatch(text); host != nil {
			text = host[1]
		}
	}
	return text
}

// unbracketed takes the brackets away in which a text stands, unless they are those of a [bullet].
func unbracketed(text string) string {
	for _, pair := range []string{"()", "[]", "{}"} {
		if within, opened := strings.CutPrefix(text, pair[:1]); opened && strings.HasSuffix(within, pair[1:]) && !bullet.MatchString(text) {
			return within[:len(within)-1]
		}
	}
	return text
}

// isMark reports whether a field is no entry: it has no letter and no digit, or is the number of an item.
func isMark(text string) bool {
	return !strings.ContainsFunc(text, isNameable) || bullet.MatchString(text)
}

func isNameable(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == utf8.RuneError }
