package typeahead

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// filled is an inventory after its first pass.
func (b *books) filled(t *testing.T) *Inventory {
	t.Helper()
	i := b.inventory("one")
	_, err := i.refresh(t.Context())
	require.NoError(t, err)
	return i
}

func TestSoftLayerIsAskedOnlyForUnknownServers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: serversNamed("web-1.example.com", "web-2.example.com")}
		b.live = func(string) ([]cancellation.Server, error) {
			return []cancellation.Server{server(7, "new-web.example.com")}, nil
		}
		cold := b.inventory("cold")
		found, err := cold.Search(t.Context(), "web", 100)
		require.NoError(t, err)
		assert.Equal(t, []int64{7}, ids(found), "before the first pass SoftLayer is the only one who knows")
		assert.Equal(t, []string{"web"}, b.asked)

		i := b.filled(t)
		found, err = i.Search(t.Context(), "web", 100)
		require.NoError(t, err)
		assert.Equal(t, []int64{1, 2}, ids(found))
		assert.Len(t, b.asked, 1, "what is known is answered at once")
		found, err = i.Search(t.Context(), "new", 100)
		require.NoError(t, err)
		assert.Equal(t, []int64{7}, ids(found), "a server that is younger than the last pass is found")

		time.Sleep(time.Hour) // in which no pass was whole
		found, err = i.Search(t.Context(), "web", 100)
		require.NoError(t, err)
		assert.Equal(t, []int64{1, 2, 7}, ids(found), "little, and that old, is asked for again; the best match comes first")
		found, err = i.Search(t.Context(), "web", 2)
		require.NoError(t, err)
		assert.Equal(t, []int64{1, 2}, ids(found))
	})
}

func TestSoftLayersAnswerWinsOverTheSnapshot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: serversNamed("web-1.example.com")}
		i := b.filled(t)
		b.live = func(string) ([]cancellation.Server, error) {
			return []cancellation.Server{server(1, "web-1.example.org")}, nil
		}
		time.Sleep(time.Hour)
		found, err := i.Search(t.Context(), "web-1", 100)
		require.NoError(t, err)
		assert.Equal(t, []string{"web-1.example.org"}, fqdns(found))
	})
}

func TestSilentSoftLayerTakesNothingAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: serversNamed("web-1.example.com")}
		i := b.filled(t)
		away := errors.New("away")
		b.live = func(string) ([]cancellation.Server, error) { return nil, away }
		_, err := i.Search(t.Context(), "db", 100)
		require.ErrorIs(t, err, away, "nothing found and nobody asked is not the same as nothing")
		time.Sleep(time.Hour)
		found, err := i.Search(t.Context(), "web", 100)
		require.NoError(t, err)
		assert.Equal(t, []int64{1}, ids(found))
		b.live = func(string) ([]cancellation.Server, error) { return serversNamed("db-1.example.com"), away }
		found, err = i.Search(t.Context(), "db", 100)
		require.NoError(t, err)
		assert.Len(t, found, 1, "what one of SoftLayer's answers said")
	})
}

func TestTypingOnAfterNothingFoundAsksNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: serversNamed("web-1.example.com")}
		i := b.filled(t)
		search := func(query string) int {
			t.Helper()
			_, err := i.Search(t.Context(), query, 100)
			require.NoError(t, err)
			return len(b.asked)
		}
		assert.Equal(t, 1, search("qwe"))
		assert.Equal(t, 1, search("qwer"), "what has nothing of qwe has nothing of qwer")
		assert.Equal(t, 1, search("QWE"))
		assert.Equal(t, 2, search("qw"), "but perhaps of qw")
		assert.Equal(t, 3, search("77"))
		assert.Equal(t, 4, search("777"), "digits may be an id, which is found whole only")
		assert.Equal(t, 4, search("777"))
		time.Sleep(missLife)
		assert.Equal(t, 5, search("qwer"), "a new server may be there now")
	})
}

func TestAFailedQuestionIsAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{}
		i := b.filled(t)
		b.live = func(string) ([]cancellation.Server, error) { return nil, errors.New("away") }
		for range 2 {
			_, err := i.Search(t.Context(), "qwe", 100)
			require.Error(t, err)
		}
		assert.Len(t, b.asked, 2)
	})
}
