package receive

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/webapi"
)

func TestSocketCommandIsAcknowledgedWithItsReply(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		var got Command
		var after bool
		w := wire(t, wiring{}, func(*wired) Handler {
			return handlerFuncs{command: func(_ context.Context, c Command) (Reply, After) {
				got = c
				return Reply(`{"text":"only for you"}`), func(context.Context) { after = true }
			}}
		})
		ack := w.Typed(t, "db1 & co")
		assert.Equal(t, 200, ack.Status)
		assert.JSONEq(t, `{"text":"only for you"}`, string(ack.Body))
		synctest.Wait()
		assert.True(t, after, "the work after the acknowledgement is done")
		assert.Equal(t, w.Cast().User, got.User)
		assert.Equal(t, w.TeamID(), got.Team)
		assert.Equal(t, w.Cast().Channel, got.Channel)
		assert.Equal(t, "db1 & co", got.Text)
		assert.NotEmpty(t, got.TriggerID)
		assert.NotEmpty(t, got.ResponseURL)
		assert.Empty(t, w.RulesBroken())
	})
}

func TestAnEmptyReplyAcknowledgesWithoutAPayload(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w := wire(t, wiring{}, func(*wired) Handler {
			return handlerFuncs{command: func(context.Context, Command) (Reply, After) { return nil, nil }}
		})
		ack := w.Typed(t, "")
		assert.Equal(t, 200, ack.Status)
		assert.Equal(t, "null", string(ack.Body))
		assert.Empty(t, w.RulesBroken())
	})
}

func TestAnInteractionBySocket(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		var got Interaction
		w := wire(t, wiring{}, func(w *wired) Handler {
			web := clientIn(t, w.Workspace)
			return handlerFuncs{
				command: func(ctx context.Context, c Command) (Reply, After) {
					view := slacktest.Modal()
					view.NotifyOnClose, view.CallbackID = true, "cancel.v1"
					_, _, err := web.OpenView(ctx, c.TriggerID, view)
					assert.NoError(t, err)
					return nil, nil
				},
				interaction: func(_ context.Context, i Interaction) (Reply, After) { got = i; return nil, nil },
			}
		})
		w.Typed(t, "")
		views, err := w.Views(w.Cast().User)
		require.NoError(t, err)
		require.Len(t, views, 1)
		ack, err := w.CloseView(t.Context(), w.Cast().User, views[0].ID)
		require.NoError(t, err)
		assert.Equal(t, 200, ack.Status)
		assert.Equal(t, ViewClosed, got.Kind)
		assert.Equal(t, views[0].ID, got.View.ID)
		assert.Equal(t, "cancel.v1", got.View.CallbackID)
		assert.Equal(t, w.TeamID(), got.Team)
	})
}

func TestUnacknowledgedDeliveryIsHandledWhenRedelivered(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		var times atomic.Int32
		w := wire(t, wiring{}, func(*wired) Handler {
			return handlerFuncs{command: func(context.Context, Command) (Reply, After) {
				if times.Add(1) == 1 {
					panic("the first time")
				}
				return nil, nil
			}}
		})
		assert.Equal(t, "operation_timeout", w.Typed(t, "").Error)
		synctest.Wait()
		assert.EqualValues(t, 2, times.Load(), "the repeated delivery is worked, not dropped")
	})
}

func TestTooLongAcknowledgementIsNotSent(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w := wire(t, wiring{}, func(*wired) Handler {
			return handlerFuncs{command: func(_ context.Context, c Command) (Reply, After) {
				if c.Text == "long" {
					return Reply(`{"text":"` + strings.Repeat("x", frameLimit) + `"}`), nil
				}
				return Reply(`{"text":"short"}`), nil
			}}
		})
		assert.Equal(t, "operation_timeout", w.Typed(t, "long").Error)
		assert.Equal(t, 200, w.Typed(t, "").Status, "Slack did not close the connection")
		assert.Len(t, w.connections(), 1)
		assert.True(t, w.says("acknowledging a delivery"))
	})
}

