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
	before, after := message[:found[0]], message[found[1]:]
	return s.errorAt(position{line: max(line, 1), column: max(column, 1)}, "%s",
		strings.TrimSpace(before+" "+after))
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
