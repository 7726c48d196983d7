package fakeslack_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"

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

func TestOpenPageHearsTheBotComeAndGo(t *testing.T) {
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

// stream is the live stream of a page, of which each event is passed on.
type stream struct {
	http.ResponseWriter
	events chan struct{}
}

func (s stream) Write(data []byte) (int, error) { s.events <- struct{}{}; return len(data), nil }
func (s stream) Flush()                         {}

// way to the bot, which is there unless it returns an error.
type way func() error

func (w way) RoundTrip(*http.Request) (*http.Response, error) {
	if err := w(); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody}, nil
}

func TestOpenPageHearsSoonOfAGoneBot(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		s := newVirtualStage(t, fakeslack.Options{Endpoint: "http://bot.test"})
		var gone atomic.Bool
		s.CarryToBot(way(func() error {
			if gone.Load() {
				return errors.New("connection refused")
			}
			return nil
		}))
		require.True(t, connected(s))
		page := stream{httptest.NewRecorder(), make(chan struct{}, 100)}
		go s.Page().ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/page/events", nil))
		for n := range 20 {
			time.Sleep(time.Second + time.Duration(n)*73*time.Millisecond) // the bot goes at another moment each time
			for len(page.events) > 0 {
				<-page.events
			}
			change := n%2 == 0
			gone.Store(change)
			changed := time.Now()
			<-page.events
			assert.LessOrEqual(t, time.Since(changed), time.Second)
			assert.Equal(t, !change, connected(s))
		}
	})
}
