package bulletin

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/reconcile"
	"cancel-server/internal/report"
)

// Ledger keeps what is owed to the channel and what was posted there.
type Ledger interface {
	report.Rows
	reconcile.Records
	// BulletinTurn takes or renews the turn to post.
	BulletinTurn(ctx context.Context, owner string, lease time.Duration) (report.Turn, error)
	// AnnounceBulletin records that today's bulletin is about to be posted, with the report of a
	// month, unless that is the zero Month, and what is owed of cancellations elsewhere, of which
	// it returns the first listed ones. It returns an error, and records nothing, if the owner has
	// lost its turn, or if there was a bulletin today or with this month's report.
	AnnounceBulletin(ctx context.Context, owner, channel string, month report.Month, listed int) (report.Bulletin, error)
	// SettleBulletin records that a bulletin was posted, or with no ts that nobody can tell.
	SettleBulletin(ctx context.Context, day int64, channel, ts string) error
	// TakeBackBulletin records that a bulletin was certainly not posted.
	TakeBackBulletin(ctx context.Context, day int64) error
	// KeepElsewhere owes those cancellations that are not known yet. It returns an error if the
	// owner has lost its turn.
	KeepElsewhere(ctx context.Context, owner string, found []report.Elsewhere) error
}

// Board is the channel.
type Board interface {
	// PostBulletin posts it once. month is nil if it has no report.
	PostBulletin(ctx context.Context, b report.Bulletin, month *report.Report, elsewhere []reconcile.Cancellation) (cancellation.Posted, cancellation.Delivery, time.Duration)
	// FindBulletin looks for one that was announced and whose answer was lost. known is false if
	// the bot may not read the channel's history. An error means that Slack gave no answer now.
	FindBulletin(ctx context.Context, b report.Bulletin) (at cancellation.Posted, found, known bool, err error)
}

// Checkpoints name the audit log as it is.
type Checkpoints interface {
	// Checkpoint returns it as a note; "" while nothing is sealed.
	Checkpoint(ctx context.Context) (string, error)
}

// Options say what a Poster posts with.
type Options struct {
	Ledger  Ledger
	Books   reconcile.Books
	Board   Board
	Audit   Checkpoints
	Owner   string  // names this process
	Channel string  // REPORT_CHANNEL
	Rate    float64 // calls to SoftLayer a second, at most
	Log     *slog.Logger
}

// Kept returns cancellations as the Ledger keeps them.
func Kept(all []reconcile.Cancellation) ([]report.Elsewhere, error) {
	var rows []report.Elsewhere
	for _, c := range all {
		text, err := json.Marshal(c)
		if err != nil {
			return nil, fmt.Errorf("encoding cancellation %d: %w", c.ID, err)
		}
		rows = append(rows, report.Elsewhere{ID: c.ID, Told: text})
	}
	return rows, nil
}
