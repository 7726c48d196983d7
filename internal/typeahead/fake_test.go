package typeahead_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakesoftlayer"
	"cancel-server/internal/softlayer"
	"cancel-server/internal/store"
	"cancel-server/internal/storetest"
	"cancel-server/internal/typeahead"
)

// world is a strict SoftLayer account over real HTTP, its client, and a store in a file.
type world struct {
	*testing.T
	account *fakesoftlayer.Account
	client  *softlayer.Client
	store   *store.Store
	said    *lines

	mu    sync.Mutex
	calls map[string]int
	broke []fakesoftlayer.Broken
}

func newWorld(t *testing.T, servers int) *world {
	t.Helper()
	w := &world{T: t, calls: map[string]int{}, said: &lines{}}
	w.account = fakesoftlayer.New(fakesoftlayer.Options{Servers: servers, Seed: 7, Observe: func(e fakesoftlayer.Exchange) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.calls[e.Method]++
		w.broke = append(w.broke, e.Broke...)
	}})
	api := httptest.NewServer(w.account.Handler())
	t.Cleanup(api.Close)
	var err error
	w.client, err = softlayer.New(softlayer.Options{Endpoint: api.URL + "/rest/v3.1", Username: w.account.Username(), APIKey: w.account.APIKey()})
	require.NoError(t, err)
	t.Cleanup(w.client.Close)
	w.store, err = store.Open(t.Context(), store.Options{Path: storetest.File(t), Mode: store.Serve})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.store.Close()) })
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		assert.Empty(t, w.broke, "rules of SoftLayer that were broken")
	})
	return w
}

// start runs an inventory until the test ends, and waits until it has said something.
func (w *world) start(owner, until string) *typeahead.Inventory {
	w.Helper()
	i := typeahead.New(typeahead.Options{
		Servers: w.client, Tags: w.client, Live: w.client, Keeper: w.store, Owner: owner, Rate: 10_000,
		Interval: time.Hour, Log: slog.New(slog.NewTextHandler(w.said, nil)),
	})
	var all sync.WaitGroup
	all.Go(func() { i.Run(w.Context()) })
	w.Cleanup(all.Wait)
	if until != "" {
		require.Eventually(w, func() bool { return strings.Contains(w.said.String(), until) }, 20*time.Second, 5*time.Millisecond, "%q is said", until)
	}
	return i
}

func (w *world) made(method string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[method]
}

// truth is all servers as SoftLayer's records have them.
func (w *world) truth() (all []struct {
	ID                                        int64
	Hostname, FullyQualifiedDomainName        string
	PrimaryIPAddress, PrimaryBackendIPAddress string
	TagReferences                             []struct{ Tag struct{ Name string } }
},
) {
	w.Helper()
	recorder := httptest.NewRecorder()
	w.account.Control().ServeHTTP(recorder, httptest.NewRequestWithContext(w.Context(), http.MethodGet, "/servers?q=", nil))
	require.NoError(w, json.Unmarshal(recorder.Body.Bytes(), &all))
	return all
}

func TestEveryServerIsFoundByNamesAndTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 230)
	i := w.start("one", "servers=230")
	for _, one := range w.truth() {
		for _, query := range []string{
			fmt.Sprint(one.ID), one.Hostname, one.FullyQualifiedDomainName, strings.ToUpper(one.FullyQualifiedDomainName), one.PrimaryIPAddress, one.PrimaryBackendIPAddress,
		} {
			if query == "" {
				continue
			}
			found, err := i.Search(t.Context(), query, 2)
			require.NoError(t, err)
			assert.Contains(t, ids(found), one.ID, "%q", query)
		}
		for _, reference := range one.TagReferences {
			found, err := i.Search(t.Context(), reference.Tag.Name, 1_000)
			require.NoError(t, err)
			assert.Contains(t, ids(found), one.ID, "tag %q", reference.Tag.Name)
		}
	}
	assert.Zero(t, w.made("SoftLayer_Hardware_Server/getObject"), "all of it from memory")
	assert.Equal(t, 3, w.made("SoftLayer_Account/getHardware"), "pages of 100, each with the last of the one before")
}

func TestNextStartIsWarmWithoutSoftLayer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 120)
	w.start("one", "servers=120")
	require.Eventually(t, func() bool {
		_, version, _, err := w.store.Inventory(t.Context(), 0)
		return err == nil && version == 1
	}, 20*time.Second, 5*time.Millisecond, "what was found is kept")
	require.NoError(t, w.account.Fault("*", "drop_before", 1_000))
	before := w.made("SoftLayer_Account/getHardware")
	again := w.start("again", "")
	name := w.truth()[7].FullyQualifiedDomainName
	require.Eventually(t, func() bool {
		found, err := again.Search(t.Context(), name, 1)
		return err == nil && len(found) == 1
	}, 20*time.Second, 5*time.Millisecond, "what was kept is known")
	assert.NotEmpty(t, again.Nearest(name+"x", 3))
	assert.LessOrEqual(t, before, w.made("SoftLayer_Account/getHardware"))
}

func TestServerNewerThanTheLastPassIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 40)
	i := w.start("one", "servers=40")
	id := w.truth()[3].ID
	body, err := json.Marshal(map[string]any{"id": id, "patch": map[string]any{
		"hostname": "brand-new", "fullyQualifiedDomainName": "brand-new.example.com",
	}})
	require.NoError(t, err)
	recorder, request := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/server", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	w.account.Control().ServeHTTP(recorder, request)
	require.Equal(t, http.StatusOK, recorder.Code, recorder.Body)
	found, err := i.Search(t.Context(), "brand-n", 100)
	require.NoError(t, err)
	assert.Equal(t, []int64{id}, ids(found))
}

func ids(servers []cancellation.Server) []int64 {
	var all []int64
	for _, s := range servers {
		all = append(all, s.ID)
	}
	return all
}

// lines keep what was logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
