package words

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dangerous holds one of each thing that can go wrong on a screen.
const dangerous = `{"text":"see &lt;!channel&gt;","metadata":{"event_type":"asked","event_payload":{"ref":"R1"}},"blocks":[
	{"type":"section","text":{"type":"mrkdwn","text":"all &lt;!channel&gt; here","verbatim":true}},
	{"type":"context","elements":[{"type":"plain_text","text":"in *words*","emoji":false}]},
	{"type":"rich_text","block_id":"about","elements":[{"type":"rich_text_section","elements":[
		{"type":"text","text":"one "},{"type":"text","text":"two","style":{"bold":true}},{"type":"usergroup","usergroup_id":"S1"},{"type":"user","user_id":"U1"},
		{"type":"link","text":"ticket","url":"https://a.example/1"}]}]},
	{"type":"input","block_id":"why","label":{"type":"plain_text","text":"Why","emoji":false},"element":{"type":"static_select",
		"action_id":"reason","options":[{"text":{"type":"plain_text","text":"Old","emoji":false},"value":"old"}]}},
	{"type":"actions","block_id":"request","elements":[{"type":"button","action_id":"approve","value":"7f","style":"primary",
		"text":{"type":"plain_text","text":"Approve","emoji":false},"confirm":{
			"title":{"type":"plain_text","text":"Sure?","emoji":false},"text":{"type":"plain_text","text":"Wiped.","emoji":false},
			"confirm":{"type":"plain_text","text":"Yes","emoji":false},"deny":{"type":"plain_text","text":"No","emoji":false}}}]}]}`

func TestGoldensShowEachDanger(t *testing.T) {
	t.Parallel()
	before, err := render(json.RawMessage(dangerous))
	require.NoError(t, err)
	for danger, change := range map[string][2]string{
		"a channel is called in blocks":     {`all &lt;!channel&gt;`, `all <!channel>`},
		"a channel is called in the text":   {`see &lt;!channel&gt;`, `see <!channel>`},
		"plain text becomes markup":         {`"plain_text","text":"in *words*","emoji":false`, `"mrkdwn","text":"in *words*","verbatim":true`},
		"names become links":                {`"verbatim":true`, `"verbatim":false`},
		"colons become emoji":               {`"in *words*","emoji":false`, `"in *words*","emoji":true`},
		"colons become emoji by default":    {`"in *words*","emoji":false`, `"in *words*"`},
		"rich text becomes markup":          {`{"type":"rich_text","block_id":"about","elements":[{"type":"rich_text_section","elements":[`, `{"type":"context","elements":[{"type":"mrkdwn","text":"x"}]},{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[`},
		"a group's mention is typed":        {`{"type":"usergroup","usergroup_id":"S1"}`, `{"type":"text","text":"<!subteam^S1>"}`},
		"a mention is typed":                {`{"type":"user","user_id":"U1"}`, `{"type":"text","text":"<@U1>"}`},
		"another person is mentioned":       {`"U1"`, `"U2"`},
		"a link is typed":                   {`{"type":"link","text":"ticket","url":"https://a.example/1"}`, `{"type":"text","text":"[ticket](https://a.example/1)"}`},
		"a link leads elsewhere":            {`a.example`, `b.example`},
		"bold is typed":                     {`"two","style":{"bold":true}`, `"**two**"`},
		"bold is gone":                      {`,"style":{"bold":true}`, ``},
		"a zero-width space is gone or new": {`one `, "one\u200b "},
		"a line is broken":                  {`one `, `one\n`},
		"a line break is typed":             {`all &lt;`, `all\\n&lt;`},
		"a button is plain":                 {`"style":"primary",`, ``},
		"a button is red":                   {`"primary"`, `"danger"`},
		"a button does something else":      {`"approve"`, `"decline"`},
		"a button is about something else":  {`"7f"`, `"7e"`},
		"nobody is asked to confirm":        {dangerous[strings.Index(dangerous, `,"confirm":{`):], `}]}]}`},
		"a confirmation has another title":  {`Sure?`, `Done.`},
		"a confirmation says less":          {`Wiped.`, ``},
		"a confirmation is red":             {`"confirm":{` + "\n", `"confirm":{"style":"danger",` + "\n"},
		"yes and no change places":          {`"Yes","emoji":false},"deny":{"type":"plain_text","text":"No"`, `"No","emoji":false},"deny":{"type":"plain_text","text":"Yes"`},
		"an option means something else":    {`"old"`, `"new"`},
		"a choice may be left out":          {`"block_id":"why"`, `"block_id":"why","optional":true`},
		"a choice acts at once":             {`"block_id":"why"`, `"block_id":"why","dispatch_action":true`},
		"a block has another id":            {`"request"`, `"reject"`},
		"a field has another id":            {`"reason"`, `"reasons"`},
		"metadata has another key":          {`"ref"`, `"id"`},
		"metadata has another type":         {`"asked"`, `"done"`},
	} {
		require.Equal(t, 1, strings.Count(dangerous, change[0]), danger)
		after, err := render(json.RawMessage(strings.Replace(dangerous, change[0], change[1], 1)))
		require.NoError(t, err, danger)
		assert.NotEqual(t, before, after, danger)
	}
}

