package cancellation_test

import (
	"context"

	"cancel-server/internal/cancellation"
)

// journal is everything that the domain asks of a store.
type journal interface {
	cancellation.Clock
	cancellation.Intake
	cancellation.Requests
	cancellation.Queue
	cancellation.Freezes
	cancellation.Notices
}

// sit gives a desk another store.
func sit(d *cancellation.Desk, on journal) {
	d.Requests, d.Intake, d.Freezes, d.Clock = on, on, on, on
}

// worker is a process's two workers, as they are wired together.
type worker struct {
	*cancellation.Filer
	notifier *cancellation.Notifier
}

// Run runs both until ctx ends.
func (w worker) Run(ctx context.Context) {
	done := make(chan struct{})
	go func() { defer close(done); w.notifier.Run(ctx) }()
	w.Filer.Run(ctx)
	<-done
}

// Wake wakes both.
func (w worker) Wake() {
	w.Filer.Wake()
	w.notifier.Wake()
}
