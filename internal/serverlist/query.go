package serverlist

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"cancel-server/internal/spelling"
)

// Word is the word before the colon of a query.
type Word string

// The words of queries.
const (
	Tag     Word = "tag"     // tag:NAME
	DC      Word = "dc"      // dc:che01, a data center
	Pod     Word = "pod"     // pod:dal09.pod03
	Closing Word = "closing" // closing: alone, all that SoftLayer or the administrator says will close
)

// Words lists the words that a query may begin with.
func Words() []Word { return []Word{Tag, DC, Pod, Closing} }

// Query asks for all servers with something in common.
type Query struct {
	Word Word
	Name string // of the tag, the data center or the pod; foreign text
}

// String returns the query as [Parse] reads it.
func (q Query) String() string {
	if strings.ContainsFunc(q.Name, separates) {
		return string(q.Word) + `:"` + q.Name + `"`
	}
	return string(q.Word) + ":" + q.Name
}

// QueryProblem is why a text with a colon is no query.
type QueryProblem string

// The problems of queries.
const (
	UnknownWord QueryProblem = "unknown-word" // the word is not one of [Words]
	NoName      QueryProblem = "no-name"      // there is nothing after the colon
	NotAPlace   QueryProblem = "not-a-place"  // data centers are called like che01, and pods like dal09.pod03
	TakesNoName QueryProblem = "no-name-here" // closing: stands alone
	BadName     QueryProblem = "bad-name"     // the name is too long, or cannot be read
)

// WrongQuery is a text with a colon that is no query.
type WrongQuery struct {
	Text  string // foreign text
	Why   QueryProblem
	Meant Word // the word that was probably meant, if the word is unknown; "" for none
}

// QueryError says which queries were not understood. Nothing is looked up until they are corrected.
type QueryError struct{ Wrong []WrongQuery }

// Error names the first of them, and what is allowed.
func (e *QueryError) Error() string {
	return "reading a list of servers: " + string(e.Wrong[0].Why) + " in a query; allowed are tag:NAME, dc:NAME, pod:NAME and closing:"
}

var (
	query    = regexp.MustCompile(`^([A-Za-z]+):(.*)$`)
	quoted   = regexp.MustCompile(`(?i)\b(?:tag|dc|pod):[ \t]*"[^"\n]*"`)
	opening  = regexp.MustCompile(`(?i)^(?:tag|dc|pod):$`)
	hardware = regexp.MustCompile(`(?i)^[0-9a-f]{2}(:[0-9a-f]{2}){5}$`) // the address of a network card
)

// placeName is how data centers and pods are called.
var placeName = map[Word]*regexp.Regexp{
	DC:  regexp.MustCompile(`^[a-z]+[0-9]+$`),
	Pod: regexp.MustCompile(`^[a-z]+[0-9]+\.pod[0-9]+$`),
}

// opensQuery reports whether the name of a query follows after a space.
func opensQuery(text string) bool { return opening.MatchString(text) }

// isQuery reports whether a field is a query, or is meant to be one: not an address, and not a word with a
// colon at its end.
func isQuery(text string) bool {
	parts := query.FindStringSubmatch(text)
	if parts == nil || strings.HasPrefix(parts[2], "//") || hardware.MatchString(text) {
		return false
	}
	_, err := netip.ParseAddr(text)
	return err != nil && (parts[2] != "" || known(Word(strings.ToLower(parts[1]))))
}

func known(word Word) bool { return slices.Contains(Words(), word) }

// query adds a query, or notes what is wrong with it.
func (p *parser) query(text string) {
	p.begun = true
	parts := query.FindStringSubmatch(text)
	q := Query{Word: Word(strings.ToLower(parts[1])), Name: strings.Trim(parts[2], "\"' \t")}
	if q.Word != Tag {
		q.Name = strings.ToLower(q.Name)
	}
	if why := q.problem(); why != "" {
		wrong := WrongQuery{Text: text, Why: why}
		if why == UnknownWord {
			wrong.Meant = meant(q.Word)
		}
		p.wrong = append(p.wrong, wrong)
		return
	}
	key := strings.ToLower(q.String())
	if p.seen[key] {
		p.list.Repeated++
		return
	}
	p.seen[key] = true
	p.list.Queries = append(p.list.Queries, q)
}

func (q Query) problem() QueryProblem {
	switch {
	case !known(q.Word):
		return UnknownWord
	case q.Word != Closing:
		return q.nameProblem()
	case q.Name != "":
		return TakesNoName
	}
	return ""
}

func (q Query) nameProblem() QueryProblem {
	form, isPlace := placeName[q.Word]
	switch {
	case q.Name == "":
		return NoName
	case strings.Contains(q.Name, `"`) || problemOf(q.Name) != "":
		return BadName
	case isPlace && !form.MatchString(q.Name):
		return NotAPlace
	}
	return ""
}

// meant returns the known word that is closest to an unknown one, or "".
func meant(word Word) (closest Word) {
	name := spelling.New(string(word))
	most := spelling.Tolerated(string(word))
	for _, other := range Words() {
		if errors := spelling.Errors(name, string(other), most); errors <= most {
			closest, most = other, errors-1
		}
	}
	return closest
}