func TestGoldensKnowEverythingThatIsSent(t *testing.T) {
	t.Parallel()
	for unknown, change := range map[string][2]string{
		"block":             {`"type":"section"`, `"type":"markdown"`},
		"field":             {`"static_select"`, `"file_input"`},
		"button":            {`"type":"button"`, `"type":"overflow"`},
		"text":              {`"mrkdwn"`, `"markdown"`},
		"rich text":         {`"rich_text_section"`, `"rich_text_list"`},
		"run of rich text":  {`{"type":"user","user_id":"U1"}`, `{"type":"broadcast","range":"channel"}`},
		"member of buttons": {`"value":"7f"`, `"value":"7f","url":"https://a.example"`},
		"member of text":    {`"verbatim":true`, `"verbatim":true,"emoji":true`},
		"style of text":     {`"bold":true`, `"strike":true`},
		"member of all":     {`"text":"see`, `"unfurl_links":true,"text":"see`},
		"kind of member":    {`"7f"`, `7`},
	} {
		require.Equal(t, 1, strings.Count(dangerous, change[0]), unknown)
		_, err := render(json.RawMessage(strings.Replace(dangerous, change[0], change[1], 1)))
		assert.Error(t, err, unknown)
	}
}

// TestGoldensShowEveryMember changes and removes everything on every screen, one at a time.
func TestGoldensShowEveryMember(t *testing.T) {
	t.Parallel()
	for what, tree := range pieces(t) {
		before, err := renderTree(tree)
		require.NoError(t, err)
		eachChange(tree, "", func(changed string) {
			if after, err := renderTree(tree); err == nil && after == before {
				t.Errorf("nobody would see a change of %s of %s", changed, what)
			}
		})
	}
}

// pieces is every block of every screen, and what is around the blocks, each as a screen of its own and once.
func pieces(t *testing.T) map[string]any {
	t.Helper()
	found := make(map[string]any)
	add := func(screen map[string]any) { found[asJSON(t, screen)] = screen }
	for _, sent := range screens(t) {
		for _, screen := range sent {
			tree, err := decoded(screen)
			require.NoError(t, err)
			frame := tree.(map[string]any)
			for _, block := range frame["blocks"].([]any) {
				add(map[string]any{"blocks": []any{block}})
			}
			delete(frame, "blocks")
			add(frame)
		}
	}
	return found
}

// eachChange calls seen with each member of tree changed and then removed, and puts it back.
func eachChange(tree any, path string, seen func(changed string)) {
	switch tree := tree.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(tree)) {
			was, at := tree[name], path+"."+name
			eachChange(was, at, seen)
			for _, other := range others(was) {
				tree[name] = other
				seen(at)
			}
			delete(tree, name)
			seen(at)
			tree[name] = was
		}
	case []any:
		for i, was := range tree {
			eachChange(was, fmt.Sprintf("%s[%d]", path, i), seen)
		}
	}
}

// others is what may stand in the place of a string, number or bool.
func others(was any) []any {
	switch was := was.(type) {
	case string:
		return []any{was + "x", was + "\u200b"}
	case json.Number:
		return []any{was + "1"}
	case bool:
		return []any{!was}
	}
	return nil
}
