package slackui

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
)

// Searcher finds servers by a part of a name, an address, an id or a tag, the best match
// first. It suggests: what is chosen is read by id.
type Searcher interface {
	Search(ctx context.Context, query string, limit int) ([]cancellation.Server, error)
}

// Bounds of an answer to the typeahead. Socket Mode takes acknowledgements of less
// than 20,480 bytes (https://github.com/slack-go/slack, socketmode).
const (
	maxOptions     = 100
	maxOptionBytes = 18_000
	maxQuery       = 255
	searchTime     = 2 * time.Second
)

// suggest answers the typeahead. What cannot be answered in time offers nothing:
// the person types on, and Slack asks again.
func (a *App) suggest(ctx context.Context, i Interaction) Reply {
	if i.View == nil || i.Action.BlockID != serverBlock {
		return options(nil)
	}
	meta, err := a.sealer.open(ctx, i.View.PrivateMetadata, i.User)
	if errors.Is(err, errNotOurs) {
		a.log.Warn("offering servers", "user", i.User, "err", err)
		return options(nil)
	}
	if a.unseeing(ctx, meta) != "" { // a choice, or a submission, says why
		return options(nil)
	}
	query := strings.TrimSpace(i.Action.Value)
	if len(query) < minQuery || len(query) > maxQuery {
		return options(nil)
	}
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	found, err := a.search.Search(ctx, query, maxOptions)
	if err != nil {
		a.log.Warn("searching servers for the typeahead", "err", err)
		return options(nil)
	}
	return options(found)
}

// options is the list of servers, as many as fit. An empty one is written out:
// slack.OptionsResponse would leave it away.
func options(servers []cancellation.Server) Reply {
	const frame = `{"options":[]}`
	var list bytes.Buffer
	list.WriteString(`{"options":[`)
	servers = servers[:min(len(servers), maxOptions)]
	for n, text := range optionTexts(servers) {
		option, err := json.Marshal(serverOption(servers[n], text))
		if err != nil || list.Len()+len(option)+len(frame) > maxOptionBytes {
			break
		}
		if n > 0 {
			list.WriteByte(',')
		}
		list.Write(option)
	}
	list.WriteString(`]}`)
	return Reply(list.Bytes())
}

// serverOption offers one server by a text. Its value is the id.
func serverOption(s cancellation.Server, text string) *slack.OptionBlockObject {
	id := strconv.FormatInt(s.ID, 10)
	about := strings.Join(present("id "+id, s.Datacenter, s.PrivateIP), " · ")
	return slack.NewOptionBlockObject(id, plainText(text), plainText(cut(about, 75)))
}

// maxOptionText is what an option's text may hold:
// https://docs.slack.dev/reference/block-kit/composition-objects/option-object
const maxOptionText = 75

// optionText is the name of a server that is offered alone, or its id.
func optionText(s cancellation.Server) string {
	return cmp.Or(cut(shown(s.FQDN), maxOptionText), strconv.FormatInt(s.ID, 10))
}

// optionTexts are the names of servers that are offered together, each another one. Of
// long names that begin alike the beginning and the part where they differ are shown; where
// that is not enough, and of names that are equal, the id stands at the end.
func optionTexts(servers []cancellation.Server) []string {
	texts := make([]string, len(servers))
	for n, s := range servers {
		texts[n] = optionText(s)
	}
	for _, alike := range alike(texts) {
		same := commonStart(servers, alike)
		for _, n := range alike {
			texts[n] = around(shown(servers[n].FQDN), same)
		}
	}
	for _, alike := range alike(texts) {
		for _, n := range alike {
			id := " · id " + strconv.FormatInt(servers[n].ID, 10)
			texts[n] = cut(texts[n], maxOptionText-len(id)+1) + id // the middle dot is two bytes and one unit
		}
	}
	return texts
}

// alike are the places of texts that stand at several.
func alike(texts []string) [][]int {
	places := map[string][]int{}
	for n, text := range texts {
		places[text] = append(places[text], n)
	}
	maps.DeleteFunc(places, func(_ string, at []int) bool { return len(at) < 2 })
	return slices.Collect(maps.Values(places))
}

// commonStart is how many characters are the same at the beginning of all these names.
func commonStart(servers []cancellation.Server, at []int) int {
	first := []rune(shown(servers[at[0]].FQDN))
	same := len(first)
	for _, n := range at[1:] {
		name := []rune(shown(servers[n].FQDN))
		for same = min(same, len(name)); same > 0 && !slices.Equal(first[:same], name[:same]); {
			same--
		}
	}
	return same
}

// around is a name that is too long, without what stands between its beginning and where it
// differs from others.
func around(name string, differs int) string {
	const head, before = 30, 8
	runes := []rune(name)
	if differs <= head+before || differs >= len(runes) {
		return cut(name, maxOptionText)
	}
	return cut(string(runes[:head])+"…"+string(runes[differs-before:]), maxOptionText)
}
