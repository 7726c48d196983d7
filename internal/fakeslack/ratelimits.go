package fakeslack

import (
	"math"
	"time"
)

// The tiers of https://docs.slack.dev/apis/web-api/rate-limits.
const (
	tier1 = iota + 1
	tier2
	tier3
	tier4
	tierSpecial
	tierPerChannel
)

// rate is a token bucket's size and its refill. Sizes are this fake's own: Slack
// tolerates "occasional bursts" and gives no number for them.
type rate struct {
	burst     float64
	perMinute float64
}

func rateOf(tier int) rate {
	switch tier {
	case tier1:
		return rate{20, 1}
	case tier2:
		return rate{20, 20}
	case tier3:
		return rate{50, 50}
	case tier4:
		return rate{100, 100}
	case tierPerChannel:
		return rate{10, 60}
	}
	return rate{600, 600}
}

type bucket struct {
	left float64
	at   time.Time
}

// spend counts a call against its limit; the lock is held.
func (w *Workspace) spend(m apiMethod, c call) *apiError {
	if w.opts.RateLimitsOff {
		return nil
	}
	key := m.name
	if m.tier == tierPerChannel {
		key += " " + c.text("channel")
	}
	limit, now := rateOf(m.tier), w.now()
	b := w.limits[key]
	if b == nil {
		b = &bucket{left: limit.burst, at: now}
		w.limits[key] = b
	}
	b.left = min(limit.burst, b.left+max(0, now.Sub(b.at).Minutes())*limit.perMinute)
	b.at = now
	if b.left < 1 {
		wait := int(math.Ceil((1 - b.left) / limit.perMinute * 60))
		err := fail("ratelimited").broke("calls of "+m.name+" stay within its rate", "https://docs.slack.dev/apis/web-api/rate-limits")
		err.retryAfter = max(1, wait)
		return err
	}
	b.left--
	return nil
}
