package slackui

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/webapi"
)

// retryAfter is what the fake's 429 asks for.
const retryAfter = time.Second

// announcing is an announcer in a strict workspace.
func announcing(t *testing.T) (*slacktest.Workspace, *Announcer) {
	t.Helper()
	w := slacktest.NewWorkspace(t, fakeslack.Options{Scopes: append(fakeslack.DefaultScopes(), "channels:history")})
	return w, NewAnnouncer(AnnouncerOptions{Web: clientIn(t, w), Words: plainWords{}, Log: slacktest.Silent()})
}

func TestOnlyTheLimitedChannelWaitsAfter429(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w, a := announcing(t)
		began := time.Now()
		here, there := w.Cast().Channel, w.Cast().PrivateChannel
		inThere := true
		require.NoError(t, w.PatchChannel(there, fakeslack.ChannelPatch{BotIn: &inThere}))
		at, delivery, _ := a.Post(t.Context(), cancellation.Place{Channel: here}, cancellation.Result, posted())
		require.Equal(t, cancellation.Delivered, delivery)
		require.NoError(t, w.Fault("chat.postMessage", fakeslack.FaultRateLimited, 1))
		_, delivery, left := a.Post(t.Context(), cancellation.Place{Channel: here}, cancellation.Result, posted())
		assert.Equal(t, cancellation.Undelivered, delivery)
		assert.Equal(t, retryAfter, left)

		time.Sleep(retryAfter / 4)
		for range 10 { // notices of other requests
			_, delivery, left = a.Post(t.Context(), cancellation.Place{Channel: here}, cancellation.Result, posted())
			assert.Equal(t, cancellation.Undelivered, delivery)
			assert.Equal(t, retryAfter*3/4, left)
		}
		assert.Equal(t, []time.Duration{0, 0}, w.Times("chat.postMessage", began), "Slack is not called before the time is over")
		_, delivery, _ = a.Post(t.Context(), cancellation.Place{Channel: there}, cancellation.Result, posted())
		assert.Equal(t, cancellation.Delivered, delivery, "another channel goes on")
		delivery, _ = a.Update(t.Context(), at, cancellation.Result, posted())
		assert.Equal(t, cancellation.Delivered, delivery, "another method goes on")

		time.Sleep(retryAfter * 3 / 4)
		_, delivery, _ = a.Post(t.Context(), cancellation.Place{Channel: here}, cancellation.Result, posted())
		assert.Equal(t, cancellation.Delivered, delivery)
		assert.Len(t, w.Seen("chat.postMessage"), 4)
	})
}

func TestLimitWithoutAChannelPausesItsMethod(t *testing.T) {
	t.Parallel()
	for method, call := range map[string]func(t *testing.T, w *slacktest.Workspace, a *Announcer) bool{
		"conversations.open": func(t *testing.T, w *slacktest.Workspace, a *Announcer) bool {
			r := posted()
			r.Submission.By.ID = w.Cast().User
			_, delivery, left := a.Post(t.Context(), cancellation.Place{Channel: ""}, cancellation.Result, r)
			assert.Equal(t, delivery == cancellation.Undelivered, left > 0)
			return delivery == cancellation.Delivered
		},
		"conversations.history": func(t *testing.T, w *slacktest.Workspace, a *Announcer) bool {
			_, _, known := a.Find(t.Context(), cancellation.Place{Channel: w.Cast().Channel}, cancellation.Result, posted(), time.Now())
			return known
		},
		"chat.update": func(t *testing.T, w *slacktest.Workspace, a *Announcer) bool {
			at, _, _ := a.Post(t.Context(), cancellation.Place{Channel: w.Cast().Channel}, cancellation.Result, posted())
			delivery, left := a.Update(t.Context(), at, cancellation.Result, posted())
			assert.Equal(t, delivery == cancellation.Undelivered, left > 0)
			return delivery == cancellation.Delivered
		},
		"users.info": func(t *testing.T, w *slacktest.Workspace, a *Announcer) bool {
			return reads(t, w, a.o.Web)
		},
		"usergroups.list": func(t *testing.T, w *slacktest.Workspace, a *Announcer) bool {
			return reads(t, w, a.o.Web, w.Cast().CancelGroup)
		},
	} {
		t.Run(method, func(t *testing.T) {
			slacktest.InVirtualTime(t, func(t *testing.T) {
				w, a := announcing(t)
				began := time.Now()
				require.NoError(t, w.Fault(method, fakeslack.FaultRateLimited, 1))
				assert.False(t, call(t, w, a))
				time.Sleep(retryAfter - time.Millisecond)
				assert.False(t, call(t, w, a))
				assert.Equal(t, []time.Duration{0}, w.Times(method, began), "Slack is not called before the time is over")
				time.Sleep(time.Millisecond)
				assert.True(t, call(t, w, a))
				synctest.Wait()
			})
		})
	}
}

// reads reports whether a directory that has just begun can read a person.
func reads(t *testing.T, w *slacktest.Workspace, web *webapi.Client, groups ...string) bool {
	t.Helper()
	d := NewDirectory(DirectoryOptions{Web: web, HomeTeam: w.TeamID(), Log: slacktest.Silent()})
	defer d.Close()
	_, err := d.Principal(t.Context(), cancellation.Person{ID: w.Cast().User}, groups, time.Minute)
	return err == nil
}
