package letters_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
)

// endAt is when the servers of a batch of three end.
var endAt = slices.Repeat([]time.Time{monday.AddDate(0, 0, 40)}, 3)

// claims claims the one notice that is due, as a notifier does.
func (b *batch) claims() cancellation.Notice {
	b.t.Helper()
	claim, err := b.store.ClaimNotices(b.t.Context(), "killed", 35*time.Second, 8)
	require.NoError(b.t, err)
	require.Len(b.t, claim.Rows, 1)
	return claim.Rows[0]
}

// tellsEach holds the thread to telling once that each of three servers is gone.
func (b *batch) tellsEach() {
	b.t.Helper()
	for server := 1; server <= 3; server++ {
		assert.Equal(b.t, 1, tells(b.posts()["thread"], "gone", named(server)), "%s", named(server))
	}
}

func TestKilledNotifierTellsNothingTwice(t *testing.T) {
	for name, killed := range map[string]func(b *batch){
		"before the post": func(b *batch) {
			b.claims()
		},
		"between what it recorded and the post": func(b *batch) {
			n := b.claims()
			n.Posting, n.Posts, n.DueIn = true, n.Posts+1, time.Minute
			_, err := b.store.ApplyNotice(b.t.Context(), n, true)
			require.NoError(b.t, err)
		},
		"between the post and its record": func(b *batch) {
			require.NoError(b.t, b.slack.Fault("chat.postMessage", lostAnswer, 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBatch(t, endAt, func(t *testing.T, b *batch) {
				b.slack.SetScopes("chat:write", "im:write", "users:read", "usergroups:read", "commands", "im:history", "channels:history")
				b.passes(monday.Add(time.Hour), time.Hour)
				b.owesEnd(1)
				b.owesEnd(2)
				time.Sleep(time.Hour)
				killed(b)
				b.owesEnd(3) // while the message is being told
				b.passes(monday.AddDate(0, 0, 3), time.Hour)
				b.tellsEach()
			})
		})
	}
}

// owesEnd has a server be gone, as the follower records it.
func (b *batch) owesEnd(server int64) {
	b.t.Helper()
	b.ends(server, cancellation.Reclaimed)
	r := b.request(server)
	notices, err := b.store.Notices(b.t.Context(), r.ID)
	require.NoError(b.t, err)
	for _, owed := range r.Telling([]cancellation.Line{{What: cancellation.LineEnded}}, notices) {
		_, err := b.store.Owe(b.t.Context(), r.ID, owed.Kind, owed.Place)
		require.NoError(b.t, err)
	}
}

func TestWhatIsOverIsNotGathered(t *testing.T) {
	inBatch(t, endAt, func(t *testing.T, b *batch) {
		b.passes(monday.Add(time.Hour), time.Hour)
		b.asks(true, 1, 2, 3)
		b.passes(monday.Add(90*time.Minute), 30*time.Minute)
		b.asks(false, 1, 2, 3)
		b.passes(monday.AddDate(0, 0, 2), 30*time.Minute)
		assert.Zero(t, tells(b.posts()["thread"], "waits"))
		assert.Equal(t, 1, tells(b.posts()["letters"], "waits"), "the requester was told at once")
	})
}

func TestRefusedEscalationReachesSomebody(t *testing.T) {
	inBatch(t, endAt, func(t *testing.T, b *batch) {
		b.channel = b.cast.PrivateChannel // which the bot is not in
		b.passes(monday.Add(time.Hour), time.Hour)
		b.closes(1, 2, 3)
		b.passes(monday.AddDate(0, 0, 2), time.Hour)
		letters := b.took(b.cast.Approver)
		require.Len(t, letters, 1, "three servers are one message to somebody who may approve")
		assert.Contains(t, letters[0].text, "Not cancelled: 3 of 3 servers")
		here := 0
		for _, m := range b.posts()["thread"] {
			if strings.Contains(m.Text, "Not cancelled: 3 of 3 servers") {
				here++
			}
		}
		assert.Equal(t, 2, here, "what became of them, and that it needs somebody")
	})
}

func TestBatchOfSomebodyAloneStaysPrivate(t *testing.T) {
	inChangedBatch(t, endAt, func(_ int, r *cancellation.Request) { r.Submission.Place.Alone = true }, func(t *testing.T, b *batch) {
		b.passes(monday.Add(time.Hour), time.Hour)
		b.asks(true, 1, 2)
		b.goes(3)
		b.passes(monday.AddDate(0, 0, 1), time.Hour)
		b.goes(1, 2)
		b.passes(monday.AddDate(0, 0, 2), time.Hour)
		posts := b.posts()
		assert.Empty(t, posts["thread"])
		assert.Equal(t, 1, tells(posts["letters"], "waits", named(1), named(2)))
		assert.Equal(t, 1, tells(posts["letters"], "gone", named(3)))
		assert.Equal(t, 1, tells(posts["letters"], "gone", named(1), named(2)))
	})
}

func TestServersOfOneEndDateAreOneReminder(t *testing.T) {
	end := monday.AddDate(0, 0, 8)
	inChangedBatch(t, slices.Repeat([]time.Time{end}, 3), func(i int, r *cancellation.Request) {
		r.SentAt = monday.AddDate(0, 0, 2).Add(time.Duration(i) * 10 * time.Hour) // each is reminded of a day after it was filed
	}, func(t *testing.T, b *batch) {
		time.Sleep(time.Until(monday.AddDate(0, 0, 2).Add(21 * time.Hour)))
		b.passes(end, time.Hour)
		for _, place := range []string{"thread", "letters"} {
			assert.Equal(t, 1, tells(b.posts()[place], "reminder"), place)
			assert.Equal(t, 1, tells(b.posts()[place], "reminder", named(1), named(2), named(3)), place)
		}
	})
}

func TestStuckServersOfABatchAreOneAlarm(t *testing.T) {
	inBatch(t, endAt, func(t *testing.T, b *batch) {
		b.passes(monday.Add(time.Hour), time.Hour)
		for server := range int64(3) {
			b.needsPerson(server + 1)
			time.Sleep(time.Minute)
		}
		began := time.Now()
		b.passes(monday.AddDate(0, 0, 2), time.Hour)
		told := slices.DeleteFunc(b.posts()["channel"], func(m fakeslack.Message) bool { return !strings.Contains(m.Text, "3 of 3 servers need a person") })
		require.Len(t, told, 1)
		assert.Less(t, sentAt(t, told[0].TS).Sub(began), 5*time.Minute, "it needs somebody now")
	})
}

// isStuck has a server's request be stuck, and owes what tells of it.
func (b *batch) isStuck(server int64, owe ...cancellation.Notice) {
	b.t.Helper()
	from := b.request(server)
	next, err := from.Move(cancellation.Stuck, cancellation.ByCard, cancellation.Reason{Code: cancellation.WhyTicketHidden, Detail: "1"})
	require.NoError(b.t, err)
	_, err = b.store.Apply(b.t.Context(), cancellation.Change{From: from, To: next, Event: cancellation.Event{Kind: cancellation.EventEvidence}, Tell: cancellation.AtOnce, Owe: owe})
	require.NoError(b.t, err)
}

// stuckNews is what tells at once that a server's request needs a person.
func (b *batch) stuckNews(server int64) cancellation.Notice {
	return b.request(server).Escalating(b.channel, cancellation.News{Kind: cancellation.NewsStuck, Detail: "1"}, nil)
}

// needsPerson has a server's request be stuck, which is told at once.
func (b *batch) needsPerson(server int64) { b.isStuck(server, b.stuckNews(server)) }

// alarms owes a channel that a server's request takes too long.
func (b *batch) alarms(channel string, server int64) {
	b.t.Helper()
	_, err := b.store.Owe(b.t.Context(), b.request(server).ID, cancellation.Alarm, cancellation.Place{Channel: channel})
	require.NoError(b.t, err)
}

// saying are those of some messages that say something.
func saying(all []message, what string) (said []message) {
	return slices.DeleteFunc(slices.Clone(all), func(m message) bool { return !strings.Contains(m.text, what) })
}

func TestRefusedAlarmOfABatchStaysOwed(t *testing.T) {
	inBatch(t, endAt, func(t *testing.T, b *batch) {
		b.passes(monday.Add(time.Hour), time.Hour)
		for server := range int64(3) {
			b.isStuck(server + 1)
		}
		operators := b.cast.PrivateChannel // which the bot is not in yet
		b.alarms(operators, 1)
		b.alarms(operators, 2)
		b.passes(monday.Add(2*time.Hour), time.Hour)
		b.alarms(operators, 3)
		require.Empty(t, b.took(operators))
		in := true
		require.NoError(t, b.slack.PatchChannel(operators, fakeslack.ChannelPatch{BotIn: &in}))
		b.passes(monday.Add(150*time.Minute), time.Hour)
		assert.Len(t, saying(b.took(operators), "3 of 3 servers take too long"), 1, "one message, as soon as Slack takes it")
		b.passes(monday.AddDate(0, 0, 2), time.Hour)
		assert.Len(t, saying(b.took(operators), "too long"), 1)
	})
}

func TestAlarmIsNotToldOfFiledServers(t *testing.T) {
	inBatch(t, endAt, func(t *testing.T, b *batch) {
		b.passes(monday.Add(time.Hour), time.Hour)
		b.isStuck(1)
		for server := range int64(3) {
			b.alarms(b.channel, server+1)
		}
		b.passes(monday.AddDate(0, 0, 2), time.Hour)
		told := saying(b.took(b.channel), "too long")
		require.Len(t, told, 1)
		assert.NotContains(t, told[0].text, "of 3 servers", "the others are filed")
	})
}

func TestWhatIsOverUntoldTakesNoDay(t *testing.T) {
	inBatch(t, endAt, func(t *testing.T, b *batch) {
		morning := monday.Add(8 * time.Hour) // in Dallas
		b.passes(morning, time.Hour)
		over := b.stuckNews(1)
		_, err := b.store.Owe(t.Context(), over.RequestID, over.Kind, over.Place)
		require.NoError(t, err)
		b.passes(morning.Add(20*time.Minute), 30*time.Minute)
		require.Empty(t, saying(b.took(b.channel), "A request needs a person"))
		b.needsPerson(2)
		b.passes(morning.Add(40*time.Minute), 30*time.Minute)
		assert.Len(t, saying(b.took(b.channel), "A request needs a person: "+named(2)), 1, "it needs somebody now")
		b.passes(monday.AddDate(0, 0, 2), time.Hour)
		assert.Len(t, saying(b.took(b.channel), "A request needs a person"), 1, "what was over is not told")
	})
}

func TestMessageThatSlackDidNotTakeTakesMore(t *testing.T) {
	for name, tried := range map[string]func(n *cancellation.Notice){
		"it is tried again": func(n *cancellation.Notice) { n.DueIn = 10 * time.Minute },
		"it was given up":   func(n *cancellation.Notice) { n.Due = time.Time{} },
	} {
		t.Run(name, func(t *testing.T) {
			inBatch(t, endAt, func(t *testing.T, b *batch) {
				morning := monday.Add(8 * time.Hour) // in Dallas
				b.passes(morning, time.Hour)
				first := b.stuckNews(1)
				_, err := b.store.Owe(t.Context(), first.RequestID, first.Kind, first.Place)
				require.NoError(t, err)
				time.Sleep(6 * time.Minute)
				n := b.claims()
				n.Posts, n.Attempts, n.Shown = 1, 1, 1
				tried(&n)
				_, err = b.store.ApplyNotice(t.Context(), n, false)
				require.NoError(t, err)
				b.isStuck(1)
				b.needsPerson(2)
				b.passes(morning.Add(30*time.Minute), 40*time.Minute)
				assert.Len(t, saying(b.took(b.channel), "2 of 3 servers need a person"), 1, "nothing was posted on this day")
			})
		})
	}
}

// kept keeps what the letters tell that it carries.
type kept struct {
	mail
	items []cancellation.Item
}

func (k *kept) PostLetter(ctx context.Context, to, id string, items []cancellation.Item, atOnce bool) (cancellation.Posted, cancellation.Delivery, time.Duration) {
	k.items = append(k.items, items...)
	return k.mail.PostLetter(ctx, to, id, items, atOnce)
}

func TestServerIsInOneReminderOnce(t *testing.T) {
	inChangedBatch(t, slices.Repeat([]time.Time{monday.AddDate(0, 0, 8)}, 2), func(i int, r *cancellation.Request) {
		r.SentAt = monday.AddDate(0, 0, 2+i) // each is reminded of a day after it was filed
	}, func(t *testing.T, b *batch) {
		time.Sleep(time.Until(monday.AddDate(0, 0, 3)))
		for update, server := range []int64{1, 2, 2} { // the date of the second one moved, and moved back
			r := b.request(server)
			last, _ := r.LastCall()
			ends := cancellation.Line{What: cancellation.LineEnds, Update: int64(update), Now: last.Format(time.RFC3339)}.EndsDetail()
			require.NoError(t, b.store.OweNews(t.Context(), r.ID, []cancellation.News{{To: b.cast.Requester, Kind: cancellation.NewsEnds, Detail: ends}}))
		}
		carried := &kept{mail: b.announcer}
		b.sends(carried, 12*time.Hour)
		var told []string
		for _, item := range carried.items {
			told = append(told, item.Request.ID)
		}
		assert.Equal(t, []string{"r1", "r2"}, told)
		owed, err := b.store.NewsFor(t.Context(), b.cast.Requester, 10)
		require.NoError(t, err)
		assert.Empty(t, owed, "it is told")
	})
}

func TestNewsThatWaitsHidesNoOther(t *testing.T) {
	inBatch(t, endAt, func(t *testing.T, b *batch) {
		end := monday.AddDate(0, 0, 40)
		b.file(8, end)
		b.file(9, end)
		b.passes(monday.Add(time.Hour), time.Hour)
		b.asks(true, 1)
		b.passes(monday.Add(2*time.Hour), 30*time.Minute)
		require.Len(t, saying(b.took(b.cast.Requester), named(1)), 1)
		var more []cancellation.News
		for ask := range 210 {
			more = append(more, cancellation.News{To: b.cast.Requester, Kind: cancellation.NewsWaits, Detail: fmt.Sprint("again ", ask)})
		}
		require.NoError(t, b.store.OweNews(t.Context(), b.request(1).ID, more))
		b.ends(8, cancellation.Reclaimed)
		b.ends(9, cancellation.Reverted)
		b.owes(cancellation.NewsEnded, b.cast.Requester, 8)
		b.owes(cancellation.NewsNotCancelled, b.cast.Requester, 9)
		b.sends(b.announcer, 3*time.Hour)
		letters := b.took(b.cast.Requester)
		assert.Len(t, saying(letters, named(1)), 1, "it is told once a day")
		assert.Len(t, saying(letters, named(8)), 1, "in the digest of this day")
		assert.Len(t, saying(letters, named(9)), 1, "at once")
	})
}
