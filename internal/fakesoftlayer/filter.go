package fakesoftlayer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// filter is a parsed objectFilter: conditions that all hold, and an order.
// https://sldn.softlayer.com/article/object-filters/
type filter struct {
	conditions []condition
	order      []string
	descending bool
}

// condition holds one property, reached by path, against an operation.
type condition struct {
	path  []string
	holds func(value string) bool
	// absent is what the condition says of a property that is not there.
	absent bool
}

// unrooted is the root of a list that hangs on no object: its filter speaks of the elements'
// properties at once, as in
// https://github.com/softlayer/softlayer-python/blob/master/SoftLayer/CLI/report/dc_closures.py
const unrooted = "."

// parseFilter reads an objectFilter for a list whose elements are of one data
// type and whose root has one name. Whatever it cannot read is an error, which
// SoftLayer does not report: it ignores the filter and returns everything.
func parseFilter(text, root, typ string) (filter, error) {
	var whole tree
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&whole); err != nil {
		return filter{}, fmt.Errorf("reading the objectFilter: %w", err)
	}
	if root != unrooted {
		under, is := whole[root].(tree)
		if len(whole) != 1 || !is {
			return filter{}, fmt.Errorf("the objectFilter's root must be %q alone", root)
		}
		whole = under
	}
	f := filter{}
	return f, f.read(whole, nil, typ, &f)
}

// read walks down to the operations.
func (filter) read(node tree, path []string, typ string, into *filter) error {
	if len(node) == 0 {
		return errors.New("the objectFilter has an empty level")
	}
	if operation, ok := node["operation"]; ok {
		return into.add(path, operation, node["options"])
	}
	for name, value := range node {
		sub, ok := value.(tree)
		rel, related := relationOf(typ, name)
		if !ok || !related && !isLocal(typ, name) && !isMasked(typ, name) {
			return fmt.Errorf("the objectFilter has no property %q of %s with an operation", name, typ)
		}
		if related && sub["operation"] != nil && !isNullTest(sub["operation"]) {
			return fmt.Errorf("the objectFilter compares the relation %q with a value", name)
		}
		if err := into.read(sub, append(slices.Clip(path), name), rel.to, into); err != nil {
			return err
		}
	}
	return nil
}

func isNullTest(operation any) bool { return operation == "is null" || operation == "not null" }

func (f *filter) add(path []string, operation, options any) error {
	text := fmt.Sprint(operation)
	c := condition{path: path}
	switch values, err := optionValues(options); {
	case len(path) == 0 || err != nil:
		return errors.New("the objectFilter has an operation in a wrong place or with wrong options")
	case text == "orderBy" && len(values) == 1:
		f.order, f.descending = path, strings.EqualFold(values[0], "DESC")
		return nil
	case text == "is null":
		c.holds, c.absent = func(string) bool { return false }, true
	case text == "not null":
		c.holds = func(string) bool { return true }
	case text == "in" && len(values) > 0:
		c.holds = func(value string) bool { return slices.Contains(values, value) }
	case strings.HasSuffix(text, "Date"):
		c.holds, err = dateTest(text, values)
		if err != nil {
			return err
		}
	default:
		if c.holds, err = valueTest(text); err != nil {
			return err
		}
	}
	f.conditions = append(f.conditions, c)
	return nil
}

