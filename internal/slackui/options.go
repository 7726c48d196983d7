package slackui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
)

// Searcher finds servers by the beginning of a name, an address, or an id.
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
	for n, s := range servers[:min(len(servers), maxOptions)] {
		option, err := json.Marshal(serverOption(s))
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

// serverOption offers one server. Its value is the id.
func serverOption(s cancellation.Server) *slack.OptionBlockObject {
	id := strconv.FormatInt(s.ID, 10)
	name := cut(shown(s.FQDN), 75)
	if name == "" {
		name = id
	}
	about := strings.Join(present("id "+id, s.Datacenter, s.PrivateIP), " · ")
	return slack.NewOptionBlockObject(id, plainText(name), plainText(cut(about, 75)))
}
