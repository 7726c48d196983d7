package correspondence

import (
	"context"
	"time"

	"cancel-server/internal/cancellation"
)

// Ledger keeps texts. Its clock gives every time that decides. After cancellation.ErrUnclear nobody
// knows whether a method wrote; any other error means that it wrote nothing.
type Ledger interface {
	cancellation.Clock

	Installation() string // id of this installation, made once
	HMACKey() []byte      // its secret, made once

	// RecordUpdate records a new text and its line in the request's history, once for each id.
	// cancellation.ErrRepeated: its Key was used before.
	RecordUpdate(ctx context.Context, rec Record) (Receipt, error)
	// RecordUpdates does so for the replies of one form, in one transaction. The key is used once for all of them,
	// and only if one of them was recorded; those of the records do not count.
	RecordUpdates(ctx context.Context, key string, all []Record) ([]Receipt, error)
	// UpdateByID reads a text; ErrNoUpdate: there is none.
	UpdateByID(ctx context.Context, id string) (Update, error)
	// LastProposal reads the text that was proposed last for a request, if no reply was sent since;
	// ErrNoUpdate: there is none.
	LastProposal(ctx context.Context, requestID string) (Update, error)
	// StandingReply reads the last reply of a request that is, or may come to be, in its ticket;
	// ErrNoUpdate: there is none.
	StandingReply(ctx context.Context, requestID string) (Update, error)
	// WaitingOf reads for which requests of a batch SoftLayer waits for an answer, by their ids.
	WaitingOf(ctx context.Context, batch string) (map[string]bool, error)
	// RepliesOf lists the replies for requests of a batch, those that were only proposed too, the oldest first.
	RepliesOf(ctx context.Context, batch string) ([]Update, error)
	// FormOf lists the replies for requests of a batch that were recorded by the same form as one of them, the
	// oldest first.
	FormOf(ctx context.Context, batch string, number int64) ([]Update, error)
	// ClaimUpdates takes at most most texts that are due and leased to nobody, each with a lease and
	// a version of its own.
	ClaimUpdates(ctx context.Context, owner string, lease time.Duration, most int) (cancellation.Claim[Update], error)
	// RenewUpdate renews the lease of a text at this version. cancellation.ErrMoved: the lease is lost.
	RenewUpdate(ctx context.Context, u Update, owner string, lease time.Duration) error
	// ApplyUpdate commits a change and returns the text as stored. cancellation.ErrMoved: it is not at
	// From.Version any more.
	ApplyUpdate(ctx context.Context, change Change) (Update, error)
}

// Journal reads requests and what people were told of them.
type Journal interface {
	// Request reads a request by its id.
	Request(ctx context.Context, id string) (cancellation.Request, error)
	// Lead reads which request leads the batch of a request, and so has the batch's notices.
	Lead(ctx context.Context, requestID string) (string, error)
	// Notices lists a request's notices, delivered or not.
	Notices(ctx context.Context, requestID string) ([]cancellation.Notice, error)
}

// Writer makes the one call that writes into a ticket.
type Writer interface {
	// AddUpdate POSTs once, on one fresh connection, and classifies the answer. It makes no call once
	// ctx is over, and never calls twice. Made: SoftLayer has it. Refused: the key may not.
	AddUpdate(ctx context.Context, ticket int64, entry string) cancellation.Outcome
}
