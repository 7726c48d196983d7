package review_test

import (
	"testing"

	"cancel-server/internal/cleanroom"
)

func TestMain(m *testing.M) { cleanroom.Main(m) }
