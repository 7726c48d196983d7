package letters_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
)

const day = 24 * time.Hour

// letters are the direct messages that the requester has.
func (w *world) letters() []message { return w.took(w.cast.Requester) }

// holdsLetters holds letters that were not told at once to one a working day, in working hours.
func holdsLetters(t *testing.T, all []message) {
	t.Helper()
	days := map[string]bool{}
	for _, m := range all {
		at := m.at
		assert.NotContains(t, []time.Weekday{time.Saturday, time.Sunday}, at.Weekday(), "%v", at)
		assert.True(t, at.Hour() >= 9 && at.Hour() < 18, "%v is in working hours", at)
		assert.False(t, days[at.Format(time.DateOnly)], "one a day: %v", at)
		days[at.Format(time.DateOnly)] = true
	}
}

func TestFortyServersAreFewLettersToTheEnd(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		end := monday.AddDate(0, 0, 24)
		for server := range int64(40) {
			w.file(server+1, end)
		}
		w.runs(3 * day)
		assert.Empty(t, w.letters(), "nothing became of them yet")
		for server := range int64(40) { // three days move some dates, there and back
			if server%4 == 0 {
				w.shows(server+1, end.AddDate(0, 1, 0))
			}
		}
		w.runs(2 * day)
		for server := range int64(40) {
			w.shows(server+1, end)
		}
		w.runs(time.Until(end) + time.Hour)
		for server := range int64(40) {
			if server%2 == 0 {
				w.goes(server + 1)
			}
		}
		w.runs(day)
		for server := range int64(40) {
			w.goes(server + 1)
		}
		w.runs(7 * day)
		all := w.letters()
		holdsLetters(t, all)
		assert.LessOrEqual(t, len(all), 8)
		var whole strings.Builder
		for _, m := range all {
			whole.WriteString(m.text)
		}
		assert.Contains(t, whole.String(), "📅 SoftLayer now shows another end date for 10 servers.")
		assert.Contains(t, whole.String(), "⏰ 40 servers are due to end soon")
		assert.Equal(t, 2, strings.Count(whole.String(), "🏁 Gone: 20 servers."))
		for server := range int64(40) {
			assert.Equal(t, cancellation.Reclaimed, w.request(server+1).State)
		}
	})
}

func TestDigestWaitsForTheNextWorkingMorning(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for server := range int64(3) {
			w.file(server+1, monday.AddDate(0, 0, 40))
		}
		w.runs(4*day + 11*time.Hour) // to Friday evening
		w.goes(1)
		w.runs(3 * time.Hour)
		assert.Equal(t, cancellation.Reclaimed, w.request(1).State)
		assert.Empty(t, w.letters())
		w.runs(3 * day)
		all := w.letters()
		require.Len(t, all, 1)
		assert.Equal(t, "Mon 09:00", all[0].at.Format("Mon 15:04"))
		assert.Contains(t, all[0].text, "🏁 Gone: web-001.example.com.")
		w.goes(2)
		w.runs(9 * time.Hour) // the same day: nothing more
		w.goes(3)
		w.runs(2 * day)
		all = w.letters()
		holdsLetters(t, all)
		require.Len(t, all, 2)
		assert.Contains(t, all[1].text, "web-002.example.com")
		assert.Contains(t, all[1].text, "web-003.example.com")
	})
}

func TestNotCancelledIsToldAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.approver = w.cast.Approver
		for server := range int64(4) {
			w.file(server+1, monday.AddDate(0, 0, 40))
		}
		w.runs(14 * time.Hour) // to 22:00
		before := len(w.took(w.cast.Channel))
		w.closes(1)
		w.runs(67 * time.Minute)
		w.closes(2)
		w.runs(30 * time.Minute)
		w.closes(3, 4)
		w.runs(3 * time.Hour)

		all := w.letters()
		require.NotEmpty(t, all)
		for _, m := range all {
			assert.Contains(t, m.text, "🚨 Not cancelled: web-00")
			assert.Contains(t, m.text, "It runs and is billed until it is asked for again.")
		}
		for server := range int64(4) {
			assert.Equal(t, cancellation.Reverted, w.request(server+1).State)
		}
		for i, m := range all[1:] {
			assert.GreaterOrEqual(t, m.at.Sub(all[i].at), 10*time.Minute, "what comes within ten minutes is one message")
		}
		var escalated int
		for _, m := range w.took(w.cast.Channel)[before:] {
			if strings.Contains(m.text, "approved by <@"+w.cast.Approver+">") && strings.Contains(m.text, "Not cancelled") {
				escalated++
			}
		}
		assert.Equal(t, 2*4, escalated, "in the thread, and in the escalation channel, naming who approved")
	})
}

