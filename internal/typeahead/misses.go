package typeahead

import (
	"strings"
	"sync"
	"time"
)

// Bounds of the remembered misses.
const (
	missLife  = 15 * time.Second
	maxMisses = 64
)

// misses remembers queries for which SoftLayer found nothing, so that typing on, or back, needs no
// further calls. The zero value remembers nothing.
type misses struct {
	mu     sync.Mutex
	recent []miss
}

type miss struct {
	text string
	at   time.Time
}

func (m *misses) note(query string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent = append(m.recent, miss{lowerASCII(query), at})
	m.recent = m.recent[max(0, len(m.recent)-maxMisses):]
}

// cover reports whether a query is known to find nothing: it was asked for, or something shorter
// within it was. Longer digits and addresses are searched in other ways, so for those a shorter
// miss proves nothing.
func (m *misses) cover(query string, now time.Time) bool {
	query = lowerASCII(query)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, known := range m.recent {
		within := strings.Trim(known.text, "0123456789.") != "" && strings.Contains(query, known.text)
		if now.Sub(known.at) < missLife && (query == known.text || within) {
			return true
		}
	}
	return false
}
