//go:build unix

package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// everySecond has Slack answer 429 to the first call of these methods, and to each one after a call that it
// took.
func everySecond(s *setup, methods ...string) {
	var slack atomic.Pointer[fakeslack.Workspace]
	arm := func(method string) {
		if err := slack.Load().Fault(method, fakeslack.FaultRateLimited, 1); err != nil {
			panic(err)
		}
	}
	s.slack.Observe = func(e fakeslack.Exchange) {
		if e.Status == http.StatusOK && slices.Contains(methods, e.Method) {
			arm(e.Method)
		}
	}
	s.before = func(w *world) {
		slack.Store(w.slack)
		for _, method := range methods {
			arm(method)
		}
	}
}

func TestListEndsRightThoughSlackRefusesEdits(t *testing.T) {
	s := lists()
	everySecond(&s, "chat.update", "views.update")
	overHTTP(t, s, func(t *testing.T, w *world) {
		const many = 20
		ids, names := w.some(many)
		began := time.Now()
		review := w.pasted(w.cast.Requester, names, many)
		require.Empty(t, w.confirms(w.cast.Requester, review, "20").Error)
		waits := w.approved("20 waiting for approval")
		told := w.awaitMessage(w.cast.Channel, "Cancellation requested for 20 servers.")
		assert.Equal(t, waits.TS, told.TS)
		w.filedOnce(ids...)
		w.awaitMessage(w.cast.Requester, "Cancellation requested for 20 servers.")
		w.stop()
		edits := w.calls("chat.update")
		refused := 0
		for n, e := range edits {
			if e.Status != http.StatusTooManyRequests {
				continue
			}
			refused++
			if n+1 < len(edits) {
				assert.GreaterOrEqual(t, edits[n+1].At.Sub(e.At), time.Second, "Slack is asked no sooner than it said")
			}
		}
		assert.Positive(t, refused)
		assert.LessOrEqual(t, len(edits)-refused, 2+int(time.Since(began)/(3*time.Second)), "at most one edit each three seconds")
		assert.Len(t, w.roots(w.cast.Channel), 1)
		assert.Equal(t, map[string]int{"filed": many}, w.recorded())
		assert.Empty(t, w.broken())
	})
}

// alikeHours has each hour begin with the count of the one before, since an hour may end during the test.
func (w *world) alikeHours() {
	w.t.Helper()
	for _, when := range []string{"insert", "update"} {
		w.inDatabase("create trigger alike_after_" + when + " after " + when + ` on filings begin
			delete from filings where hour = new.hour + 1; insert into filings (hour, made) values (new.hour + 1, new.made); end`)
	}
}

func TestListIsSpreadAndLetsOthersIn(t *testing.T) {
	s := lists("MAX_FILINGS_PER_HOUR=24")
	s.before = func(w *world) {
		require.NoError(w.t, w.slack.PatchGroup(w.cast.CancelGroup, fakeslack.GroupPatch{Add: []string{w.cast.Hostile}}))
	}
	overSocket(t, s, func(t *testing.T, w *world) {
		const many, most = 30, 24
		w.alikeHours()
		single := w.another()
		form := w.form(w.cast.Channel, w.cast.Hostile, single)
		ids, names := w.some(many)
		review := w.pasted(w.cast.User, names, many)
		require.Empty(t, w.confirms(w.cast.User, review, "30").Error)
		w.eventually("some of the list are filed", func() bool { return len(w.posts()) >= 5 })
		require.Empty(t, w.submit(w.cast.Hostile, form, w.usual(form, single)).Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(single))
		told := w.awaitMessage(w.cast.Channel, "Asked for 30 servers · 23 filed · 7 waiting to be filed", "7 will be filed after ", ":00 UTC: at most 24 tickets an hour.")
		posts := w.posts()
		require.Len(t, posts, most, "no more in this hour")
		last, _ := posts[most-1].Request.(json.RawMessage)
		assert.NotContains(t, string(last), strconv.FormatInt(single, 10), "another person's request is filed between two of the list")
		w.filedOnce(single)

		for _, text := range []string{"drop trigger alike_after_insert", "drop trigger alike_after_update", "delete from filings"} {
			w.inDatabase(text) // the next hour
		}
		after := w.hurried("Cancellation requested for 30 servers.")
		assert.Equal(t, told.TS, after.TS)
		assert.NotContains(t, after.Shown, "an hour")
		w.filedOnce(ids...)
		assert.Len(t, w.posts(), many+1)
		assert.Empty(t, w.broken())
	})
}
