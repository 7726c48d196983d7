package webapi

import (
	"bytes"
	"encoding/json"
	"strings"
)

// The answer of views.open, views.update and views.push repeats the whole view, and
// decoding that costs more than the rest of a command. These functions walk over the
// JSON of an answer and decode nothing.

// cutView keeps of a view call's answer only the ids and what says whether it worked. An answer
// that it cannot walk comes back unchanged, for the JSON decoder to refuse.
func cutView(answer []byte) []byte {
	var whole []byte
	ok := eachMember(answer, func(key, value []byte) {
		switch string(key) {
		case `"ok"`, `"error"`, `"needed"`, `"provided"`, `"response_metadata"`:
			whole = appendMember(whole, key, value)
		case `"view"`:
			whole = appendMember(whole, key, cutIDs(value))
		}
	})
	if !ok || whole == nil {
		return answer
	}
	return append(whole, '}')
}

func cutIDs(view []byte) []byte {
	var ids []byte
	ok := eachMember(view, func(key, value []byte) {
		switch string(key) {
		case `"id"`, `"hash"`, `"root_view_id"`:
			ids = appendMember(ids, key, value)
		}
	})
	if !ok || ids == nil {
		return view
	}
	return append(ids, '}')
}

// wordless reports whether an answer says that a call failed without saying how.
// slack-go would take that for success.
func wordless(answer []byte) bool {
	if bytes.HasPrefix(bytes.TrimSpace(answer), []byte("null")) { // decodes into anything, and says nothing; a decoder reads no further
		return true
	}
	succeeded, worded := false, false
	isObject := eachMember(answer, func(key, value []byte) {
		switch string(key) {
		case `"ok"`:
			succeeded = string(value) == "true"
		case `"error"`:
			var word string
			worded = json.Unmarshal(value, &word) == nil && strings.TrimSpace(word) != ""
		}
	})
	return isObject && !succeeded && !worded
}

func appendMember(object, key, value []byte) []byte {
	if object == nil {
		object = append(object, '{')
	} else {
		object = append(object, ',')
	}
	object = append(object, key...)
	object = append(object, ':')
	return append(object, value...)
}

// eachMember calls visit with each key (in its quotes) and value of a JSON object. It
// reports whether the object could be walked to its end.
func eachMember(object []byte, visit func(key, value []byte)) bool {
	at := skipSpace(object, 0)
	if at >= len(object) || object[at] != '{' {
		return false
	}
	at = skipSpace(object, at+1)
	if at < len(object) && object[at] == '}' {
		return true
	}
	for at < len(object) && object[at] == '"' {
		keyEnd := skipString(object, at)
		colon := skipSpace(object, keyEnd)
		if colon >= len(object) || object[colon] != ':' {
			return false
		}
		start := skipSpace(object, colon+1)
		end := skipValue(object, start)
		if end <= start || end >= len(object) {
			return false
		}
		visit(object[at:keyEnd], object[start:end])
		switch at = skipSpace(object, end); {
		case at >= len(object):
			return false
		case object[at] == '}':
			return true
		case object[at] != ',':
			return false
		}
		at = skipSpace(object, at+1)
	}
	return false
}

func skipSpace(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r') {
		at++
	}
	return at
}

// skipString returns the index after the string that begins at a quote.
func skipString(text []byte, at int) int {
	for end := at + 1; end < len(text); end++ {
		next := bytes.IndexByte(text[end:], '"')
		if next < 0 {
			break
		}
		end += next
		escapes := 0
		for text[end-1-escapes] == '\\' {
			escapes++ // ends at the opening quote at the latest
		}
		if escapes%2 == 0 {
			return end + 1
		}
	}
	return len(text)
}

// skipValue returns the index after the value that begins at an index.
func skipValue(text []byte, at int) int {
	for depth := 0; at < len(text); {
		switch text[at] {
		case '"':
			at = skipString(text, at)
		case '{', '[':
			depth, at = depth+1, at+1
			continue
		case '}', ']':
			depth, at = depth-1, at+1
		case ',', ':', ' ', '\n', '\t', '\r':
			at++
			continue
		default: // a number or a word
			for at < len(text) && bytes.IndexByte([]byte(",:]} \n\t\r"), text[at]) < 0 {
				at++
			}
		}
		if depth <= 0 {
			return at
		}
	}
	return len(text)
}
