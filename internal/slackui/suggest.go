package slackui

import (
	"context"
	"errors"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

// Searcher finds servers by a part of a name, an address, an id or a tag, the best match
// first. It suggests: what is chosen is read by id.
type Searcher interface {
	Search(ctx context.Context, query string, limit int) ([]cancellation.Server, error)
}

// Bounds of the typeahead.
const (
	maxOptions = 100
	maxQuery   = 255
	searchTime = 2 * time.Second
)

// suggest answers the typeahead. If it cannot answer in time, it offers nothing: the person types
// on, and Slack asks again.
func (a *App) suggest(ctx context.Context, i receive.Interaction) receive.Reply {
	if i.View == nil || i.Action.BlockID != words.ServerBlock {
		return receive.SelectOptions(nil)
	}
	meta, err := a.sealer.open(ctx, i.View.PrivateMetadata, i.User)
	if errors.Is(err, errNotOurs) {
		a.log.Warn("offering servers", "user", i.User, "err", err)
		return receive.SelectOptions(nil)
	}
	if a.unseeing(ctx, meta) != "" { // a choice, or a submission, says why
		return receive.SelectOptions(nil)
	}
	query := strings.TrimSpace(i.Action.Value)
	if len(query) < words.MinQuery || len(query) > maxQuery {
		return receive.SelectOptions(nil)
	}
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	found, err := a.search.Search(ctx, query, maxOptions)
	if err != nil {
		a.log.Warn("searching servers for the typeahead", "err", err)
		return receive.SelectOptions(nil)
	}
	return receive.SelectOptions(words.ServerOptions(found[:min(len(found), maxOptions)]))
}
