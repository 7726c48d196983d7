// Decorators at the seams of cmd/bot's wiring. An overlay adds this file to the crash
// harness's binaries and to no other: each named boundary is passed here, and where
// CRASH_AT names it the process kills or stops itself.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/following"
	"cancel-server/internal/letters"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/store"
)

// crashPoint is one boundary at which this process ends or stops: NAME#PASSAGE:DEED.
type crashPoint struct {
	name    string
	passage int64
	deed    string
	passed  atomic.Int64
}

var crashPoints = readCrashPoints(os.Getenv("CRASH_AT"))

func readCrashPoints(list string) []*crashPoint {
	var points []*crashPoint
	for one := range strings.SplitSeq(list, ",") {
		name, rest, _ := strings.Cut(one, "#")
		passage, deed, _ := strings.Cut(rest, ":")
		if n, err := strconv.ParseInt(passage, 10, 64); err == nil {
			points = append(points, &crashPoint{name: name, passage: n, deed: deed})
		}
	}
	return points
}

// crash is called at each boundary.
func crash(name string) {
	for _, p := range crashPoints {
		if p.name != name || p.passed.Add(1) != p.passage {
			continue
		}
		fmt.Fprintf(os.Stderr, "crash: %s at %s\n", p.deed, name)
		if p.deed == "stop" {
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			return
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until the signal comes
	}
}

// around passes a boundary before and after a step.
func around[T any](name string, step func() (T, error)) (T, error) {
	crash(name + ".before")
	defer crash(name + ".after")
	return step()
}

// crashJournal stands before and after each writing method, by what it leads to.
type crashJournal struct{ *store.Store }

func (j crashJournal) Record(ctx context.Context, rec cancellation.Record) (cancellation.Recorded, error) {
	name := "journal.record." + string(rec.Request.State)
	if rec.Ending != nil {
		name = "journal.record.takeover"
	}
	return around(name, func() (cancellation.Recorded, error) { return j.Store.Record(ctx, rec) })
}

func (j crashJournal) RecordBatch(ctx context.Context, b cancellation.Batch, all []cancellation.Record) (cancellation.RecordedBatch, error) {
	return around("journal.record.list", func() (cancellation.RecordedBatch, error) { return j.Store.RecordBatch(ctx, b, all) })
}

func (j crashJournal) ApplyAll(ctx context.Context, key string, changes []cancellation.Change) ([]cancellation.Request, error) {
	return around("journal.apply.list", func() ([]cancellation.Request, error) { return j.Store.ApplyAll(ctx, key, changes) })
}

func (j crashJournal) Apply(ctx context.Context, c cancellation.Change) (cancellation.Request, error) {
	name := "journal.apply." + string(c.To.State)
	if c.From.State == c.To.State {
		name = "journal.apply.same"
	}
	return around(name, func() (cancellation.Request, error) { return j.Store.Apply(ctx, c) })
}

func (j crashJournal) ApplyAnnounced(ctx context.Context, c cancellation.Change, a cancellation.Announcement) (cancellation.Announced, error) {
	return around("journal.apply."+string(c.To.State), func() (cancellation.Announced, error) { return j.Store.ApplyAnnounced(ctx, c, a) })
}

func (j crashJournal) Note(ctx context.Context, id string, e cancellation.Event) error {
	_, err := around("journal.note."+e.Kind, func() (none struct{}, err error) { return none, j.Store.Note(ctx, id, e) })
	return err
}

func (j crashJournal) Renew(ctx context.Context, r cancellation.Request, owner string, lease time.Duration) error {
	_, err := around("journal.renew", func() (none struct{}, err error) { return none, j.Store.Renew(ctx, r, owner, lease) })
	return err
}

func (j crashJournal) Claim(ctx context.Context, owner string, lease time.Duration, most int) (cancellation.Claim[cancellation.Request], error) {
	c, err := j.Store.Claim(ctx, owner, lease, most)
	if len(c.Rows) > 0 {
		crash("journal.claim.after")
	}
	return c, err
}

func (j crashJournal) ClaimNotices(ctx context.Context, owner string, lease time.Duration, most int) (cancellation.Claim[cancellation.Notice], error) {
	c, err := j.Store.ClaimNotices(ctx, owner, lease, most)
	if len(c.Rows) > 0 {
		crash("journal.claim-notice.after")
	}
	return c, err
}

func (j crashJournal) ApplyNotice(ctx context.Context, n cancellation.Notice, keep bool) (cancellation.Notice, error) {
	name := "journal.notice.owed"
	switch {
	case keep:
		name = "journal.notice.posting"
	case n.Due.IsZero() && n.DueIn == 0:
		name = "journal.notice.told"
	}
	return around(name, func() (cancellation.Notice, error) { return j.Store.ApplyNotice(ctx, n, keep) })
}

// crashWriter stands before and after the one call that cannot be undone.
type crashWriter struct{ cancellation.TicketWriter }

func (w crashWriter) RequestCancellation(ctx context.Context, order cancellation.Order) cancellation.Outcome {
	crash("filer.file.before")
	defer crash("filer.file.after")
	return w.TicketWriter.RequestCancellation(ctx, order)
}

// crashAnnouncer stands before and after what people are told.
type crashAnnouncer struct{ cancellation.Announcer }

func (a crashAnnouncer) Post(ctx context.Context, to cancellation.Place, kind cancellation.NoticeKind, r cancellation.Request) (cancellation.Posted, cancellation.Delivery, time.Duration) {
	crash("announcer.post.before")
	defer crash("announcer.post.after")
	return a.Announcer.Post(ctx, to, kind, r)
}

func (a crashAnnouncer) Update(ctx context.Context, at cancellation.Posted, kind cancellation.NoticeKind, r cancellation.Request) (cancellation.Delivery, time.Duration) {
	crash("announcer.update.before")
	defer crash("announcer.update.after")
	return a.Announcer.Update(ctx, at, kind, r)
}

func (a crashAnnouncer) Respond(ctx context.Context, responseURL string, r cancellation.Request) (cancellation.Delivery, time.Duration) {
	crash("announcer.respond.before")
	defer crash("announcer.respond.after")
	return a.Announcer.Respond(ctx, responseURL, r)
}

func (a crashAnnouncer) Find(ctx context.Context, in cancellation.Place, kind cancellation.NoticeKind, r cancellation.Request, since time.Time) (at cancellation.Posted, found, known bool) {
	crash("announcer.find.before")
	defer crash("announcer.find.after")
	return a.Announcer.Find(ctx, in, kind, r, since)
}

// crashLedger stands before and after what a look records, by what it leads to.
type crashLedger struct{ following.Ledger }

func (l crashLedger) KeepLooks(ctx context.Context, owner string, quiet []string, looks []cancellation.Look) error {
	name := "follower.keep.quiet"
	for _, look := range looks {
		switch {
		case look.Change != nil && look.Change.To.State != cancellation.Filed:
			name = "follower.keep." + string(look.Change.To.State)
		case len(look.Owe) > 0 && name == "follower.keep.quiet":
			name = "follower.keep.told"
		}
	}
	_, err := around(name, func() (none struct{}, err error) { return none, l.Ledger.KeepLooks(ctx, owner, quiet, looks) })
	return err
}

// crashTexts stands before and after each step of a text for a ticket, by the state that it leads to.
type crashTexts struct{ correspondence.Ledger }

func (t crashTexts) ApplyUpdate(ctx context.Context, c correspondence.Change) (correspondence.Update, error) {
	return around("sender.apply."+string(c.To.State), func() (correspondence.Update, error) { return t.Ledger.ApplyUpdate(ctx, c) })
}

// crashPen stands before and after the one call that writes into a ticket.
type crashPen struct{ correspondence.Writer }

func (p crashPen) AddUpdate(ctx context.Context, ticket int64, entry string) cancellation.Outcome {
	crash("sender.write.before")
	defer crash("sender.write.after")
	return p.Writer.AddUpdate(ctx, ticket, entry)
}

// crashMail stands before and after the post of a letter.
type crashMail struct{ letters.Mail }

func (m crashMail) PostLetter(ctx context.Context, to, id string, items []cancellation.Item, atOnce bool) (cancellation.Posted, cancellation.Delivery, time.Duration) {
	crash("letters.post.before")
	defer crash("letters.post.after")
	return m.Mail.PostLetter(ctx, to, id, items, atOnce)
}

// crashBoxes stands before and after what is recorded of a person's letters.
type crashBoxes struct{ letters.Ledger }

func (b crashBoxes) KeepMailbox(ctx context.Context, m cancellation.Mailbox, keep bool, settled []int64) (cancellation.Mailbox, error) {
	return around("letters.keep", func() (cancellation.Mailbox, error) { return b.Ledger.KeepMailbox(ctx, m, keep, settled) })
}

// crashBooks stands before and after the follower's reads.
type crashBooks struct{ following.Books }

func (b crashBooks) Lives(ctx context.Context, tickets []int64) (map[int64]cancellation.TicketLife, error) {
	return around("follower.list", func() (map[int64]cancellation.TicketLife, error) { return b.Books.Lives(ctx, tickets) })
}

func (b crashBooks) Server(ctx context.Context, id int64) (cancellation.Server, error) {
	return around("follower.alone", func() (cancellation.Server, error) { return b.Books.Server(ctx, id) })
}

// crashHandler stands before and after the acknowledgement of a submission, and of a
// click on a message.
type crashHandler struct{ receive.Handler }

func newCrashApp(h receive.Handler) receive.Handler { return crashHandler{h} }

func (h crashHandler) Interaction(ctx context.Context, i receive.Interaction) (receive.Reply, receive.After) {
	reply, after := h.Handler.Interaction(ctx, i)
	name := ""
	switch {
	case i.Kind == receive.ViewSubmission:
		name = "submission.acknowledge"
	case i.Kind == receive.BlockActions && i.View == nil:
		name = "click.acknowledge"
	default:
		return reply, after
	}
	crash(name + ".before")
	return reply, func(ctx context.Context) {
		crash(name + ".after")
		if after != nil {
			after(ctx)
		}
	}
}