func TestSecondConnectionOpensAfterTheFirst(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w := wire(t, wiring{}, replying("here"))
		status := w.socket.Status()
		assert.Equal(t, SocketStatus{Standing: 1, Wanted: 2, LastHeard: w.began}, status)
		w.both(t)
		assert.Equal(t, []time.Duration{0, openStagger}, w.connections(), "so that Slack never ends both at the same moment")
		assert.Equal(t, w.began.Add(openStagger), w.socket.Status().LastHeard)
		w.Typed(t, "")
		assert.Equal(t, w.began.Add(2*openStagger), w.socket.Status().LastHeard)
	})
}

// What may befall one of two connections, or the only one, and how long it may take
// until as many stand as are wanted.
func TestEachCommandGetsOneFormDespiteConnectionFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		befalls string
		wanted  int
		within  time.Duration
	}{
		{fakeslack.SocketDisconnect, 2, 0},
		{fakeslack.SocketRefresh, 2, 0},
		{fakeslack.SocketWarning, 2, 0},
		{fakeslack.SocketTooMany, 2, crowdPause},
		{fakeslack.SocketDeaf, 2, pingTime},
		{fakeslack.SocketSwallow, 2, suspectTime},
		{fakeslack.SocketDisconnect, 1, 0},
		{fakeslack.SocketRefresh, 1, 0},
		{fakeslack.SocketWarning, 1, 0},
		{fakeslack.SocketTooMany, 1, crowdPause},
		{fakeslack.SocketDeaf, 1, pingTime},
		{fakeslack.SocketSwallow, 1, quietTime},
	} {
		t.Run(fmt.Sprintf("%s of %d", c.befalls, c.wanted), func(t *testing.T) {
			slacktest.InVirtualTime(t, func(t *testing.T) {
				w := wire(t, wiring{
					slack:  fakeslack.Options{AckTimeout: time.Second}, // so that a trigger lives for three tries
					wanted: func() int { return c.wanted },
				}, opening(t, nil))
				time.Sleep(2 * openStagger)
				w.Typed(t, "before")
				require.NoError(t, w.SocketAt(1, c.befalls))
				commands := 1
				for range c.wanted { // with two, one of them is given to either connection
					if c.wanted == 1 && c.within > 0 {
						break // nobody could be reached
					}
					w.Typed(t, "meanwhile")
					commands++
				}
				time.Sleep(c.within)
				synctest.Wait()
				status := w.socket.Status()
				assert.Equal(t, c.wanted, status.Standing)
				w.Typed(t, "after")
				w.Typed(t, "after")
				w.eachGotOneForm(t, commands+2)
				assert.Len(t, w.connections(), c.wanted+1, "one connection is opened, for the one that went")
			})
		})
	}
}

func TestWhatIsInHandWhenAConnectionGoes(t *testing.T) {
	t.Parallel()
	for befalls, again := range map[string]bool{
		fakeslack.SocketDisconnect: true, // its acknowledgement cannot be written
		fakeslack.SocketRefresh:    false,
		fakeslack.SocketWarning:    false,
	} {
		for wanted := 1; wanted <= mostConnections; wanted++ {
			t.Run(fmt.Sprintf("%s of %d", befalls, wanted), func(t *testing.T) {
				slacktest.InVirtualTime(t, func(t *testing.T) {
					hold := make(chan struct{})
					w := wire(t, wiring{wanted: func() int { return wanted }}, opening(t, hold))
					time.Sleep(2 * openStagger)
					acks := make(chan fakeslack.Ack, 1)
					go func() { acks <- w.Typed(t, "hold") }()
					synctest.Wait()
					require.NoError(t, w.Socket(befalls))
					synctest.Wait()
					close(hold)
					assert.Equal(t, 200, (<-acks).Status, "the person sees no failure")
					synctest.Wait()
					w.eachGotOneForm(t, 1)
					assert.Equal(t, again, len(w.Seen("slash_command")) > 1, "is it delivered again?")
				})
			})
		}
	}
}

