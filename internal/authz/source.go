package authz

import (
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go"
)

// source is a policy's text, with its name in errors.
type source struct {
	name string
	text string
}

// position is a line and a column in a source, both from 1; columns count characters.
type position struct {
	line, column int
}

func (s source) position(offset int) position {
	before := s.text[:offset]
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return position{line: strings.Count(before, "\n") + 1, column: utf8.RuneCountInString(line) + 1}
}

func (s source) errorAt(at position, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", s.name, at.line, at.column, fmt.Sprintf(format, args...))
}

// find returns the position of needle in the rule that begins at start and ends before end. If needle
// is not in it, find returns the start of the rule.
func (s source) find(needle string, start, end int) position {
	if i := strings.Index(s.text[start:end], needle); i >= 0 {
		return s.position(start + i)
	}
	return s.position(start)
}

// parse reads the rules. Cedar's parser stops at the first syntax error.
func (s source) parse() (cedar.PolicyList, error) {
	list, err := cedar.NewPolicyListFromBytes(s.name, []byte(s.text))
	if err != nil {
		return nil, s.syntaxError(err)
	}
	return list, nil
}

// cedarPosition is how cedar-go's scanner writes a position; it does not know the file's name.
var cedarPosition = regexp.MustCompile(`(?: at )?<input>:(\d+):(\d+):? ?`)

// syntaxError names the file, line and column of a syntax error.
func (s source) syntaxError(err error) error {
	message := strings.TrimPrefix(err.Error(), "parser error: ")
	found := cedarPosition.FindStringSubmatchIndex(message)
	if found == nil {
		return s.errorAt(s.firstBad(), "%s", message)
	}
	line, _ := strconv.Atoi(message[found[2]:found[3]])
	column, _ := strconv.Atoi(message[found[4]:found[5]])
	at := position{line: max(line, 1), column: max(column, 1)}
	said := strings.TrimSpace(message[:found[0]] + " " + message[found[1]:])
	for _, m := range mistakes {
		if parts := m.said.FindStringSubmatch(said); parts != nil {
			at = s.wordBefore(at, parts[1])
			return s.errorAt(at, "in line %d, at column %d, %s", at.line, at.column, m.words(parts))
		}
	}
	return s.errorAt(at, "in line %d, at column %d: %s", at.line, at.column, said)
}

// mistakes are what cedar-go's parser says, and what that means. The first part of each is the word that
// it stumbled over, "" for the file's end, or for a mistake that it names where it is.
var mistakes = []struct {
	said  *regexp.Regexp
	words func(parts []string) string
}{
	{regexp.MustCompile(`exact got (.*) want (.+)$`), func(parts []string) string {
		if parts[1] == "" {
			return fmt.Sprintf("the file ends where %q is expected", parts[2])
		}
		return fmt.Sprintf("%q stands where %q is expected", parts[1], parts[2])
	}},
	{regexp.MustCompile(`()got (.*) want (.+)$`), func(parts []string) string {
		return fmt.Sprintf("%q stands where %q is expected", parts[2], parts[3])
	}},
	{regexp.MustCompile(`unexpected effect: (.*)$`), func(parts []string) string {
		return fmt.Sprintf("%q begins no rule: a rule begins with permit or forbid, after its annotations", parts[1])
	}},
	{regexp.MustCompile(`()invalid primary$`), func([]string) string {
		return "a value is expected before this: a text in quotes, a number, true, false, principal, action, resource or context"
	}},
	{regexp.MustCompile(`()expected string`), func([]string) string { return "a text in quotes is expected before this" }},
	{regexp.MustCompile(`()literal not terminated$`), func([]string) string { return "the quotes of a text are not closed" }},
	{regexp.MustCompile(`()comment not terminated$`), func([]string) string { return "a comment is not closed by */" }},
}

// wordBefore returns where a word stands that cedar-go read right before a position; the position itself
// if the word is "" or not there.
func (s source) wordBefore(at position, word string) position {
	lines := strings.SplitAfter(s.text, "\n")
	if word == "" || at.line > len(lines) {
		return at
	}
	before := strings.Join(lines[:at.line-1], "") + firstRunes(lines[at.line-1], at.column-1)
	if i := strings.LastIndex(before, word); i >= 0 {
		return s.position(i)
	}
	return at
}

func firstRunes(line string, most int) string {
	runes := []rune(line)
	return string(runes[:min(most, len(runes))])
}

// firstBad returns the position of an error that cedar-go reports without one (an integer out of range,
// a bad escape). That is the end of the shortest prefix of the text that has the error.
func (s source) firstBad() position {
	end := sort.Search(len(s.text), func(n int) bool {
		_, err := cedar.NewPolicyListFromBytes(s.name, []byte(s.text[:n]))
		return err != nil && !cedarPosition.MatchString(err.Error())
	})
	return s.position(max(end-1, 0))
}
