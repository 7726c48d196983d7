package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"sync"
)

// headroom is what the process may need above what it keeps. 512 requests at once need about 28 MiB; the
// rest is garbage. With 32 MiB the collector would take half of the processor then.
const headroom = 42 << 20

// memory has the garbage collector work harder where the process would otherwise keep more garbage than
// headroom: the runtime alone lets the heap grow to twice what is live, and stacks count as live. A
// limit never costs more than half the processor (https://go.dev/doc/gc-guide#Memory_limit).
//
// The zero memory sets no limit.
type memory struct {
	most int64 // the operator's GOMEMLIMIT; 0 for no limit at all

	mu      sync.Mutex
	growing int
}

// footprint is the memory of this process. Only main limits it: tests run many bots in one process.
var footprint memory

// limit begins to limit the memory.
func (m *memory) limit() { m.most = debug.SetMemoryLimit(-1) }

// grow lifts the limit for work that keeps more than before. When it is done it calls settled.
func (m *memory) grow() (settled func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.growing++
	m.set(math.MaxInt64)
	return m.settle
}

// settle gives what is free back to the system, and limits the memory to what remains and headroom.
func (m *memory) settle() {
	debug.FreeOSMemory()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.growing--; m.growing == 0 {
		m.set(kept() + headroom)
	}
}

func (m *memory) set(limit int64) {
	if m.most > 0 {
		debug.SetMemoryLimit(min(limit, m.most))
	}
}

// kept returns how much memory the runtime has, as its limit counts it.
func kept() int64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.Sys - stats.HeapReleased)
}