func TestNextConnectionOpensBeforeTheLastCloses(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w := wire(t, wiring{wanted: oneConnection}, replying("here"))
		const failures = 3
		require.NoError(t, w.Fault("apps.connections.open", fakeslack.FaultError500, failures))
		least := 1
		for time.Since(w.began) < quietTime+time.Minute {
			time.Sleep(100 * time.Millisecond)
			least = min(least, w.socket.Status().Standing)
		}
		assert.Len(t, w.connections(), 1+failures+1, "it was renewed, at the fourth try")
		assert.Equal(t, 1, least)
		assert.True(t, w.says("500 Internal Server Error"))
		assert.Equal(t, 200, w.Typed(t, "").Status)
	})
}

func TestLostConnectionIsReplacedAtOnceEveryTime(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w := wire(t, wiring{wanted: oneConnection}, replying("here"))
		for range 10 {
			time.Sleep(healthyTime)
			require.NoError(t, w.Workspace.Socket(fakeslack.SocketDisconnect))
			synctest.Wait()
			require.Equal(t, 1, w.socket.Status().Standing)
		}
	})
}

func TestAConnectionWithoutPingsIsGivenUp(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w := wire(t, wiring{wanted: oneConnection}, replying("here"))
		time.Sleep(time.Minute)
		deafened := time.Now()
		require.NoError(t, w.Workspace.Socket(fakeslack.SocketDeaf))
		time.Sleep(pingTime)
		synctest.Wait()
		require.Len(t, w.connections(), 2)
		assert.LessOrEqual(t, w.connections()[1], deafened.Add(pingTime).Sub(w.began))
		assert.Equal(t, 200, w.Typed(t, "").Status)
		assert.True(t, w.says(errLost.Error()))
	})
}

func TestRedeliveryShowsWhichConnectionIsDeaf(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w := wire(t, wiring{slack: fakeslack.Options{AckTimeout: time.Second}}, opening(t, nil))
		w.both(t)
		time.Sleep(5 * time.Minute)
		require.NoError(t, w.SocketAt(1, fakeslack.SocketSwallow))
		w.Typed(t, "one of these")
		w.Typed(t, "is swallowed at first")
		time.Sleep(time.Second)
		w.eachGotOneForm(t, 2)
		assert.Len(t, w.Seen("slash_command"), 3)
		assert.Len(t, w.connections(), 3, "the silent one is renewed at once, and no other")
		assert.True(t, w.says(errSuspect.Error()))
		for range 4 {
			assert.Equal(t, 200, w.Typed(t, "now").Status)
		}
		w.eachGotOneForm(t, 6)
	})
}

func TestAConnectionThatIsHeardIsNotRenewed(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w := wire(t, wiring{wanted: oneConnection}, replying("here"))
		for range 24 {
			time.Sleep(quietTime - time.Minute)
			w.Typed(t, "")
		}
		assert.Len(t, w.connections(), 1)
	})
}

// apps.connections.open may be called about once a minute by all processes of an app
// (docs.slack.dev/reference/methods/apps.connections.open), of which Slack lets ten
// connections stand.
func TestIdleBotRenewsConnectionsWithinSlacksLimit(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w := wire(t, wiring{slack: fakeslack.Options{PingInterval: 20 * time.Second}}, replying("here"))
		w.both(t)
		const night = 5 * time.Hour
		least := 2
		for time.Since(w.began) < night {
			time.Sleep(time.Second)
			synctest.Wait() // what happens at this very moment has happened
			least = min(least, w.socket.Status().Standing)
		}
		assert.Equal(t, 2, least, "both stood all the time")
		calls := w.connections()
		assert.GreaterOrEqual(t, len(calls), int(2*night/quietTime), "each is renewed")
		assert.LessOrEqual(t, len(calls)*10/mostConnections, int(night/time.Minute), "ten such connections stay within the limit")
		for i := range calls[1:] {
			assert.GreaterOrEqual(t, calls[i+1]-calls[i], openStagger, "one at a time")
		}
		assert.Empty(t, w.RulesBroken())
	})
}

func TestTooManyConnectionsLeaveTheRestWorking(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w := wire(t, wiring{slack: fakeslack.Options{MaxSockets: 1}}, opening(t, nil))
		for range 10 {
			time.Sleep(3 * time.Minute)
			require.Equal(t, 200, w.Typed(t, "").Status)
		}
		assert.Equal(t, 1, w.socket.Status().Standing)
		w.eachGotOneForm(t, 10)
		calls := w.connections()
		assert.LessOrEqual(t, len(calls), 12, "it does not fight for a place")
		assert.Greater(t, len(calls), 5, "and does not give up")
		assert.True(t, w.says("too_many_websockets"))
	})
}

