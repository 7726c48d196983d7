package following_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/following"
	"cancel-server/internal/store"
)

// hearing keeps the news that looks brought.
type hearing struct {
	*store.Store
	news []cancellation.News
}

func (h *hearing) KeepLooks(ctx context.Context, owner string, quiet []string, looks []cancellation.Look) error {
	err := h.Store.KeepLooks(ctx, owner, quiet, looks)
	for _, look := range looks {
		if err == nil {
			h.news = append(h.news, look.News...)
		}
	}
	return err
}

// hears follows for a time, and returns the news that this brought.
func (w *world) hears(long time.Duration) []cancellation.News {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), long)
	defer stop()
	ledger := &hearing{Store: w.store}
	following.New(following.Options{
		Ledger: ledger, Books: w, Wake: func() {}, Owner: "one", Every: time.Hour, Rate: 2, Log: slog.New(slog.DiscardHandler),
	}).Run(ctx)
	return slices.DeleteFunc(ledger.news, func(n cancellation.News) bool { return n.Kind == cancellation.NewsEnded })
}

// kept is what the store has of what stays billed.
func (w *world) kept(id string) billed.Record {
	w.t.Helper()
	all, err := w.store.StaysOf(w.t.Context(), []string{id})
	require.NoError(w.t, err)
	return all[id]
}

func (w *world) count(call string) (count int) {
	for _, name := range w.calls {
		if name == call {
			count++
		}
	}
	return count
}

// neighbors are a volume and a subnet of a server.
func neighbors(server int64) map[int64]billed.Facts {
	return map[int64]billed.Facts{server: {
		Volumes: []billed.VolumeFacts{{Charge: billed.Charge{ID: 501, Name: "SL02SEL1-5", Fee: "98.00"}, Servers: []int64{server}, Known: true}},
		Subnets: []billed.Charge{{ID: 502, Name: "10.4.0.0/28", Fee: "4"}},
	}}
}

func TestTheFirstLookReadsWhatStays(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.beside = neighbors(1)
		w.hears(time.Minute)
		require.NotNil(t, w.kept("r1").Stays)
		assert.Equal(t, 2, w.kept("r1").Stays.Count())
		assert.Nil(t, w.kept("r1").Left)
		w.hears(24 * time.Hour)
		assert.Equal(t, 1, w.count("Beside"), "once")
	})
}

func TestWhatStaysEditsTheMessageOnceKnown(t *testing.T) {
	for says, c := range map[string]struct {
		beside map[int64]billed.Facts
		edits  int64
	}{
		"a volume and a subnet":     {neighbors(1), 1},
		"volumes hidden to the key": {map[int64]billed.Facts{1: {Hidden: []billed.Kind{billed.Volume}}}, 1},
		"nothing":                   {nil, 0},
	} {
		t.Run(says, func(t *testing.T) {
			inWorld(t, 1, func(t *testing.T, w *world) {
				w.unanswered = "Beside"
				w.hears(time.Minute)
				before := w.request(1).Version
				w.unanswered, w.beside = "", c.beside
				w.hears(2 * time.Hour)
				require.NotNil(t, w.kept("r1").Stays)
				assert.Equal(t, before+c.edits, w.request(1).Version)
			})
		})
	}
}

func TestWhatIsLeftBehindIsTold(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.beside = neighbors(1)
		w.hears(time.Minute)
		delete(w.servers, 1)
		w.billed = billed.Standing{Fees: map[int64]string{501: "99.00"}, All: true}
		news := w.hears(2 * time.Hour)
		require.Equal(t, cancellation.Reclaimed, w.request(1).State)
		require.Len(t, news, 1)
		assert.Equal(t, "U1", news[0].To)
		assert.Equal(t, cancellation.NewsBilled, news[0].Kind)
		left := w.kept("r1").Left
		require.NotNil(t, left)
		assert.Equal(t, []billed.Item{{Kind: billed.Volume, ID: 501, Name: "SL02SEL1-5", Fee: "99.00"}}, left.Items, "the subnet was cancelled by hand")
		assert.Equal(t, left, billed.FromDetail(news[0].Detail))
		assert.Equal(t, 2, w.kept("r1").Stays.Count(), "what was to stay is kept")
		assert.Equal(t, 1, w.count("StillBilled"))
	})
}

func TestAVolumeUsedElsewhereIsNoLeftover(t *testing.T) {
	for says, c := range map[string]struct {
		unanswered string
		left       []int64
	}{
		"it is used":                {"", []int64{502}},
		"SoftLayer does not answer": {"UsedElsewhere", []int64{501, 502}},
	} {
		t.Run(says, func(t *testing.T) {
			inWorld(t, 1, func(t *testing.T, w *world) {
				w.beside = neighbors(1)
				w.hears(time.Minute)
				delete(w.servers, 1)
				w.billed = billed.Standing{Fees: map[int64]string{501: "98.00", 502: "4.00"}, All: true}
				w.used, w.unanswered = map[int64]bool{501: true}, c.unanswered
				w.hears(2 * time.Hour)
				require.Equal(t, cancellation.Reclaimed, w.request(1).State, "it ends either way")
				require.NotNil(t, w.kept("r1").Left)
				assert.Equal(t, c.left, w.kept("r1").Left.IDs())
				assert.Equal(t, []int64{501}, w.usedOf, "only volumes are asked about, once")
			})
		})
	}
}

