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

// source is a policy's text with the name that errors call it by.
type source struct {
	name string
	text string
}

// place is a line and a column in a source, both from 1; columns count characters.
type place struct {
	line, column int
}

func (s source) place(offset int) place {
	before := s.text[:offset]
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return place{line: strings.Count(before, "\n") + 1, column: utf8.RuneCountInString(line) + 1}
}

func (s source) errorAt(at place, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", s.name, at.line, at.column, fmt.Sprintf(format, args...))
}

// find returns where needle stands in the rule that begins at start and ends before end, or where
// the rule begins if it is not written in just that way.
func (s source) find(needle string, start, end int) place {
	if i := strings.Index(s.text[start:end], needle); i >= 0 {
		return s.place(start + i)
	}
	return s.place(start)
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
	before, after := message[:found[0]], message[found[1]:]
	return s.errorAt(place{line: max(line, 1), column: max(column, 1)}, "%s",
		strings.TrimSpace(before+" "+after))
}

// firstBad finds an error that cedar-go reports without a position (an integer out of range, a bad
// escape): the shortest beginning of the text that has it ends there.
func (s source) firstBad() place {
	end := sort.Search(len(s.text), func(n int) bool {
		_, err := cedar.NewPolicyListFromBytes(s.name, []byte(s.text[:n]))
		return err != nil && !cedarPosition.MatchString(err.Error())
	})
	return s.place(max(end-1, 0))
}