func TestAPlaceThatBecomesFreeIsTaken(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w := wire(t, wiring{slack: fakeslack.Options{MaxSockets: 2}, before: func(w *wired) {
			address, err := webapi.NewConnections(w.AppToken(), w.URL, w.Network.Transport(), nil).Open(t.Context())
			require.NoError(t, err)
			other, _, err := (&websocket.Dialer{NetDialContext: w.Network.Dial}).DialContext(t.Context(), address, nil)
			require.NoError(t, err)
			t.Cleanup(func() { _ = other.Close() })
			time.AfterFunc(time.Hour, func() { _ = other.NetConn().Close() })
			go func() { _, _ = io.Copy(io.Discard, other.NetConn()) }()
		}}, replying("here"))
		least := 1
		for time.Since(w.began) < time.Hour-time.Second {
			time.Sleep(time.Second)
			synctest.Wait() // what happens at this very moment has happened
			least = min(least, w.socket.Status().Standing)
		}
		assert.Equal(t, 1, least, "the one that stands is renewed in its own place")
		time.Sleep(crowdLong + 2*openStagger)
		assert.Equal(t, 2, w.socket.Status().Standing)
	})
}

func TestConnectionSlackStillCountsIsReplacedSoon(t *testing.T) {
	for lingering, most := range map[time.Duration]time.Duration{
		500 * time.Millisecond: time.Second,
		2 * time.Second:        3 * time.Second,
		6 * time.Second:        7 * time.Second,
	} {
		t.Run(lingering.String(), func(t *testing.T) {
			slacktest.InVirtualTime(t, func(t *testing.T) {
				w := wire(t, wiring{slack: fakeslack.Options{MaxSockets: 1, Lingering: lingering}, wanted: oneConnection}, replying("here"))
				time.Sleep(quietTime)
				synctest.Wait()
				assert.Zero(t, w.socket.Status().Standing, "it let its only place go, to be renewed")
				time.Sleep(most)
				synctest.Wait()
				assert.Equal(t, 1, w.socket.Status().Standing)
				assert.Equal(t, 200, w.Typed(t, "").Status)
			})
		})
	}
}

func TestAProxyCarriesTheWebsocketToo(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		var asked string
		proxy := slacktest.NewNetwork()
		server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			asked = r.Method + " " + r.Host
			out.WriteHeader(http.StatusProxyAuthRequired)
		})}
		var serving sync.WaitGroup
		serving.Go(func() { assert.ErrorIs(t, server.Serve(proxy), http.ErrServerClosed) })
		t.Cleanup(func() {
			assert.NoError(t, server.Close())
			serving.Wait()
		})
		s := NewSocket(SocketOptions{Log: slacktest.Silent()}).through(proxy)
		s.base.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.test:3128"})
		_, err := s.dial(t.Context(), "wss://wss-primary.slack.com/link/?ticket=secret")
		require.ErrorContains(t, err, "Proxy Authentication Required")
		assert.Equal(t, "CONNECT wss-primary.slack.com:443", asked)
		assert.NotContains(t, err.Error(), "secret", "the URL is a capability")
	})
}

func TestTheEnvironmentsProxyIsUsedInProduction(t *testing.T) {
	t.Parallel()
	want := reflect.ValueOf(http.ProxyFromEnvironment).Pointer()
	assert.Equal(t, want, reflect.ValueOf(webapi.NewTransport().Proxy).Pointer())
}

// through lets a socket of no workspace reach one.
func (s *Socket) through(n *slacktest.Network) *Socket {
	s.base.DialContext, s.base.Proxy, s.base.DisableKeepAlives = n.Dial, nil, true
	return s
}