// owes owes news of requests to the requester.
func (w *world) owes(kind cancellation.NewsKind, to string, servers ...int64) {
	w.t.Helper()
	for _, server := range servers {
		r := w.request(server)
		require.NoError(w.t, w.store.OweNews(w.t.Context(), r.ID, []cancellation.News{{To: to, Kind: kind}}))
	}
}

// ends ends a filed request, as the follower does.
func (w *world) ends(server int64, state cancellation.State) {
	w.t.Helper()
	from := w.request(server)
	next, err := from.Move(state, cancellation.ByFollower, cancellation.Reason{Code: cancellation.WhyTicketClosed})
	require.NoError(w.t, err)
	_, err = w.store.Apply(w.t.Context(), cancellation.Change{From: from, To: next, Event: cancellation.Event{Kind: cancellation.EventEvidence}})
	require.NoError(w.t, err)
}

func TestMoreWithinTenMinutesChangesTheMessage(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for server := range int64(3) {
			w.file(server+1, monday.AddDate(0, 0, 40))
			w.ends(server+1, cancellation.Reverted)
		}
		w.owes(cancellation.NewsNotCancelled, w.cast.Requester, 1)
		w.sends(w.announcer, 9*time.Minute)
		w.owes(cancellation.NewsNotCancelled, w.cast.Requester, 2)
		w.sends(w.announcer, 5*time.Minute)
		all := w.letters()
		require.Len(t, all, 1, "a message that rang less than ten minutes ago")
		assert.Contains(t, all[0].text, "web-001.example.com")
		assert.Contains(t, all[0].text, "web-002.example.com")
		assert.Equal(t, 1, w.edits(all[0].ts))
		w.owes(cancellation.NewsNotCancelled, w.cast.Requester, 3)
		w.sends(w.announcer, 5*time.Minute)
		all = w.letters()
		require.Len(t, all, 2, "and a new one after that")
		assert.NotContains(t, all[1].text, "web-001.example.com")
	})
}

func TestDateThatComesAgainIsOneReminder(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		end := monday.AddDate(0, 0, 8)
		w.file(1, end)
		last, _ := w.request(1).LastCall()
		at := last.Format(time.RFC3339)
		require.NoError(t, w.store.OweNews(t.Context(), "r1", []cancellation.News{
			{To: w.cast.Requester, Kind: cancellation.NewsEnds, Detail: cancellation.Line{Now: at}.EndsDetail()},
			{To: w.cast.Requester, Kind: cancellation.NewsEnds, Detail: cancellation.Line{Now: at, Update: 1}.EndsDetail()},
		}))
		w.sends(w.announcer, 4*day)
		require.Len(t, w.letters(), 1)
		assert.Equal(t, 1, strings.Count(w.letters()[0].text, "is due to end on"))
	})
}

// wordless cannot make the words of one person's letters.
type wordless struct {
	mail
	person string
}

func (m wordless) PostLetter(ctx context.Context, to, id string, items []cancellation.Item, atOnce bool) (cancellation.Posted, cancellation.Delivery, time.Duration) {
	if to == m.person {
		panic("no words")
	}
	return m.mail.PostLetter(ctx, to, id, items, atOnce)
}

func TestUnwritableLetterIsToldToOthers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.approver = w.cast.Approver
		w.file(1, monday.AddDate(0, 0, 40))
		w.ends(1, cancellation.Reclaimed)
		w.owes(cancellation.NewsEnded, w.cast.Requester, 1)
		w.sends(wordless{w.announcer, w.cast.Requester}, 6*time.Hour)
		owed, err := w.store.NewsFor(t.Context(), w.cast.Requester, 10)
		require.NoError(t, err)
		assert.Empty(t, owed, "it is not tried for ever")
		assert.Len(t, w.took(w.cast.Approver), 1, "who approved is told instead")
	})
}

// sends has one replica send for a time.
func (w *world) sends(mail mail, long time.Duration) {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), long)
	defer stop()
	w.sender("one", mail).Run(ctx)
}

