package typeahead

import (
	"context"
	"time"

	"cancel-server/internal/cancellation"
)

// Lister lists all servers.
type Lister interface {
	// Servers lists servers in the order of their ids, lightly: at most limit of them from
	// an offset on. total is how many there are in all.
	Servers(ctx context.Context, offset, limit int) (servers []cancellation.Server, total int, err error)
}

// Tagger knows what carries which tag.
type Tagger interface {
	// Tags lists tags by id: at most limit of them from an offset on, of total in all.
	Tags(ctx context.Context, offset, limit int) (names map[int64]string, total int, err error)
	// Tagged lists the servers among limit things that carry a tag, from an offset on, of
	// total things in all.
	Tagged(ctx context.Context, tag int64, offset, limit int) (servers []int64, total int, err error)
}

// Searcher asks SoftLayer itself. An error may come with servers: those that were found all
// the same.
type Searcher interface {
	Search(ctx context.Context, query string, limit int) ([]cancellation.Server, error)
}

// Keeper keeps what a pass has found, for the whole deployment, and says whose turn the
// next pass is. Its clock is the only one that counts.
type Keeper interface {
	// Inventory reads what is kept, unless it is the version that is known already: then
	// data is nil, as it is where nothing is kept (version 0). age is how long ago it was
	// found to be so.
	Inventory(ctx context.Context, known int64) (data []byte, version int64, age time.Duration, err error)
	// ClaimInventory takes the turn to make a pass, or prolongs it, for as long as lease. It
	// is false while it is another owner's, or where what is kept is younger than age.
	ClaimInventory(ctx context.Context, owner string, age, lease time.Duration) (bool, error)
	// KeepInventory ends the owner's turn and keeps what the pass has found; nil: it found
	// what is kept already. It is an error where the turn is not the owner's any more.
	KeepInventory(ctx context.Context, owner string, data []byte) (version int64, err error)
}