func TestRateLimitedOpeningWaitsAsSlackAsks(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		const refusals = 8
		w := wire(t, wiring{before: func(w *wired) {
			require.NoError(t, w.Fault("apps.connections.open", fakeslack.FaultRateLimited, refusals))
		}}, replying("here"))
		time.Sleep(refusals*time.Second - 1)
		assert.Zero(t, w.socket.Status().Standing)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		assert.Equal(t, 1, w.socket.Status().Standing)
		var want []time.Duration
		for i := range refusals + 1 {
			want = append(want, time.Duration(i)*time.Second)
		}
		assert.Equal(t, want, w.connections(), "one call each time that Retry-After is over, for both connections together")
		assert.Equal(t, 200, w.Typed(t, "").Status)
	})
}

func TestConnectionTooManyIsClosedAndReopened(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		var wanted atomic.Int32
		wanted.Store(2)
		hold := make(chan struct{})
		w := wire(t, wiring{wanted: func() int { return int(wanted.Load()) }}, opening(t, hold))
		w.both(t)
		time.Sleep(wantedPause - time.Second)
		acks := make(chan fakeslack.Ack, 2)
		for range 2 { // one on each
			go func() { acks <- w.Typed(t, "hold") }()
			synctest.Wait()
		}
		wanted.Store(1)
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, 1, w.socket.Status().Standing)
		assert.Equal(t, 1, w.socket.Status().Wanted)
		close(hold)
		for range 2 {
			assert.Equal(t, 200, (<-acks).Status, "what was in hand is acknowledged where it came")
		}
		assert.Len(t, w.Seen("slash_command"), 2, "so nothing is delivered again")

		time.Sleep(time.Minute)
		require.Error(t, w.SocketAt(2, fakeslack.SocketRefresh), "it is gone at Slack's too")
		wanted.Store(0)
		time.Sleep(time.Minute)
		assert.Equal(t, 1, w.socket.Status().Standing, "less than one is none that Slack could reach")
		wanted.Store(9)
		time.Sleep(wantedPause)
		synctest.Wait()
		assert.Equal(t, 2, w.socket.Status().Standing, "more than two gain nothing")
		assert.Equal(t, 2, w.socket.Status().Wanted)
		w.Typed(t, "")
		w.eachGotOneForm(t, 3)
	})
}

func TestConnectionThatFailsIsTheOneTooMany(t *testing.T) {
	t.Parallel()
	for place := 1; place <= mostConnections; place++ {
		t.Run(fmt.Sprint(place), func(t *testing.T) {
			slacktest.InVirtualTime(t, func(t *testing.T) {
				var wanted atomic.Int32
				wanted.Store(2)
				w := wire(t, wiring{wanted: func() int { return int(wanted.Load()) }}, replying("here"))
				w.both(t)
				require.NoError(t, w.SocketAt(place, fakeslack.SocketTooMany)) // it now waits for a place
				synctest.Wait()
				calls := len(w.connections())
				wanted.Store(1)
				time.Sleep(wantedPause)
				synctest.Wait()
				assert.Equal(t, 1, w.socket.Status().Standing)
				assert.Len(t, w.connections(), calls, "and the other was never missed")
				assert.Equal(t, 200, w.Typed(t, "").Status)
			})
		})
	}
}

func TestHangingUpWaitsForTheAnswersInHand(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		hold := make(chan struct{})
		w := wire(t, wiring{}, opening(t, hold))
		w.both(t)
		acks := make(chan fakeslack.Ack, 1)
		go func() { acks <- w.Typed(t, "hold") }()
		synctest.Wait()
		ended := make(chan error, 1)
		go func() { ended <- w.hangUp() }()
		synctest.Wait()
		assert.Zero(t, w.socket.Status().Standing, "the bot is not ready any more")
		close(hold)
		assert.Equal(t, 200, (<-acks).Status)
		require.NoError(t, <-ended)
		w.eachGotOneForm(t, 1)
		require.Error(t, w.SocketAt(1, fakeslack.SocketRefresh), "no connection is left")
	})
}

func TestHangingUpDoesNotWaitForEver(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		hold := make(chan struct{})
		w := wire(t, wiring{wanted: oneConnection}, func(*wired) Handler {
			return handlerFuncs{command: func(context.Context, Command) (Reply, After) { <-hold; return nil, nil }}
		})
		go w.Typed(t, "")
		synctest.Wait()
		began := time.Now()
		require.NoError(t, w.hangUp())
		assert.Equal(t, drainTime, time.Since(began))
		close(hold)
	})
}

