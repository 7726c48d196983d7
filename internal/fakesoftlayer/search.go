package fakesoftlayer

import (
	"fmt"
	"slices"
	"strings"
)

// advancedSearch looks through all fields of servers. A quoted term is exact,
// one with stars a pattern, any other fuzzy: it is found where one of its words
// is. A leading minus negates. All terms must hold.
// https://sldn.softlayer.com/reference/services/SoftLayer_Search/advancedSearch/
func (a *Account) advancedSearch(q *request) (any, error) {
	terms, wanted := searchTerms(q.argument(0))
	results := []any{}
	if !wanted {
		return results, nil
	}
	for _, object := range a.visibleServers() {
		words := searchWords(object.(tree))
		if !slices.ContainsFunc(terms, func(t term) bool { return t.found(words) == t.negated }) {
			results = append(results, tree{
				"relevanceScore": "1.0", "resourceType": hardwareType, "resource": object,
			})
		}
	}
	return results, nil
}

// term is one word of a search.
type term struct {
	text           string
	exact, negated bool
}

// searchTerms splits a search; wanted is false if its _objectType is not hardware.
func searchTerms(text string) (terms []term, wanted bool) {
	wanted = true
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		t := term{}
		text, t.negated = strings.CutPrefix(text, "-")
		if rest, quoted := strings.CutPrefix(text, `"`); quoted {
			t.text, text, _ = strings.Cut(rest, `"`)
			t.exact = true
		} else {
			t.text, text, _ = strings.Cut(text, " ")
		}
		if types, ok := strings.CutPrefix(t.text, "_objectType:"); ok {
			list := strings.Split(types, ",")
			wanted = slices.Contains(list, hardwareType) || slices.Contains(list, serverType)
		} else if t.text = strings.ToLower(t.text); t.text != "" {
			terms = append(terms, t)
		}
	}
	return terms, wanted
}

func searchWords(object tree) []string {
	var words []string
	for _, name := range []string{
		"id", "hostname", "domain", "fullyQualifiedDomainName", "primaryIpAddress", "primaryBackendIpAddress", "notes",
	} {
		if value, ok := object[name]; ok {
			words = append(words, strings.ToLower(fmt.Sprint(value)))
		}
	}
	return words
}

func (t term) found(words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool {
		switch {
		case t.exact:
			return word == t.text
		case strings.Contains(t.text, "*"):
			return like(strings.Split(t.text, "*"), word)
		}
		parts := strings.FieldsFunc(word, isSeparator)
		return slices.ContainsFunc(strings.FieldsFunc(t.text, isSeparator), func(part string) bool {
			return slices.Contains(parts, part)
		})
	})
}

func isSeparator(r rune) bool { return strings.ContainsRune("-._ \n", r) }

// like reports whether a word matches a pattern, given as the pieces between its stars.
func like(pieces []string, word string) bool {
	last := len(pieces) - 1
	rest, ok := strings.CutPrefix(word, pieces[0])
	if !ok {
		return false
	}
	for _, piece := range pieces[1:last] {
		if _, rest, ok = strings.Cut(rest, piece); !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, pieces[last])
}
