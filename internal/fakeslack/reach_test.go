package fakeslack_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cancel-server/internal/fakeslack"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// listen opens the live stream of a page, and returns its events.
func listen(s *stage) <-chan string {
	s.t.Helper()
	page := httptest.NewServer(s.Page())
	response, err := page.Client().Get(page.URL + "/page/events")
	require.NoError(s.t, err)
	events := make(chan string)
	go func() {
		defer close(events)
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "data:") {
				events <- lines.Text()
			}
		}
	}()
	s.t.Cleanup(func() {
		_ = response.Body.Close()
		for range events { // until the reader has ended
		}
		page.Close()
	})
	<-events // the first comes at once
	return events
}

// connected reads what a page shows of the bot.
func connected(s *stage) bool {
	s.t.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/workspace", nil)
	s.Control().ServeHTTP(recorder, request)
	var workspace struct{ Connected bool }
	require.NoError(s.t, json.Unmarshal(recorder.Body.Bytes(), &workspace))
	return workspace.Connected
}

func TestAnOpenPageHearsTheBotComeAndGo(t *testing.T) {
	t.Parallel()
	await := func(s *stage, events <-chan string, want bool) {
		s.t.Helper()
		over := time.After(20 * time.Second)
		for connected(s) != want {
			select {
			case <-events:
			case <-over:
				require.FailNow(s.t, "no event says that the bot came or went")
			}
		}
	}
	t.Run("by a websocket", func(t *testing.T) {
		t.Parallel()
		s := onSocket(t, fakeslack.Options{}, func(*slack.Client, socketmode.Event) any { return nil })
		require.True(t, connected(s))
		assert.True(t, s.WasReached())
		events := listen(s)
		require.NoError(t, s.Socket(fakeslack.SocketDeaf))
		await(s, events, false)
		require.NoError(t, s.Socket(fakeslack.SocketDisconnect))
		await(s, events, true) // slack-go comes back by itself
	})
	t.Run("over HTTP, with no request of anybody's", func(t *testing.T) {
		t.Parallel()
		b := httptest.NewServer(http.NotFoundHandler())
		s := newStage(t, fakeslack.Options{Endpoint: b.URL})
		assert.False(t, s.WasReached(), "nobody has asked yet")
		require.True(t, connected(s))
		assert.True(t, s.WasReached())
		events := listen(s)
		b.Close()
		<-events // the page itself notices
		assert.False(t, connected(s))
	})
}