func TestUntakenAcknowledgementHasADeadline(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		held := make(chan net.Conn, 1)
		backend := newPeer(t, func(conn *websocket.Conn) { held <- conn.NetConn() }) // and nobody reads
		s := NewSocket(SocketOptions{Log: slacktest.Silent()}).through(backend)
		c, err := s.dial(t.Context(), "ws://slack.test/")
		require.NoError(t, err)
		go s.read(c)
		defer (<-held).Close()

		began := time.Now()
		require.Error(t, c.acknowledge("e1", nil))
		assert.Equal(t, ackTime, time.Since(began))
		<-c.ended
		require.ErrorIs(t, c.why, errLost, "the connection is given up, so that Slack delivers on another")
		require.Error(t, c.acknowledge("e2", nil))
		assert.Equal(t, ackTime, time.Since(began), "the next one does not wait")
	})
}

func TestATokenThatSlackRefusesEndsRun(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"invalid_auth", "not_authed", "account_inactive", "token_revoked", "not_allowed_token_type"} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			backend := slacktest.NewAnswers(t, slacktest.AnswerJSON(`{"ok":false,"error":"`+word+`"}`))
			d := NewDispatcher(DispatcherOptions{Handler: untouched(t), Log: slacktest.Silent()})
			err := NewSocket(SocketOptions{AppToken: "xapp-wrong", APIURL: backend.URL + "/api/", Dispatcher: d, Log: slacktest.Silent()}).Run(t.Context())
			require.ErrorIs(t, err, errBadToken)
			require.ErrorContains(t, err, word)
			assert.NotContains(t, err.Error(), "xapp-wrong")
		})
	}
}

func TestUnreachableSlackIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{
		fakeslack.FaultError503, fakeslack.FaultDropBefore, fakeslack.FaultHang, fakeslack.FaultFatalError, fakeslack.FaultInternalError,
	} {
		t.Run(fault, func(t *testing.T) {
			slacktest.InVirtualTime(t, func(t *testing.T) {
				const outage = 20
				w := wire(t, wiring{before: func(w *wired) {
					require.NoError(t, w.Fault("apps.connections.open", fault, outage))
				}}, replying("here"))
				for w.socket.Status().Standing == 0 {
					require.Less(t, time.Since(w.began), time.Hour, "it comes back")
					time.Sleep(time.Second)
				}
				calls := w.connections()
				assert.Len(t, calls, outage+1)
				for i := range calls[1:] {
					assert.LessOrEqual(t, calls[i+1]-calls[i], longPause+callTime, "it comes back soon after Slack does")
				}
				assert.Equal(t, 200, w.Typed(t, "").Status)
				assert.True(t, w.says("connecting by Socket Mode"))
				assert.NotContains(t, w.logged.String(), w.AppToken())
				assert.NotContains(t, w.logged.String(), "slack.test/socket/", "the URL is a capability")
			})
		})
	}
}

func TestConnectionThatNeverOpensBacksOff(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w := wire(t, wiring{wanted: oneConnection}, replying("here"))
		for time.Since(w.began) < 10*time.Minute {
			_ = w.Workspace.Socket(fakeslack.SocketDisconnect)
			time.Sleep(100 * time.Millisecond)
		}
		assert.Less(t, len(w.connections()), 30, "each is cut within the second, so the next one waits")
	})
}

func TestBackOffDoublesAndIsLeftToChance(t *testing.T) {
	t.Parallel()
	assert.Zero(t, backOff(0, time.Second, time.Minute))
	for failures, whole := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1000: time.Minute} {
		several := map[time.Duration]bool{}
		for range 50 {
			got := backOff(failures, time.Second, time.Minute)
			assert.GreaterOrEqual(t, got, whole/2)
			assert.LessOrEqual(t, got, whole)
			several[got] = true
		}
		assert.Greater(t, len(several), 10, "many do not come back together")
	}
}

