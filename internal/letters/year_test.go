package letters_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/following"
	"cancel-server/internal/letters"
	"cancel-server/internal/slackui"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
	"cancel-server/internal/waiting"
)

// batch is a world with one form of several servers, web-001 and so on, and what SoftLayer's staff do.
type batch struct {
	*world
	updates map[int64][]cancellation.TicketUpdate
	left    map[int64]bool   // servers that leave something behind
	fees    map[int64]string // of what they leave behind
	last    int64            // id of an update
	change  func(i int, r *cancellation.Request)
}

// inBatch runs a test with a batch whose servers end on these days, in the order of its list.
func inBatch(t *testing.T, ends []time.Time, test func(t *testing.T, b *batch)) {
	t.Helper()
	inChangedBatch(t, ends, func(int, *cancellation.Request) {}, test)
}

// inChangedBatch is inBatch with requests that were changed before they were recorded.
func inChangedBatch(t *testing.T, ends []time.Time, change func(i int, r *cancellation.Request), test func(t *testing.T, b *batch)) {
	t.Helper()
	inWorld(t, func(t *testing.T, w *world) {
		web, err := webapi.New(webapi.Options{BotToken: w.slack.BotToken(), APIURL: w.slack.URL, Transport: w.slack.Network.Transport()})
		require.NoError(t, err)
		defer web.Close()
		w.announcer = slackui.NewAnnouncer(slackui.AnnouncerOptions{Web: web, Words: words.Writer{MayWrite: func() bool { return true }}, Batches: w.store, Shown: w.store, Log: silent()})
		w.approver = w.cast.Approver
		b := &batch{world: w, updates: map[int64][]cancellation.TicketUpdate{}, left: map[int64]bool{13: true, 14: true}, fees: map[int64]string{}, last: 5000, change: change}
		b.fileAll(ends)
		test(t, b)
	})
}

// fileAll records the batch as filed. SoftLayer gave all its cards the same cut-off.
func (b *batch) fileAll(ends []time.Time) {
	b.t.Helper()
	var records []cancellation.Record
	for i, end := range ends {
		rec := b.asked(int64(i)+1, end)
		rec.Request.Batch, rec.Request.Row = "B1", i
		rec.Request.Submission.Count = int64(len(ends))
		card := &rec.Request.Submission.Card // with all that a policy decides by
		card.Account = cancellation.Account{ID: "1"}
		card.Server.Hostname, card.Server.Domain, card.Server.Datacenter = "web", "example.com", "fra02"
		card.Server.ProvisionDate, card.Server.TagsKnown = "1999-03-03T10:00:00-06:00", true
		rec.Request.Submission.By.Team = b.slack.TeamID()
		b.change(i, &rec.Request)
		rec.Request.Submission.Card.Cutoff = ends[0].AddDate(0, 0, -3).Format(time.RFC3339)
		if server := int64(i) + 1; b.left[server] {
			rec.Request.Submission.Card.Server.Billing.Associated = []cancellation.AssociatedItem{{ID: server * 100, Description: "volume", Fee: "9.50"}}
			b.fees[server*100] = "9.50"
		}
		rec.Notices = nil
		rec.Quota = cancellation.Quota{Requester: "T1/" + b.cast.Requester, Day: 1, Slot: int64(i) + 1, Most: 50}
		records = append(records, rec)
	}
	records[0].Notices = []cancellation.Notice{{RequestID: "r1", Kind: cancellation.BatchResult, Place: records[0].Request.Submission.Place}}
	made, err := b.store.RecordBatch(b.t.Context(), cancellation.Batch{ID: "B1", Digest: "d", Size: len(ends), Lead: "r1"}, records)
	require.NoError(b.t, err)
	require.True(b.t, made.Fresh)
	for i, end := range ends {
		b.isFiled(int64(i)+1, end)
	}
}

// Updates are those of a ticket.
func (b *batch) Updates(_ context.Context, ticket int64) ([]cancellation.TicketUpdate, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.updates[ticket], b.broken
}

// StillBilled is what stays of servers.
func (b *batch) StillBilled(context.Context, []int64) (billed.Standing, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return billed.Standing{Fees: b.fees, All: true}, b.broken
}

// asks has staff ask about servers, or the requester answer there.
func (b *batch) asks(staff bool, servers ...int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, server := range servers {
		b.last++
		life := b.lives[1000+server]
		life.Last, life.LastAt, life.ByStaff, life.ByOther, life.Awaits = b.last, time.Now(), staff, !staff, &staff
		b.lives[1000+server] = life
		b.updates[1000+server] = append(b.updates[1000+server], cancellation.TicketUpdate{ID: b.last, ByStaff: staff, ByOther: !staff})
	}
}