func TestNothingLeftBehindIsNoNews(t *testing.T) {
	for name, begin := range map[string]func(w *world){
		"nothing stood next to it":        func(*world) {},
		"all of it was cancelled by hand": func(w *world) { w.beside = neighbors(1) },
		"the key may not see storage, as the card said": func(w *world) {
			w.beside = map[int64]billed.Facts{1: {Hidden: []billed.Kind{billed.Volume}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(t *testing.T, w *world) {
				begin(w)
				w.hears(time.Minute)
				delete(w.servers, 1)
				w.billed = billed.Standing{All: true}
				assert.Empty(t, w.hears(2*time.Hour))
				assert.Equal(t, cancellation.Reclaimed, w.request(1).State)
				require.NotNil(t, w.kept("r1").Left)
				assert.True(t, w.kept("r1").Left.None())
			})
		})
	}
}

func TestWhatCannotBeReadIsNotGone(t *testing.T) {
	t.Run("the key lost its right", func(t *testing.T) {
		inWorld(t, 1, func(t *testing.T, w *world) {
			w.beside = neighbors(1)
			w.hears(time.Minute)
			delete(w.servers, 1)
			news := w.hears(2 * time.Hour)
			require.Len(t, news, 1)
			left := billed.FromDetail(news[0].Detail)
			require.NotNil(t, left)
			assert.Equal(t, 2, left.Count())
			_, known, unknown := left.Total()
			assert.Equal(t, []int{0, 2}, []int{known, unknown})
		})
	})
	t.Run("SoftLayer does not answer", func(t *testing.T) {
		inWorld(t, 1, func(t *testing.T, w *world) {
			w.beside = neighbors(1)
			w.hears(time.Minute)
			delete(w.servers, 1)
			w.unanswered = "StillBilled"
			news := w.hears(2 * time.Hour)
			require.Len(t, news, 1)
			assert.Empty(t, news[0].Detail)
			assert.Nil(t, w.kept("r1").Left)
			assert.Equal(t, cancellation.Reclaimed, w.request(1).State, "it ends nevertheless")
		})
	})
	t.Run("what stands next to it is never answered", func(t *testing.T) {
		inWorld(t, 1, func(t *testing.T, w *world) {
			w.unanswered = "Beside"
			w.hears(24 * time.Hour)
			assert.Equal(t, 3, w.count("Beside"), "three times, and no more")
			require.NotNil(t, w.kept("r1").Stays)
			assert.Equal(t, billed.Kinds(), w.kept("r1").Stays.Unread)
			delete(w.servers, 1)
			assert.Len(t, w.hears(2*time.Hour), 1)
		})
	})
}

func TestWhatTheCardShowedIsLookedFor(t *testing.T) {
	inWorldOf(t, func(r *cancellation.Request) {
		r.Submission.Card.Stays = &billed.Stays{
			Items: []billed.Item{{Kind: billed.Volume, ID: 77, Fee: "49.00"}}, Unread: []billed.Kind{billed.Subnet},
		}
	}, func(t *testing.T, w *world) {
		w.unanswered = "Beside" // and then it is read no more
		w.hears(24 * time.Hour)
		delete(w.servers, 1)
		w.billed = billed.Standing{Fees: map[int64]string{77: "49.00"}, All: true}
		w.hears(2 * time.Hour)
		require.NotNil(t, w.kept("r1").Left)
		assert.Equal(t, 1, w.kept("r1").Left.Of(billed.Volume))
	})
}

func TestAssociatedItemsAreLeftBehindUnlessTicked(t *testing.T) {
	for ticked, left := range map[bool]int{false: 1, true: 0} {
		inWorldOf(t, func(r *cancellation.Request) {
			r.Submission.Associated = ticked
			r.Submission.Card.Server.Billing.Associated = []cancellation.AssociatedItem{{ID: 77, Description: "Portable storage", Fee: "49.00"}}
			r.Submission.Card.Stays = &billed.Stays{Items: []billed.Item{{Kind: billed.Volume, ID: 77, Fee: "49.00"}}}
			if !ticked {
				r.Submission.Card.Stays = &billed.Stays{}
			}
		}, func(t *testing.T, w *world) {
			w.hears(time.Minute)
			assert.Zero(t, w.count("Beside"), "the card has it")
			delete(w.servers, 1)
			w.billed = billed.Standing{Fees: map[int64]string{77: "49.00"}, All: true}
			assert.Len(t, w.hears(2*time.Hour), left)
			require.NotNil(t, w.kept("r1").Left)
			assert.Equal(t, left, w.kept("r1").Left.Of(billed.Associated))
			assert.Zero(t, w.kept("r1").Left.Of(billed.Volume))
		})
	}
}

var errSilence = errors.New("no answer")