func TestWhatIsOverIsNotTold(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for server := range int64(5) {
			w.file(server+1, monday.AddDate(0, 0, 40))
		}
		w.owes(cancellation.NewsWaits, w.cast.Requester, 1) // and it was answered
		w.owes(cancellation.NewsStill, w.cast.Requester, 2)
		w.owes(cancellation.NewsEnded, w.cast.Requester, 3)
		w.owes(cancellation.NewsNotCancelled, w.cast.Requester, 4)
		w.owes(cancellation.NewsMoved, w.cast.Requester, 5)
		w.ends(2, cancellation.Reclaimed)
		w.sends(w.announcer, 7*day)
		assert.Empty(t, w.letters())
		for _, user := range []string{w.cast.Requester, w.cast.Approver} {
			owed, err := w.store.NewsFor(t.Context(), user, 10)
			require.NoError(t, err)
			assert.Empty(t, owed, "settled")
		}
	})
}

func TestNewsOfSomebodyWhoLeftReachesOthers(t *testing.T) {
	left := true
	for name, c := range map[string]struct {
		approver func(w *world) string
		gone     bool // the approver too
		dm, here int  // messages to the approver, and in the escalation channel
	}{
		"those who approved":                           {func(w *world) string { return w.cast.Approver }, false, 1, 0},
		"else the escalation channel":                  {func(*world) string { return "" }, false, 0, 1},
		"also if those who approved have left as well": {func(w *world) string { return w.cast.Approver }, true, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.approver = c.approver(w)
				w.channel = w.cast.OtherChannel
				bot := true
				require.NoError(t, w.slack.PatchChannel(w.channel, fakeslack.ChannelPatch{BotIn: &bot}))
				w.file(1, monday.AddDate(0, 0, 40))
				w.runs(time.Minute)
				require.NoError(t, w.slack.PatchUser(w.cast.Requester, fakeslack.UserPatch{Deleted: &left}))
				if c.gone {
					require.NoError(t, w.slack.PatchUser(w.cast.Approver, fakeslack.UserPatch{Deleted: &left}))
				}
				time.Sleep(2 * time.Minute) // what was read of them is too old
				w.ends(1, cancellation.Reclaimed)
				w.owes(cancellation.NewsEnded, w.cast.Requester, 1)
				w.runs(2 * day)
				assert.Empty(t, w.letters())
				assert.Len(t, w.took(w.cast.Approver), c.dm)
				assert.Len(t, w.took(w.channel), c.here)
			})
		})
	}
}

func TestAllNewsOfALeaverIsPassedOn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		left := true
		w.approver = w.cast.Approver
		w.file(1, monday.AddDate(0, 0, 40))
		w.runs(time.Minute)
		require.NoError(t, w.slack.PatchUser(w.cast.Requester, fakeslack.UserPatch{Deleted: &left}))
		time.Sleep(2 * time.Minute) // what was read of them is too old
		var news []cancellation.News
		for update := range 210 {
			news = append(news, cancellation.News{To: w.cast.Requester, Kind: cancellation.NewsStaff, Detail: strconv.Itoa(update)})
		}
		require.NoError(t, w.store.OweNews(t.Context(), w.request(1).ID, news))
		w.sends(w.announcer, time.Minute)
		owed, err := w.store.NewsFor(t.Context(), w.cast.Requester, 1000)
		require.NoError(t, err)
		assert.Empty(t, owed, "nobody looks again before there is more")
	})
}

func TestRemindersHideNoNewsOfALeaver(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		left := true
		w.approver = w.cast.Approver
		w.file(1, monday.AddDate(0, 0, 40))
		w.file(2, monday.AddDate(0, 0, 40))
		w.runs(time.Minute)
		require.NoError(t, w.slack.PatchUser(w.cast.Requester, fakeslack.UserPatch{Deleted: &left}))
		time.Sleep(2 * time.Minute) // what was read of them is too old
		last, _ := w.request(1).LastCall()
		at := last.Format(time.RFC3339)
		var later []cancellation.News
		for update := range 210 {
			later = append(later, cancellation.News{To: w.cast.Requester, Kind: cancellation.NewsEnds, Detail: cancellation.Line{Now: at, Update: int64(update)}.EndsDetail()})
		}
		require.NoError(t, w.store.OweNews(t.Context(), w.request(1).ID, later))
		w.owes(cancellation.NewsStaff, w.cast.Requester, 2)
		w.sends(w.announcer, time.Minute)
		owed, err := w.store.NewsFor(t.Context(), w.cast.Requester, 1000)
		require.NoError(t, err)
		for _, n := range owed {
			assert.Equal(t, cancellation.NewsEnds, n.Kind, "the rest waits for its day")
		}
		assert.GreaterOrEqual(t, len(owed), 210)
		passed, err := w.store.NewsFor(t.Context(), w.cast.Approver, 1000)
		require.NoError(t, err)
		require.Len(t, passed, 1)
		assert.Equal(t, w.request(2).ID, passed[0].Request)
	})
}

