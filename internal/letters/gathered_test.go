package letters_test

import (
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
			from := b.request(server + 1)
			next, err := from.Move(cancellation.Stuck, cancellation.ByCard, cancellation.Reason{Code: cancellation.WhyTicketHidden, Detail: "1"})
			require.NoError(t, err)
			owed := from.Escalating(b.channel, cancellation.News{Kind: cancellation.NewsStuck, Detail: "1"}, nil)
			_, err = b.store.Apply(t.Context(), cancellation.Change{From: from, To: next, Event: cancellation.Event{Kind: cancellation.EventEvidence}, Tell: cancellation.AtOnce, Owe: []cancellation.Notice{owed}})
			require.NoError(t, err)
			time.Sleep(time.Minute)
		}
		began := time.Now()
		b.passes(monday.AddDate(0, 0, 2), time.Hour)
		told := slices.DeleteFunc(b.posts()["channel"], func(m fakeslack.Message) bool { return !strings.Contains(m.Text, "3 of 3 servers need a person") })
		require.Len(t, told, 1)
		assert.Less(t, sentAt(t, told[0].TS).Sub(began), 5*time.Minute, "it needs somebody now")
	})
}
