package typeahead

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// known are the ids of all servers that an inventory knows.
func known(i *Inventory) []int64 {
	x := i.index.Load()
	if x == nil {
		return nil
	}
	var all []int64
	for n := range x.size() {
		all = append(all, x.row(n).id)
	}
	slices.Sort(all)
	return all
}

func TestAPassMeetsEveryServer(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 99, 100, 101, 199, 200, 1_000} {
		synctest.Test(t, func(t *testing.T) {
			b := &books{servers: many(n)}
			i := b.running(t, "one")
			time.Sleep(time.Hour / 12)
			synctest.Wait()
			assert.Equal(t, ids(b.servers), known(i), "%d servers", n)
			require.NotNil(t, i.index.Load())
		})
	}
}

// What happens between two pages of a pass over 1,000 servers, and what is known after it.
func TestPassOverChangingServersAddsUpOrRepeats(t *testing.T) {
	t.Parallel()
	for says, happens := range map[string]func(b *books, call int){
		"one that was read already goes": func(b *books, call int) {
			if call == 5 {
				b.remove(b.servers[10].ID)
			}
		},
		"a hundred that were read already go at once": func(b *books, call int) {
			if call == 7 {
				b.servers = b.servers[100:]
			}
		},
		"all that were read go": func(b *books, call int) {
			if call == 4 {
				b.servers = b.servers[250:]
			}
		},
		"one that is still to be read goes": func(b *books, call int) {
			if call == 3 {
				b.remove(b.servers[900].ID)
			}
		},
		"one comes": func(b *books, call int) {
			if call == 6 {
				b.servers = append(b.servers, server(9_999_999, "new.example.com"))
			}
		},
		"one goes and one comes between the same two pages": func(b *books, call int) {
			if call == 6 {
				b.remove(b.servers[10].ID)
				b.servers = append(b.servers, server(9_999_999, "new.example.com"))
			}
		},
		"an old one is shown to the key": func(b *books, call int) {
			if call == 6 {
				b.servers = slices.Insert(b.servers, 0, server(3, "old.example.com"))
			}
		},
		"one goes before each page": func(b *books, call int) {
			if call < 12 {
				b.remove(b.servers[0].ID)
			}
		},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &books{servers: many(1_000)}
				b.before = func(call int) error { happens(b, call); return nil }
				i := b.running(t, "one")
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				all := known(i)
				for _, id := range ids(b.servers) {
					_, found := slices.BinarySearch(all, id)
					assert.True(t, found, "server %d is there and was passed over", id)
				}
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				assert.Equal(t, ids(b.servers), known(i), "the next pass forgets what has gone")
			})
		})
	}
}

func TestServerIsForgottenOnlyAfterAWholePass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: many(300)}
		i := b.running(t, "one")
		time.Sleep(time.Minute)
		synctest.Wait()
		all := known(i)
		require.Len(t, all, 300)

		b.change(func() { // SoftLayer's lists end too early from now on
			b.servers = b.servers[:250]
			b.before = func(int) error { return errors.New("internal error") }
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, all, known(i), "no pass was whole")
		found, err := i.Search(t.Context(), "example", 100)
		require.NoError(t, err)
		assert.Len(t, found, 100, "what is known is offered all the same")

		b.change(func() { b.before = nil })
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		assert.Len(t, known(i), 250)
	})
}

// short says that there are more servers than it gives.
type short struct{ *books }

func (s short) Servers(ctx context.Context, offset, limit int) ([]cancellation.Server, int, error) {
	page, total, err := s.books.Servers(ctx, offset, limit)
	return page, total + 1, err
}

// shuffled gives servers in an order of its own.
type shuffled struct{ *books }

func (s shuffled) Servers(ctx context.Context, offset, limit int) ([]cancellation.Server, int, error) {
	page, total, err := s.books.Servers(ctx, offset, limit)
	slices.Reverse(page)
	return page, total, err
}

func TestPassThatDoesNotAddUpIsDropped(t *testing.T) {
	t.Parallel()
	for says, servers := range map[string]func(*books) Lister{
		"fewer than SoftLayer says":           func(b *books) Lister { return short{b} },
		"in another order than was asked for": func(b *books) Lister { return shuffled{b} },
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &books{servers: many(150)}
				i := b.inventory("one")
				i.servers = servers(b)
				_, err := i.refresh(t.Context())
				require.ErrorIs(t, err, errDoesNotAddUp)
				assert.Empty(t, known(i))
				assert.Zero(t, b.version, "nothing is kept of it")
			})
		})
	}
}

func TestTheCallsOfAPassKeepTheirPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: many(2_000), tags: map[string][]int64{"prod": ids(many(500))}}
		b.running(t, "one")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		b.mu.Lock()
		defer b.mu.Unlock()
		assert.Len(t, b.calls, 21+1+5, "pages of servers, of tags and of what carries them")
		for n := range b.calls[1:] {
			assert.GreaterOrEqual(t, b.calls[n+1].Sub(b.calls[n]), time.Second/5)
		}
	})
}

func TestFailedCallIsRepeatedWithinThePass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: many(300)}
		b.before = func(call int) error {
			if call == 2 || call == 3 {
				return errors.New("bad gateway")
			}
			return nil
		}
		i := b.running(t, "one")
		time.Sleep(25 * time.Second)
		synctest.Wait()
		assert.Len(t, known(i), 300)
	})
}

func TestTagsThatCannotBeReadCostNoServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: many(50)}
		b.tags = map[string][]int64{"prod": {b.servers[7].ID}}
		i := b.running(t, "one")
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []int64{b.servers[7].ID}, ids(i.index.Load().search("prod", 1)), "a tag is found by its name")

		calls := b.made()
		b.change(func() {
			b.servers = append(b.servers, server(9_999_999, "new.example.com"))
			b.before = func(call int) error {
				if call > calls+1 {
					return errors.New("tags fail")
				}
				return nil
			}
		})
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		assert.Contains(t, known(i), int64(9_999_999))
		assert.NotEmpty(t, i.index.Load().carried(), "the tags stay as they were known")
	})
}

func TestStartIsWarmFromTheLastSnapshot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: many(500)}
		b.tags = map[string][]int64{"prod": {b.servers[7].ID}}
		first := b.inventory("one")
		_, err := first.refresh(t.Context())
		require.NoError(t, err)
		calls := b.made()

		time.Sleep(time.Minute)
		b.change(func() { b.before = func(int) error { return errors.New("SoftLayer is away") } })
		again := b.running(t, "again")
		synctest.Wait()
		assert.Equal(t, known(first), known(again))
		assert.Equal(t, []int64{b.servers[7].ID}, ids(again.index.Load().search("prod", 1)))
		assert.Equal(t, calls, b.made(), "what is a minute old is young enough")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		assert.Greater(t, b.made(), calls, "and is looked at again when it is not")
	})
}

func TestUnreadableSnapshotIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: many(20), kept: []byte("of another build"), version: 4, foundAt: time.Now()}
		i := b.running(t, "one")
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Len(t, known(i), 20)
		assert.Equal(t, int64(5), b.version)
	})
}

func TestUnreadableSnapshotConfirmsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: many(20)}
		i := b.running(t, "one")
		time.Sleep(time.Minute)
		synctest.Wait()
		passed := *i.confirmed.Load()
		for range 60 { // a newer build keeps its own from now on
			b.change(func() { b.kept, b.version, b.foundAt = []byte("of another build"), b.version+1, time.Now() })
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		assert.Len(t, known(i), 20)
		assert.Equal(t, passed, *i.confirmed.Load(), "what is known here is as old as it was")
		assert.Equal(t, few, i.enough(100), "and SoftLayer is asked as well")
	})
}

func TestOneReplicaAtATimeReadsAllServers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: many(1_000)}
		var all []*Inventory
		for _, owner := range []string{"one", "two", "three"} {
			all = append(all, b.running(t, owner))
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for _, i := range all {
			assert.Len(t, known(i), 1_000)
		}
		assert.Equal(t, 12, b.made(), "11 pages of servers and one of tags, read once")
		b.change(func() { b.remove(b.servers[3].ID) })
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		assert.Equal(t, 24, b.made())
		for _, i := range all {
			assert.Len(t, known(i), 999, "each replica learns what one has found")
		}
	})
}

func TestWhatHasNotChangedIsNotKeptAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: many(100)}
		b.running(t, "one")
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, int64(1), b.version)
		assert.Less(t, time.Since(b.foundAt), 11*time.Minute)
	})
}

func TestUnstoredPassIsStoredByTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: many(20)}
		b.before = func(call int) error {
			if call == 2 { // the tags are read, and then the database is away
				b.lost = errors.New("the database is away")
			}
			return nil
		}
		i := b.inventory("one")
		_, err := i.refresh(t.Context())
		require.ErrorIs(t, err, b.lost)
		assert.Len(t, known(i), 20, "what was found is known here")
		b.change(func() { b.lost, b.before = nil, nil })
		time.Sleep(time.Minute)
		_, err = i.refresh(t.Context())
		require.NoError(t, err)
		assert.Equal(t, int64(1), b.version, "nothing has changed since, and all the same it is kept")
		other := b.inventory("other")
		_, err = other.catchUp(t.Context())
		require.NoError(t, err)
		assert.Equal(t, known(i), known(other))
	})
}

func TestIndexOfUnchangedRowsIsReused(t *testing.T) {
	t.Parallel()
	l := account(50)
	x := newIndex(listing{rows: slices.Clone(l.rows)}, nil)
	again := newIndex(l, x)
	assert.Same(t, &x.names.lower[0], &again.names.lower[0])
	assert.NotEqual(t, x.all, again.all, "the tags are others")
	assert.NotEmpty(t, again.search("team-web", 1))
	assert.Empty(t, x.search("team-web", 1), "an index never changes")
	changed := slices.Clone(l.rows)
	changed[7].datacenter = "ams01"
	assert.NotEqual(t, x.rows, newIndex(listing{rows: changed}, x).rows)
}

func TestAStoreThatIsAwayStopsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: many(100), lost: errors.New("the database is away")}
		i := b.running(t, "one")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		assert.Empty(t, b.calls, "nobody knows whose turn it is")
		b.change(func() { b.lost = nil })
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		assert.Len(t, known(i), 100)
	})
}
