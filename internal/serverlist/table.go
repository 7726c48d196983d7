package serverlist

import (
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// column is what a column of a table, or a word of a header, says about a server.
type column int

const (
	notHeading column = iota
	otherColumn
	idColumn
	fullNameColumn
	nameColumn
	addressColumn
)

// headings are what columns are called, without spaces and signs: by people, by slcli's lists
// (https://github.com/softlayer/softlayer-python: CLI/hardware/list.py, CLI/report/dc_closures.py) and by
// the API's properties.
var headings = map[column]string{
	idColumn:       "id ids serverid deviceid hardwareid",
	fullNameColumn: "fqdn fullname fullyqualifieddomainname",
	nameColumn:     "name names hostname hostnames host hosts server servers servername device devices devicename",
	addressColumn: "ip ips ipaddress ipaddresses address ipv4 ipv6 publicip privateip primaryip backendip publicipaddress privateipaddress " +
		"primaryipaddress primarybackendipaddress ipv6address",
	otherColumn: "guid globalidentifier domain datacenter location dc pod status state action createdby tags tag type devicetype os operatingsystem " +
		"publicvlan privatevlan vlan cancellationdate startdate provisiondate owner team notes note comment cost price",
}

var columnsByHeading = func() map[string]column {
	all := map[string]column{}
	for kind, names := range headings {
		for _, name := range strings.Fields(names) {
			all[name] = kind
		}
	}
	return all
}()

// kindOf returns what a heading stands for.
func kindOf(heading string) column {
	return columnsByHeading[strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, heading)]
}

// table is a header with at least two columns. A nil table has no rows.
type table struct {
	delimiter rune // ' ' for any white space
	names     []string
	kinds     []column
}

// headerOf returns the table that a line is the header of; nil if it is none. Columns of at least two kinds
// have known names, and one of them says which server is meant. If two kinds do, other columns may have any
// name in words. Between spaces both must: "host name" is one column.
func headerOf(line string) *table {
	for _, delimiter := range "\t;,| " {
		t := table{delimiter: delimiter, names: split(line, delimiter)}
		if t.isHeader() {
			return &t
		}
	}
	return nil
}

// isHeader reads the names of the columns, and reports whether they are those of a header.
func (t *table) isHeader() bool {
	kinds, identifying, least := map[column]bool{}, map[column]bool{}, 1
	if t.delimiter == ' ' {
		least = 2
	}
	for _, name := range t.names {
		kind := kindOf(name)
		switch {
		case kind > otherColumn:
			identifying[kind] = true
		case kind == notHeading && strings.ContainsFunc(name, isNoWord):
			return false
		case kind == notHeading:
			kind, least = otherColumn, 2
			t.kinds = append(t.kinds, kind)
			continue
		}
		kinds[kind] = true
		t.kinds = append(t.kinds, kind)
	}
	return len(kinds) > 1 && len(identifying) >= least
}

// isNoWord reports whether a character does not belong into words, as those of a heading are.
func isNoWord(r rune) bool { return !unicode.IsLetter(r) && !strings.ContainsRune(" _()", r) }

// ignored lists the columns that do not say which server is meant.
func (t *table) ignored() (names []string) {
	for i, kind := range t.kinds {
		if kind == otherColumn {
			names = append(names, t.names[i])
		}
	}
	return names
}

// row reads a line as one server: its id, else its name, else its address. fits is false if the line has
// other columns than the header, or something else in them.
func (t *table) row(line string) (e Entry, fits bool) {
	if t == nil {
		return e, false
	}
	cells := split(line, t.delimiter)
	if fits = len(cells) <= len(t.kinds); !fits {
		return e, false
	}
	var texts []string
	for _, kind := range []column{idColumn, fullNameColumn, nameColumn, addressColumn} {
		for i, cell := range cells {
			if t.kinds[i] == kind && !isEmpty(cell) {
				texts, fits = append(texts, plain(cell)), fitsIn(cell, kind)
			}
			if !fits {
				return e, false
			}
		}
	}
	if len(texts) == 0 {
		return e, false
	}
	return Entry{Text: texts[0], Also: slices.Clip(texts[1:]), Problem: problemOf(texts[0])}, true
}

// isEmpty reports whether a cell stands for nothing.
func isEmpty(cell string) bool {
	return slices.Contains([]string{"", "-", "null", "none", "n/a"}, strings.ToLower(cell))
}

// fitsIn reports whether a cell may stand in a column that says which server is meant.
func fitsIn(cell string, kind column) bool {
	if words := tokens(cell); len(words) != 1 || words[0] != cell || isMark(plain(cell)) || isQuery(plain(cell)) {
		return false
	}
	text := plain(cell)
	_, err := netip.ParseAddr(text)
	number := strings.Trim(text, "0123456789") == ""
	switch kind {
	case idColumn:
		return number
	case addressColumn:
		return err == nil
	}
	return err != nil && !number
}

// split splits a line into cells without white space and double quotes around them, and without empty ones
// at its end.
func split(line string, delimiter rune) []string {
	if delimiter == ' ' {
		return slices.DeleteFunc(strings.Fields(line), func(cell string) bool { return cell == "|" || cell == ":" })
	}
	cells := strings.Split(outsideQuotes(line, delimiter), "\n")
	for i := range cells {
		cells[i] = strings.Trim(cells[i], " \"\t")
	}
	if delimiter == '|' && cells[0] == "" { // the frame around the table
		cells = cells[1:]
	}
	for len(cells) > 0 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	return cells
}

// outsideQuotes makes line ends of the delimiters that do not stand between double quotes. If the quotes do
// not match, they do not count.
func outsideQuotes(line string, delimiter rune) string {
	within, matching := false, strings.Count(line, `"`)%2 == 0
	return strings.Map(func(r rune) rune {
		if r == '"' && matching {
			within = !within
		}
		if r == delimiter && !within {
			return '\n'
		}
		return r
	}, line)
}