// optionValues reads [{"name":…,"value":[…]}] for the operations that need it.
func optionValues(options any) ([]string, error) {
	if options == nil {
		return nil, nil
	}
	encoded, err := json.Marshal(options)
	if err != nil {
		return nil, fmt.Errorf("reading the options: %w", err)
	}
	var list []struct {
		Name  string
		Value []any
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	if err := decoder.Decode(&list); err != nil || len(list) == 0 {
		return nil, fmt.Errorf("reading the options: %w", cmp.Or(err, errors.New("none given")))
	}
	var values []string
	for _, option := range list {
		for _, value := range option.Value {
			values = append(values, fmt.Sprint(value))
		}
	}
	return values, nil
}

// valueTest reads an operation such as "^= web". Its value is compared with
// case, but for _= and ~; what SoftLayer does depends on its database.
func valueTest(text string) (func(string) bool, error) {
	for _, operator := range []string{"*=", "^=", "$=", "_=", "!=", ">=", "<=", ">", "<", "~"} {
		rest, ok := strings.CutPrefix(text, operator)
		if !ok {
			continue
		}
		want := strings.TrimSpace(rest)
		if operator == "~" {
			pattern, err := regexp.Compile("(?i)" + want)
			if err != nil {
				return nil, fmt.Errorf("reading the pattern: %w", err)
			}
			return pattern.MatchString, nil
		}
		return func(value string) bool { return compare(operator, value, want) }, nil
	}
	return func(value string) bool { return value == text }, nil
}

func compare(operator, value, want string) bool {
	switch operator {
	case "*=":
		return strings.Contains(value, want)
	case "^=":
		return strings.HasPrefix(value, want)
	case "$=":
		return strings.HasSuffix(value, want)
	case "_=":
		return strings.EqualFold(value, want)
	case "!=":
		return value != want
	case ">=":
		return order(value, want) >= 0
	case "<=":
		return order(value, want) <= 0
	case ">":
		return order(value, want) > 0
	}
	return order(value, want) < 0
}

// order compares numbers as numbers and everything else as text.
func order(a, b string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

// dateTest reads greaterThanDate, lessThanDate and betweenDate.
func dateTest(name string, values []string) (func(string) bool, error) {
	wants := map[string]int{"greaterThanDate": 1, "lessThanDate": 1, "betweenDate": 2}
	if len(values) != wants[name] || len(values) == 0 {
		return nil, fmt.Errorf("the operation %q with %d dates is unknown", name, len(values))
	}
	var bounds []time.Time
	for _, value := range values {
		at, err := parseDate(value)
		if err != nil {
			return nil, err
		}
		bounds = append(bounds, at)
	}
	return func(value string) bool {
		at, err := parseDate(value)
		switch {
		case err != nil:
			return false
		case name == "greaterThanDate":
			return at.After(bounds[0])
		case name == "lessThanDate":
			return at.Before(bounds[0])
		}
		return !at.Before(bounds[0]) && !at.After(bounds[1])
	}, nil
}

func parseDate(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "01/02/2006 15:04:05", "01/02/2006"} {
		if at, err := time.ParseInLocation(layout, text, written); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("the date %q has no known form", text)
}

// apply keeps the objects for which all conditions hold, in the order asked for.
func (a *Account) apply(f filter, typ string, list []any) []any {
	kept := make([]any, 0, len(list))
	if len(f.conditions) == 0 {
		kept = append(kept, list...)
		list = nil
	}
	for _, object := range list {
		if !slices.ContainsFunc(f.conditions, func(c condition) bool { return !a.meets(c, typ, object) }) {
			kept = append(kept, object)
		}
	}
	if f.order == nil {
		return kept
	}
	compare := func(x, y any) int {
		return order(strings.Join(a.values(typ, x, f.order), ","), strings.Join(a.values(typ, y, f.order), ","))
	}
	if slices.Equal(f.order, []string{"id"}) { // a page of a large account, of which there are many
		compare = func(x, y any) int { return cmp.Compare(number(id(x)), number(id(y))) }
	}
	if f.descending {
		ascending := compare
		compare = func(x, y any) int { return -ascending(x, y) }
	}
	if !slices.IsSortedFunc(kept, compare) {
		slices.SortStableFunc(kept, compare)
	}
	return kept
}

// id is what an object's id stands for; nil where it has none.
func id(object any) any {
	whole, _ := object.(tree)
	return whole["id"]
}

func (a *Account) meets(c condition, typ string, object any) bool {
	if whole, is := object.(tree); is && len(c.path) == 1 { // a name, mostly, of very many servers
		if text, is := whole[c.path[0]].(string); is {
			return c.holds(text)
		}
	}
	values := a.values(typ, object, c.path)
	return len(values) == 0 && c.absent || slices.ContainsFunc(values, c.holds)
}

// values are the texts that a path leads to, several where it passes a list.
func (a *Account) values(typ string, object any, path []string) []string {
	switch object := object.(type) {
	case nil:
		return nil
	case []any:
		var all []string
		for _, element := range object {
			all = append(all, a.values(typ, element, path)...)
		}
		return all
	case tree:
		if len(path) == 0 {
			return []string{""}
		}
		if rel, related := relationOf(typ, path[0]); related {
			return a.values(rel.to, a.follow(rel, object, path[0]), path[1:])
		}
		return a.values("", object[path[0]], path[1:])
	}
	return []string{fmt.Sprint(object)}
}
