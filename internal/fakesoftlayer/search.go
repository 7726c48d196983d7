package fakesoftlayer

import (
	"cmp"
	"fmt"
	"hash/fnv"
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

// like holds a word against the pieces of a pattern between its stars.
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

// tags are references to tags of these names.
func tags(names ...string) []any {
	list := []any{}
	for _, name := range names {
		id := tagID(name)
		list = append(list, tree{"id": id + 100, "tagId": id, "tag": tree{"id": id, "name": name}})
	}
	return list
}

// tagID is the id of the tag of this name: a tag is one object, whatever refers to it.
func tagID(name string) int64 {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(name)) // never fails
	return 90_000 + int64(sum.Sum32())
}

// The kinds of what a tag refers to, with their numbers; that of hardware is by choice.
// https://sldn.softlayer.com/reference/services/SoftLayer_Tag/getAllTagTypes/
var (
	tagsHardware = tree{"id": int64(1), "keyName": "HARDWARE", "description": "Hardware"}
	tagsGuest    = tree{"id": int64(2), "keyName": "GUEST", "description": "CCI"}
)

// tagged calls one for each tag of each server that the key may see, bare metal first.
func (a *Account) tagged(one func(name string, object, kind tree)) {
	each := func(object, kind tree) {
		references, _ := object["tagReferences"].([]any)
		for _, reference := range references {
			if tag, ok := reference.(tree)["tag"].(tree); ok {
				one(fmt.Sprint(tag["name"]), object, kind)
			}
		}
	}
	for _, object := range a.visibleServers() {
		each(object.(tree), tagsHardware)
	}
	for _, guest := range a.guests {
		each(guest, tagsGuest)
	}
}

// getAttachedTags lists the tags that something refers to.
// https://sldn.softlayer.com/reference/services/SoftLayer_Tag/getAttachedTagsForCurrentUser/
func (a *Account) getAttachedTags(*request) (any, error) {
	counts := map[string]int64{}
	a.tagged(func(name string, _, _ tree) { counts[name]++ })
	list := []any{}
	for name, count := range counts {
		list = append(list, tree{"id": tagID(name), "name": name, "referenceCount": count})
	}
	slices.SortFunc(list, func(x, y any) int {
		return cmp.Compare(number(x.(tree)["id"]), number(y.(tree)["id"]))
	})
	return list, nil
}

// getTagReferences lists what one tag is on.
// https://sldn.softlayer.com/reference/services/SoftLayer_Tag/getReferences/
func (a *Account) getTagReferences(q *request) (any, error) {
	list := []any{}
	a.tagged(func(name string, object, kind tree) {
		if id := tagID(name); id == number(q.id) {
			list = append(list, tree{
				"id": number(object["id"])*100 + id%100, "tagId": id, "tag": tree{"id": id, "name": name},
				"resourceTableId": object["id"], "tagTypeId": kind["id"], "tagType": kind, "usrRecordId": int64(userID),
			})
		}
	})
	if len(list) == 0 {
		return nil, errNotFound(q.id)
	}
	return list, nil
}