// newPeer is a Slack that takes any websocket, says hello and then does what it is told
// to. It ends with the test, whatever becomes of that.
func newPeer(t *testing.T, then func(conn *websocket.Conn)) *slacktest.Network {
	t.Helper()
	n := slacktest.NewNetwork()
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		conn, err := new(websocket.Upgrader).Upgrade(out, r, nil)
		if assert.NoError(t, err) && assert.NoError(t, conn.WriteJSON(envelope{Type: frameHello})) {
			then(conn)
		}
	})}
	var serving sync.WaitGroup
	serving.Go(func() { assert.ErrorIs(t, server.Serve(n), http.ErrServerClosed) })
	t.Cleanup(func() {
		assert.NoError(t, server.Close())
		serving.Wait()
	})
	return n
}

// delivering is a Slack of one connection that delivers one envelope. It returns the
// frames that Slack received, and what was logged.
func delivering(t *testing.T, h Handler, e envelope) (received []string, logged *slacktest.Log) {
	t.Helper()
	ended := make(chan struct{})
	backend := newPeer(t, func(conn *websocket.Conn) {
		defer close(ended)
		assert.NoError(t, conn.WriteJSON(e))
		for {
			_, frame, err := conn.ReadMessage()
			if err != nil {
				return
			}
			received = append(received, string(frame))
		}
	})
	log, logged := slacktest.LogInto()
	d := NewDispatcher(DispatcherOptions{Handler: h, Log: slacktest.Silent()})
	s := NewSocket(SocketOptions{Dispatcher: d, Log: log}).through(backend)
	c, err := s.dial(t.Context(), "ws://slack.test/")
	require.NoError(t, err)
	go s.read(c)
	synctest.Wait()
	c.hangUp()
	<-ended
	require.NoError(t, d.Shutdown(t.Context()))
	return received, logged
}

func TestUnknownBlockDropsNoEnvelope(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		require.Contains(t, submissionPayload, "a_block_of_the_future")
		var got Interaction
		received, _ := delivering(t, handlerFuncs{interaction: func(_ context.Context, i Interaction) (Reply, After) { got = i; return nil, nil }},
			envelope{Type: "interactive", EnvelopeID: "e1", Payload: json.RawMessage(submissionPayload)})
		assert.Equal(t, "V1", got.View.ID)
		assert.Equal(t, []string{`{"envelope_id":"e1"}`}, received)
	})
}

func TestUnwantedIsAcknowledgedAndBrokenIsNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		envelope     envelope
		acknowledged bool
		said         string
	}{
		"of no kind":          {envelope{Type: "of_the_future", EnvelopeID: "e1"}, true, "ignoring a delivery"},
		"another event":       {envelope{Type: "events_api", EnvelopeID: "e1", Payload: json.RawMessage(`{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}`)}, true, ""},
		"an event of no id":   {envelope{Type: "events_api", EnvelopeID: "e1", Payload: json.RawMessage(`{"type":"event_callback","event":{"type":"message"}}`)}, false, "leaving a delivery unacknowledged"},
		"a wish":              {envelope{Type: "interactive", EnvelopeID: "e1", Payload: json.RawMessage(`{"type":"wish","user":{"id":"U1"}}`)}, true, "ignoring a delivery"},
		"a broken payload":    {envelope{Type: "interactive", EnvelopeID: "e1", Payload: json.RawMessage(`[]`)}, false, "leaving a delivery unacknowledged"},
		"a command of nobody": {envelope{Type: "slash_commands", EnvelopeID: "e1", Payload: json.RawMessage(`{"command":"/c"}`)}, false, "leaving a delivery unacknowledged"},
		"a frame of no kind":  {envelope{Type: "of_the_future"}, false, "ignoring a frame"},
	} {
		t.Run(name, func(t *testing.T) {
			slacktest.InVirtualTime(t, func(t *testing.T) {
				received, logged := delivering(t, untouched(t), c.envelope)
				assert.Len(t, received, map[bool]int{true: 1}[c.acknowledged])
				assert.Contains(t, logged.String(), c.said)
			})
		})
	}
}

// callTime is how long a call of Slack's Web API may take.
const callTime = 10 * time.Second
