package orders

import "context"

// What tests in another package use.
const (
	Lease     = lease
	LostPause = lostPause
)

// Pass works on one notice, if one is due.
func (t *Teller) Pass(ctx context.Context) (worked bool, err error) { return t.pass(ctx) }
