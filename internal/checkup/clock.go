package checkup

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// How far this host's clock may be off: Slack's requests are refused beyond the second
// (docs.slack.dev/authentication/verifying-requests-from-slack).
const (
	clockWarn    = 30 * time.Second
	clockRefuses = 300 * time.Second
)

// clock compares this host's clock with the vendors'. An answer that refuses the token or the key tells
// the time too, so that a wrong clock is not taken for a wrong secret.
func (r *round) clock(context.Context) []Finding {
	if r.self != nil {
		_, _ = r.self() // what counts is the answer's date
	}
	if r.account != nil {
		_, _ = r.account()
	}
	var told []string
	worst := time.Duration(0)
	for _, clock := range r.Clocks {
		ahead, known := clock.Ahead()
		if !known {
			continue
		}
		told = append(told, apart(clock.Of, ahead))
		worst = max(worst, ahead.Abs())
	}
	text := "Clock: " + strings.Join(told, ", ") + "."
	switch {
	case len(told) == 0:
		return []Finding{skip("Clock: no vendor's answer told the time.")}
	case worst > clockRefuses && r.Transport.Signed:
		return []Finding{fail("Set the clock of this host (NTP).", "%s Slack's requests are refused for their time; the signing secret may be right.", text)}
	case worst > clockWarn:
		return []Finding{warn("Set the clock of this host (NTP).", "%s", text)}
	}
	return []Finding{ok("%s", text)}
}

func apart(from string, ahead time.Duration) string {
	switch {
	case ahead.Abs() < time.Second:
		return "within a second of " + from
	case ahead > 0:
		return fmt.Sprintf("%v ahead of %s", ahead.Round(time.Second), from)
	}
	return fmt.Sprintf("%v behind %s", -ahead.Round(time.Second), from)
}
