package report

import (
	"context"
	"fmt"
	"time"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
)

// Rows hands over recorded requests one by one.
type Rows interface {
	// EachFiled hands over the requests that were filed at from or later and before until.
	EachFiled(ctx context.Context, from, until time.Time, each func(cancellation.Request) error) error
	// EachGone hands over those whose server was gone at from or later and before until.
	EachGone(ctx context.Context, from, until time.Time, each func(cancellation.Request) error) error
	// StaysOf reads what is kept of what stays billed of these requests, by their ids. It leaves out those
	// of which nothing is kept.
	StaysOf(ctx context.Context, requests []string) (map[string]billed.Record, error)
}

// page is how many requests are held at once, to read what their servers left behind.
const page = 200

// Read adds up a month.
func Read(ctx context.Context, rows Rows, month Month, asOf time.Time, people bool) (*Report, error) {
	sums := New(month, asOf, people)
	if err := rows.EachFiled(ctx, month.Begins(), month.Ends(), func(r cancellation.Request) error {
		sums.AddRequested(r)
		return nil
	}); err != nil {
		return nil, err
	}
	var gone []cancellation.Request
	if err := rows.EachGone(ctx, month.YearBegins(), month.Ends(), func(r cancellation.Request) error {
		if gone = append(gone, r); len(gone) < page {
			return nil
		}
		err := sums.addPage(ctx, rows, gone)
		gone = gone[:0]
		return err
	}); err != nil {
		return nil, err
	}
	if err := sums.addPage(ctx, rows, gone); err != nil {
		return nil, err
	}
	return sums, nil
}

// addPage adds some servers that are gone. What those of the month left behind is read for all of them
// at once.
func (r *Report) addPage(ctx context.Context, rows Rows, gone []cancellation.Request) error {
	var ids []string
	for _, request := range gone {
		if r.inMonth(request) {
			ids = append(ids, request.ID)
		}
	}
	kept, err := rows.StaysOf(ctx, ids)
	if err != nil {
		return fmt.Errorf("reading what servers left behind: %w", err)
	}
	for _, request := range gone {
		r.AddGone(request, kept[request.ID].Left)
	}
	return nil
}