func TestLostAnswerPostsNoSecondLetter(t *testing.T) {
	for name, c := range map[string]struct {
		history bool
		want    int
	}{"if the bot may look": {true, 1}, "else one orphan": {false, 2}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				scopes := []string{"chat:write", "im:write", "users:read", "usergroups:read", "commands"}
				if c.history {
					scopes = append(scopes, "im:history")
				}
				w.slack.SetScopes(scopes...)
				w.file(1, monday.AddDate(0, 0, 40))
				w.ends(1, cancellation.Reverted)
				w.owes(cancellation.NewsNotCancelled, w.cast.Requester, 1)
				require.NoError(t, w.slack.Fault("chat.postMessage", lostAnswer, 1))
				w.sends(w.announcer, 5*time.Minute)
				assert.Len(t, w.letters(), c.want)
				w.sends(w.announcer, 3*day)
				assert.Len(t, w.letters(), c.want)
			})
		})
	}
}

// lostAnswer is the fault by which Slack takes a call and answers nothing.
const lostAnswer = fakeslack.FaultDropAfter

func TestKilledReplicaLeavesItsLetterToAnother(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.file(1, monday.AddDate(0, 0, 40))
		w.ends(1, cancellation.Reclaimed)
		w.owes(cancellation.NewsEnded, w.cast.Requester, 1)
		claimed, err := w.store.ClaimMailboxes(t.Context(), "killed", 35*time.Second, 8) // between reading and telling
		require.NoError(t, err)
		require.Len(t, claimed.Rows, 1)
		var replicas sync.WaitGroup
		ctx, stop := context.WithTimeout(t.Context(), 2*day)
		defer stop()
		for _, owner := range []string{"two", "three"} {
			replicas.Go(func() { w.sender(owner, w.announcer).Run(ctx) })
		}
		replicas.Wait()
		assert.Len(t, w.letters(), 1)
		_, err = w.store.KeepMailbox(t.Context(), claimed.Rows[0], false, nil)
		require.ErrorIs(t, err, cancellation.ErrMoved, "the one that was killed writes nothing more")
	})
}

// mail is what carries letters.
type mail interface {
	PostLetter(ctx context.Context, to, id string, items []cancellation.Item, atOnce bool) (cancellation.Posted, cancellation.Delivery, time.Duration)
	UpdateLetter(ctx context.Context, at cancellation.Posted, to, id string, items []cancellation.Item, atOnce bool) (cancellation.Delivery, time.Duration)
	FindLetter(ctx context.Context, to, id string, since time.Time) (at cancellation.Posted, found, known bool)
}

// away is a Slack that takes nothing until a time.
type away struct {
	mail
	until time.Time
}

func (a away) PostLetter(ctx context.Context, to, id string, items []cancellation.Item, atOnce bool) (cancellation.Posted, cancellation.Delivery, time.Duration) {
	if time.Now().Before(a.until) {
		return cancellation.Posted{}, cancellation.Undelivered, 0
	}
	return a.mail.PostLetter(ctx, to, id, items, atOnce)
}

func TestMonthsOutageIsOneLetterAfterwards(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for server := range int64(6) {
			w.file(server+1, monday.AddDate(0, 0, 20))
		}
		broken := away{w.announcer, monday.AddDate(0, 0, 30)}
		w.runsWith(21*day, broken)
		w.goes(1, 2, 3, 4, 5, 6)
		w.runsWith(10*day, broken)
		all := w.letters()
		require.Len(t, all, 1)
		assert.Contains(t, all[0].text, "🏁 Gone: 6 servers.")
		assert.NotContains(t, all[0].text, "due to end", "that is over")
	})
}

func TestClockAYearAheadStopsNoLetter(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.file(1, monday.AddDate(0, 0, 40))
		w.file(2, monday.AddDate(0, 0, 40))
		w.ends(1, cancellation.Reclaimed)
		w.ends(2, cancellation.Reclaimed)
		w.shift = 365 * day
		w.owes(cancellation.NewsEnded, w.cast.Requester, 1)
		w.sends(w.announcer, 4*day)
		require.Len(t, w.letters(), 1)
		w.owes(cancellation.NewsEnded, w.cast.Requester, 2)
		w.sends(w.announcer, time.Minute) // it waits for the next day, a year ahead
		w.mu.Lock()
		w.shift = 0
		w.mu.Unlock()
		w.sends(w.announcer, 4*day)
		assert.Len(t, w.letters(), 2)
	})
}
