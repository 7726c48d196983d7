package report

import (
	"context"
	"time"

	"cancel-server/internal/cancellation"
)

// Rows hands over recorded requests one by one.
type Rows interface {
	// EachFiled hands over the requests that were filed at from or later and before until.
	EachFiled(ctx context.Context, from, until time.Time, each func(cancellation.Request) error) error
	// EachGone hands over those whose server was gone at from or later and before until.
	EachGone(ctx context.Context, from, until time.Time, each func(cancellation.Request) error) error
}

// Read adds up a month.
func Read(ctx context.Context, rows Rows, month Month, asOf time.Time, people bool) (*Report, error) {
	sums := New(month, asOf, people)
	if err := rows.EachFiled(ctx, month.Begins(), month.Ends(), func(r cancellation.Request) error {
		sums.AddRequested(r)
		return nil
	}); err != nil {
		return nil, err
	}
	if err := rows.EachGone(ctx, month.YearBegins(), month.Ends(), func(r cancellation.Request) error {
		sums.AddGone(r)
		return nil
	}); err != nil {
		return nil, err
	}
	return sums, nil
}
