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

// Tagger knows which servers carry which tag.
type Tagger interface {
	// Tags lists tags by id: at most limit of them from an offset on, of total in all.
	Tags(ctx context.Context, offset, limit int) (names map[int64]string, total int, err error)
	// Tagged lists the servers among limit things that carry a tag, from an offset on, of
	// total things in all.
	Tagged(ctx context.Context, tag int64, offset, limit int) (servers []int64, total int, err error)
}

// Searcher asks SoftLayer itself. An error may come with servers: those that were found before it.
type Searcher interface {
	Search(ctx context.Context, query string, limit int) ([]cancellation.Server, error)
}

// Keeper keeps a pass's snapshot for the whole deployment, and says which process makes the next
// pass. Only its clock counts.
type Keeper interface {
	// Inventory reads the snapshot. data is nil if the caller already knows its version, or if
	// there is none (version 0). age is how long ago the snapshot was last confirmed.
	Inventory(ctx context.Context, known int64) (data []byte, version int64, age time.Duration, err error)
	// ClaimInventory takes or prolongs the turn to make a pass, for as long as lease. It returns
	// false while the turn is another owner's, or if the snapshot is younger than age.
	ClaimInventory(ctx context.Context, owner string, age, lease time.Duration) (bool, error)
	// KeepInventory ends the owner's turn and keeps the pass's snapshot; nil data means that the
	// pass found the same as the snapshot. It returns an error if the owner has lost the turn.
	KeepInventory(ctx context.Context, owner string, data []byte) (version int64, err error)
}