// passes has a replica work until a time. It looks at SoftLayer every so often.
func (b *batch) passes(until time.Time, every time.Duration) {
	b.t.Helper()
	ctx, stop := context.WithDeadline(b.t.Context(), until)
	defer stop()
	notifier := b.notifier()
	notifier.Limits.Poll = every / 2
	sender := letters.New(letters.Options{
		Ledger: b.store, People: b.directory, Mail: b.announcer, RemindAt: following.RemindAt, Channel: b.channel, Wake: notifier.Wake,
		Owner: "one", Poll: every / 2, Log: silent(),
	})
	wake := func() { notifier.Wake(); sender.Wake() }
	follower := following.New(following.Options{Ledger: b.store, Books: b, Wake: wake, Owner: "one", Every: every, Rate: 2, Channel: b.channel, Log: silent()})
	teller := waiting.New(waiting.Options{Waits: b.store, Notices: b.store, People: b.directory, Channel: b.channel, Wake: wake, Log: silent()})
	var parts sync.WaitGroup
	parts.Go(func() { notifier.Run(ctx) })
	parts.Go(func() { sender.Run(ctx) })
	parts.Go(func() {
		for ctx.Err() == nil { // each begins to work, and rests
			b.worksFor(ctx, 25*time.Minute, follower.Run)
			b.worksFor(ctx, time.Minute, teller.Run)
			select {
			case <-ctx.Done():
			case <-time.After(every - 26*time.Minute):
			}
		}
	})
	parts.Wait()
}

func (b *batch) worksFor(ctx context.Context, long time.Duration, run func(context.Context)) {
	working, stop := context.WithTimeout(ctx, long)
	defer stop()
	run(working)
}

// posts are what Slack took about the batch: in the thread of its message, in the escalation channel, and by
// direct message to the requester.
func (b *batch) posts() map[string][]fakeslack.Message {
	b.t.Helper()
	all := map[string][]fakeslack.Message{}
	inChannel, err := b.slack.Messages(b.t.Context(), b.cast.Channel, 0)
	require.NoError(b.t, err)
	for _, m := range inChannel {
		switch {
		case m.ThreadTS != "" && m.ThreadTS != m.TS:
			all["thread"] = append(all["thread"], m)
		case !strings.Contains(m.Text, "Cancellation requested for"):
			all["channel"] = append(all["channel"], m)
		}
	}
	direct, err := b.slack.Messages(b.t.Context(), b.cast.Requester, 0)
	require.NoError(b.t, err)
	for _, m := range direct {
		if !strings.Contains(m.Text, "Cancellation requested for") {
			all["letters"] = append(all["letters"], m)
		}
	}
	return all
}

// marks begin what is told, by what it is.
var marks = map[string]string{
	"✋": "waits", "🚨": "not cancelled", "🏁": "gone", "📅": "moved", "💬": "staff wrote", "💸 Still there": "still there", "💸": "still billed", "⏰": "reminder",
}

// entry is one thing that a message tells.
type entry struct{ what, text string }

// entriesOf takes a message apart.
func entriesOf(m fakeslack.Message) (all []entry) {
	text := m.Text
	for {
		first, mark := -1, ""
		for m := range marks {
			if at := strings.Index(text, m); at >= 0 && (first < 0 || at < first || at == first && len(m) > len(mark)) {
				first, mark = at, m
			}
		}
		if first < 0 {
			return all
		}
		if len(all) > 0 {
			all[len(all)-1].text += text[:first]
		}
		all = append(all, entry{what: marks[mark], text: mark})
		text = text[first+len(mark):]
		next := len(text)
		for m := range marks {
			if at := strings.Index(text, m); at >= 0 && at < next {
				next = at
			}
		}
		all[len(all)-1].text += text[:next]
		text = text[next:]
	}
}

// holdsCounts holds what Slack took to one thing of a kind a day and place, and two in the escalation channel.
// zones say where the days of a place begin.
func holdsCounts(t *testing.T, posts map[string][]fakeslack.Message, zones map[string]*time.Location) {
	t.Helper()
	for place, all := range posts {
		days := map[string]int{}
		for _, m := range all {
			seen := map[string]bool{}
			for _, e := range entriesOf(m) {
				if e.what != "reminder" {
					assert.False(t, seen[e.what], "one entry of a kind in a message: %q", m.Text)
				}
				seen[e.what] = true
			}
			for what := range seen {
				days[sentAt(t, m.TS).In(zones[place]).Format(time.DateOnly)+" "+what]++
			}
		}
		for day, n := range days {
			most := 1
			if place == "channel" && strings.HasSuffix(day, "not cancelled") {
				most = 2
			}
			assert.LessOrEqual(t, n, most, "%s, %s", place, day)
		}
	}
}

