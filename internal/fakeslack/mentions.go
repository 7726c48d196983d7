package fakeslack

import (
	"regexp"
	"slices"
)

// control matches the sequences of mrkdwn that notify somebody.
// https://docs.slack.dev/messaging/formatting-message-text#advanced
var control = regexp.MustCompile(`<!(channel|here|everyone)(?:\|[^>]*)?>|<!subteam\^(S[A-Z0-9]+)(?:\|[^>]*)?>|<@([UW][A-Z0-9]+)(?:\|[^>]*)?>`)

// bare matches what link_names or parse=full would make a mention.
var bare = regexp.MustCompile(`@(channel|here|everyone)\b`)

// mentionsIn returns whom a message would notify. Slack unescapes no entity
// before it looks, so escaped text is inert.
func mentionsIn(text string, blocks []any, linkNames bool) []string {
	var found []string
	collect := func(s string) {
		for _, match := range control.FindAllStringSubmatch(s, -1) {
			found = append(found, match[1]+match[2]+match[3])
		}
		if linkNames {
			for _, match := range bare.FindAllStringSubmatch(s, -1) {
				found = append(found, match[1])
			}
		}
	}
	collect(text)
	for _, b := range blocks {
		walkObjects(b, func(object map[string]any) {
			switch object["type"] {
			case "mrkdwn":
				collect(str(object["text"]))
			case "user":
				found = append(found, str(object["user_id"]))
			case "usergroup":
				found = append(found, str(object["usergroup_id"]))
			case "broadcast":
				found = append(found, str(object["range"]))
			}
		})
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// walkObjects visits each object in a JSON value, outer ones first.
func walkObjects(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, child := range v {
			walkObjects(child, visit)
		}
	case []any:
		for _, child := range v {
			walkObjects(child, visit)
		}
	}
}

// str returns a JSON value that is a string, or "".
func str(v any) string {
	s, _ := v.(string)
	return s
}
