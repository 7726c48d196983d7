package main

import (
	"math"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
)

// limitsItself makes a memory that limits the process, until the test has ended. It cannot be parallel.
func limitsItself(t *testing.T) *memory {
	t.Helper()
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	m := &memory{}
	m.limit()
	return m
}

func TestMemoryIsLimitedOnceNothingGrows(t *testing.T) {
	m := limitsItself(t)
	started, passed := m.grow(), m.grow()
	started()
	assert.EqualValues(t, math.MaxInt64, debug.SetMemoryLimit(-1), "one still grows, and would have to collect all the time")
	passed()
	assert.Less(t, debug.SetMemoryLimit(-1), kept()+headroom+headroom, "what remains and the headroom")
	assert.Greater(t, debug.SetMemoryLimit(-1), int64(headroom))
	again := m.grow()
	assert.EqualValues(t, math.MaxInt64, debug.SetMemoryLimit(-1), "the next pass keeps all servers twice")
	again()
}

func TestMemoryLimitOfTheOperatorHolds(t *testing.T) {
	before := debug.SetMemoryLimit(1 << 20)
	defer debug.SetMemoryLimit(before)
	m := limitsItself(t)
	settled := m.grow()
	assert.EqualValues(t, 1<<20, debug.SetMemoryLimit(-1))
	settled()
	assert.EqualValues(t, 1<<20, debug.SetMemoryLimit(-1))
}
