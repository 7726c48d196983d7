package slackui

import (
	"context"
	"testing"

	"cancel-server/internal/cleanroom"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	cleanroom.Prepare()
	goleak.VerifyTestMain(m)
}

// handlerFuncs is a Handler of two functions.
type handlerFuncs struct {
	command     func(context.Context, Command) (Reply, After)
	interaction func(context.Context, Interaction) (Reply, After)
}

func (h handlerFuncs) Command(ctx context.Context, c Command) (Reply, After) {
	return h.command(ctx, c)
}

func (h handlerFuncs) Interaction(ctx context.Context, i Interaction) (Reply, After) {
	return h.interaction(ctx, i)
}
