package webapi

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCutView(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer, want string }{
		"a view": {
			` { "ok" : true , "view" : {"id":"V1","blocks":[{"text":"a \"quoted\" } ] \\"},{"n":-1.5e3}],"hash":"h","state":{"values":{}},"root_view_id":"V0"} , "x":[] } `,
			`{"ok":true,"view":{"id":"V1","hash":"h","root_view_id":"V0"}}`,
		},
		"a refusal": {
			`{"ok":false,"error":"invalid_arguments","response_metadata":{"messages":["[ERROR] too long [json-pointer:\/view\/title]"]},"warning":"w"}`,
			`{"ok":false,"error":"invalid_arguments","response_metadata":{"messages":["[ERROR] too long [json-pointer:\/view\/title]"]}}`,
		},
		"a missing scope":        {`{"ok":false,"error":"missing_scope","needed":"a","provided":"b"}`, `{"ok":false,"error":"missing_scope","needed":"a","provided":"b"}`},
		"a view without ids":     {`{"ok":true,"view":{}}`, `{"ok":true,"view":{}}`},
		"a view that is null":    {`{"ok":true,"view":null}`, `{"ok":true,"view":null}`},
		"an object inside a key": {`{"ok":true,"view":{"deep":{"id":"no","hash":"no"},"id":"V1"}}`, `{"ok":true,"view":{"id":"V1"}}`},
		"an empty object":        {`{}`, `{}`},
		"no object":              {`[1]`, `[1]`},
		"half an answer":         {`{"ok":true,"view":{"id":"V1"`, `{"ok":true,"view":{"id":"V1"`},
		"a page":                 {`<html>`, `<html>`},
		"nothing":                {``, ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, string(cutView([]byte(c.answer))))
		})
	}
}

func TestWordless(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{
		`{"ok":false}`:             true,
		`{}`:                       true,
		`{"ok":false,"error":""}`:  true,
		`{"ok":"true"}`:            true,
		" null\n":                  true,
		`{"ok":true}`:              false,
		`{"ok":false,"error":"e"}`: false,
		`<html>`:                   false,
		`{"ok":fal`:                false,
	} {
		assert.Equal(t, want, wordless([]byte(answer)), answer)
	}
}

// The walk must find in every JSON object what the JSON decoder finds.
func FuzzCutView(f *testing.F) {
	f.Add([]byte(`{"ok":true,"view":{"id":"V1","hash":"h","blocks":[{"a":"\"}"}]}}`))
	f.Add([]byte(`{"ok":false,"error":"e","response_metadata":{"messages":["[\\\"]"]}}`))
	f.Add([]byte(`{"a":{"b":[[1,2],{}]},"view":{"id":"x"},"ok":true}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		type ids struct {
			OK    bool   `json:"ok"`
			Error string `json:"error"`
			View  struct {
				ID   string `json:"id"`
				Hash string `json:"hash"`
			} `json:"view"`
		}
		cut := cutView(answer)
		var whole map[string]json.RawMessage
		var want ids
		if json.Unmarshal(answer, &whole) != nil || whole == nil || ambiguous(whole) || json.Unmarshal(answer, &want) != nil {
			return
		}
		var got ids
		require.NoError(t, json.Unmarshal(cut, &got), "%s became %s", answer, cut)
		require.Equal(t, want, got, "%s became %s", answer, cut)
	})
}

// ambiguous reports keys that the JSON decoder takes for others: it ignores case, and
// a key may be written with escapes. Slack writes neither.
func ambiguous(whole map[string]json.RawMessage) bool {
	var view map[string]json.RawMessage
	_ = json.Unmarshal(whole["view"], &view)
	for _, object := range []map[string]json.RawMessage{whole, view} {
		for key := range object {
			switch key {
			case "ok", "error", "needed", "provided", "response_metadata", "view", "id", "hash", "root_view_id":
			default:
				return true
			}
		}
	}
	return false
}
