package skew

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTheSmallestDifferenceIsTold(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		sent, received, ahead time.Duration // from the Date on
	}{
		"the same second":           {200 * time.Millisecond, 300 * time.Millisecond, 0},
		"a slow answer":             {-2 * time.Second, 3 * time.Second, 0},
		"this host is ahead":        {61 * time.Second, 62 * time.Second, 60 * time.Second},
		"this host is behind":       {-62 * time.Second, -60 * time.Second, -60 * time.Second},
		"at the end of that second": {time.Second, 2 * time.Second, 0},
	} {
		var g Gauge
		g.Note(at.Format(http.TimeFormat), at.Add(c.sent), at.Add(c.received))
		ahead, known := g.Ahead()
		assert.True(t, known, name)
		assert.Equal(t, c.ahead, ahead, name)
	}
}

func TestNothingIsKnownWithoutADate(t *testing.T) {
	t.Parallel()
	var g Gauge
	for _, date := range []string{"", "soon"} {
		g.Note(date, time.Now(), time.Now())
		_, known := g.Ahead()
		assert.False(t, known, date)
	}
}