// tells are the messages that tell a thing of servers.
func tells(all []fakeslack.Message, what string, names ...string) (n int) {
	for _, m := range all {
		if slices.ContainsFunc(entriesOf(m), func(e entry) bool {
			return e.what == what && !slices.ContainsFunc(names, func(name string) bool { return !strings.Contains(e.text, name) })
		}) {
			n++
		}
	}
	return n
}

// servers are those from one to another.
func servers(from, to int64) (all []int64) {
	for server := from; server <= to; server++ {
		all = append(all, server)
	}
	return all
}

func named(server int) string { return fmt.Sprintf("web-%03d.example.com", server) }

func TestFortyServersAreFewPostsInAYear(t *testing.T) {
	first, second := monday.AddDate(0, 0, 24), monday.AddDate(0, 0, 54)
	ends := slices.Concat(slices.Repeat([]time.Time{first}, 20), slices.Repeat([]time.Time{second}, 20))
	inBatch(t, ends, func(t *testing.T, b *batch) {
		since := func(days, hours int) time.Time {
			return monday.AddDate(0, 0, days).Add(time.Duration(hours) * time.Hour)
		}
		for _, e := range []struct {
			at   time.Time
			does func()
		}{
			{since(2, 2), func() { b.asks(true, 1, 2, 3, 4) }},
			{since(2, 5), func() { b.asks(true, 5, 6, 7) }},
			{since(3, 2), func() { b.closes(8) }},
			{since(3, 8), func() { b.closes(9) }},
			{since(3, 10), func() { b.closes(10) }},
			{since(9, 0), func() { b.asks(false, 1, 2, 3, 4, 5) }},
			{since(25, 0), func() { b.goes(servers(13, 20)...) }},
			{since(25, 5), func() { b.goes(1, 2, 3) }},
			{since(26, 0), func() { b.goes(4, 5) }},
			{since(30, 0), func() { b.asks(false, 6, 7) }},
			{since(31, 0), func() { b.goes(6, 7) }},
			{since(55, 0), func() { b.goes(servers(21, 30)...) }},
			{since(56, 3), func() { b.goes(servers(31, 38)...) }},
			{since(57, 9), func() { b.goes(39, 40) }},
		} {
			b.passes(e.at, time.Hour)
			e.does()
		}
		b.passes(since(60, 0), time.Hour)
		b.passes(since(200, 0), 6*time.Hour)
		b.goes(11, 12)
		b.passes(since(365, 0), 6*time.Hour)

		posts := b.posts()
		dallas := must(time.LoadLocation("America/Chicago"))
		holdsCounts(t, posts, map[string]*time.Location{"thread": dallas, "channel": dallas, "letters": berlin})
		for _, place := range []string{"thread", "letters"} {
			assert.Equal(t, 2, tells(posts[place], "reminder"), "one reminder for each end date: %s", place)
		}
		for server := 1; server <= 40; server++ {
			fate, state := "gone", cancellation.Reclaimed
			if server >= 8 && server <= 10 {
				fate, state = "not cancelled", cancellation.Reverted
			}
			require.Equal(t, state, b.request(int64(server)).State, server)
			for _, place := range []string{"thread", "letters"} {
				assert.Equal(t, 1, tells(posts[place], fate, named(server)), "%s is told once that it is %s: %s", named(server), fate, place)
			}
		}
		for server := 1; server <= 7; server++ {
			assert.GreaterOrEqual(t, tells(posts["letters"], "waits", named(server)), 1, "%s waits", named(server))
		}
		all := slices.IndexFunc(posts["letters"], func(m fakeslack.Message) bool { return strings.Contains(m.Text, "7 of 40 servers need your reply.") })
		if assert.GreaterOrEqual(t, all, 0, "those who were told of before wait as well") {
			assert.Contains(t, fmt.Sprint(posts["letters"][all].Blocks), "action_id:"+words.ActionReplyBatch)
		}
		assert.Equal(t, 1, tells(posts["letters"], "still billed", named(13), named(14)))
		assert.GreaterOrEqual(t, tells(posts["letters"], "still there", named(11), named(12)), 5, "each week, then each month")
		assert.Equal(t, 2, tells(posts["channel"], "not cancelled"), "five minutes after the first, and once more that day")
		assert.LessOrEqual(t, len(posts["thread"])+len(posts["channel"])+len(posts["letters"]), 60)
	})
}
