package fakesoftlayer

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
)

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

// tagged calls one for each tag of each server that the key may see: first bare metal, then virtual.
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
