package webapi

import (
	"testing"

	"go.uber.org/goleak"

	"cancel-server/internal/cleanroom"
)

func TestMain(m *testing.M) {
	cleanroom.Prepare()
	goleak.VerifyTestMain(m)
}
