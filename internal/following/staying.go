package following

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
)

const (
	besideTries = 3           // reads of what stays billed, before what was not answered stays unread
	spareTime   = time.Minute // how long the looks of one page may read what stays billed: less than turnLease
)

// stays reads what stays billed without a server, if its card does not say: it was submitted before
// that was read. The request's message then says it too. nil: there is nothing new to keep.
func (f *Follower) stays(ctx context.Context, r cancellation.Request, e Evidence, v *Verdict) *billed.Record {
	card := r.Submission.Card
	known := card.Stays != nil && len(card.Stays.Unread) == 0 || v.Known.Beside >= besideTries
	if known || e.Server == nil || v.Ends.Ends() || !time.Now().Before(f.spare) {
		return nil
	}
	facts, err := f.o.Books.Beside(ctx, card.Server.ID, f.pace.Wait)
	if err != nil {
		f.o.Log.Info("reading what stays billed", "ref", r.Ref.Short(), "err", err)
	}
	stays := billed.Judge(facts)
	v.Known.Beside++
	if len(stays.Unread) > 0 && v.Known.Beside < besideTries {
		return nil
	}
	v.Known.Beside = besideTries
	v.Retell = v.Retell || !stays.Clean()
	return &billed.Record{Stays: &stays}
}

// leftBehind reads what is still billed of the servers that these looks found gone, and adds it to
// them, with the news for their requesters.
func (f *Follower) leftBehind(ctx context.Context, looks []cancellation.Look) error {
	gone := map[string]*cancellation.Look{}
	for i, look := range looks {
		if look.Change != nil && look.Change.To.State == cancellation.Reclaimed {
			gone[look.Followed.Request.ID] = &looks[i]
		}
	}
	if len(gone) == 0 {
		return nil
	}
	reading, cancel := context.WithTimeout(ctx, ledgerTime)
	defer cancel()
	kept, err := f.o.Ledger.StaysOf(reading, slices.Sorted(maps.Keys(gone)))
	if err != nil {
		return fmt.Errorf("reading what stays billed of %d servers: %w", len(gone), err)
	}
	var items, volumes, servers []int64
	for id, look := range gone {
		stays := expected(look.Followed.Request, kept[id])
		items, volumes = append(items, stays.IDs()...), append(volumes, stays.IDs(billed.Volume)...)
		servers = append(servers, look.Followed.Request.Submission.Card.Server.ID)
	}
	now, read := f.standing(ctx, items)
	if read {
		now.Used = f.used(ctx, volumes, servers)
	}
	for id, look := range gone {
		before := expected(look.Followed.Request, kept[id])
		look.Stays = &billed.Record{Stays: &before}
		if read {
			left := before.Left(now)
			look.Stays.Left = &left
		}
		look.News = append(look.News, newsOf(look.Followed.Request, *look.Stays)...)
	}
	return nil
}

// expected is what was to stay billed of a server: by the follower's read, else by the card, with the
// associated items unless they were cancelled too.
func expected(r cancellation.Request, kept billed.Record) billed.Stays {
	card := r.Submission.Card
	stays := billed.Stays{Unread: billed.Kinds()}
	switch {
	case kept.Stays != nil:
		stays = kept.Stays.With(unreadSince(*kept.Stays, card.Stays)...)
	case card.Stays != nil:
		stays = *card.Stays
	}
	if card.Server.Billing == nil {
		return stays
	}
	var items []billed.Item
	var ids []int64
	for _, item := range card.Server.Billing.Associated {
		ids = append(ids, item.ID)
		items = append(items, billed.Item{Kind: billed.Associated, ID: item.ID, Name: item.Description, Fee: item.Fee})
	}
	if r.Submission.Associated {
		return stays.Without(ids...)
	}
	return stays.With(items...)
}

// unreadSince is what a card showed of the kinds about which SoftLayer did not answer later.
func unreadSince(now billed.Stays, card *billed.Stays) (items []billed.Item) {
	if card == nil {
		return nil
	}
	for _, item := range card.Items {
		if slices.Contains(now.Unread, item.Kind) {
			items = append(items, item)
		}
	}
	return items
}

// standing reads which billing items are still billed. read is false if SoftLayer did not answer.
func (f *Follower) standing(ctx context.Context, items []int64) (all billed.Standing, read bool) {
	all = billed.Standing{Fees: map[int64]string{}, All: true}
	for some := range slices.Chunk(items, pageRows) {
		err := f.pace.Wait(ctx)
		var now billed.Standing
		if err == nil {
			now, err = f.o.Books.StillBilled(ctx, some)
		}
		if err != nil {
			f.o.Log.Info("reading what is still billed", "items", len(items), "err", err)
			return billed.Standing{}, false
		}
		maps.Copy(all.Fees, now.Fees)
		all.All = all.All && now.All
	}
	return all, true
}

// used reads which volumes of servers that are gone something else may use by now. What is not known to be
// used is a leftover.
func (f *Follower) used(ctx context.Context, volumes, servers []int64) map[int64]bool {
	all := map[int64]bool{}
	for some := range slices.Chunk(volumes, pageRows) {
		err := f.pace.Wait(ctx)
		var used map[int64]bool
		if err == nil {
			used, err = f.o.Books.UsedElsewhere(ctx, some, servers)
		}
		if err != nil {
			f.o.Log.Info("reading who uses the volumes of servers that are gone", "volumes", len(volumes), "err", err)
			return all
		}
		maps.Copy(all, used)
	}
	return all
}

// newsOf tells the requester what is left behind. Of what the key may never see, they read on the card.
func newsOf(r cancellation.Request, kept billed.Record) []cancellation.News {
	told := kept.Stays
	detail := ""
	if kept.Left != nil {
		told, detail = kept.Left, kept.Left.Detail()
	}
	to := r.Submission.By.ID
	if to == "" || told.None() && len(told.Unread) == 0 {
		return nil
	}
	return []cancellation.News{{To: to, Kind: cancellation.NewsBilled, Detail: detail}}
}
