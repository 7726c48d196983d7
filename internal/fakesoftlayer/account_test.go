package fakesoftlayer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"cancel-server/internal/fakesoftlayer"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const cancelMethod = "SoftLayer_Ticket/createCancelServerTicket"

// start is the moment at which the tests' accounts begin.
var start = time.Date(2026, time.November, 10, 12, 0, 0, 0, time.UTC)

// world is an account behind a real server, with what it was seen to do.
type world struct {
	*testing.T
	account *fakesoftlayer.Account
	server  *httptest.Server
	control *httptest.Server

	mu        sync.Mutex
	exchanges []fakesoftlayer.Exchange
}

func newWorld(t *testing.T, servers int) *world {
	t.Helper()
	return newWorldOf(t, fakesoftlayer.Options{Servers: servers})
}

// newWorldOf is newWorld with options; the seed, the clock and the observer are the world's own.
func newWorldOf(t *testing.T, options fakesoftlayer.Options) *world {
	t.Helper()
	w := &world{T: t}
	options.Seed, options.Now = 7, func() time.Time { return start }
	options.Observe = func(e fakesoftlayer.Exchange) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.exchanges = append(w.exchanges, e)
	}
	w.account = fakesoftlayer.New(options)
	w.server = httptest.NewServer(http.StripPrefix("/fake", w.account.Handler()))
	w.control = httptest.NewServer(w.account.Control())
	t.Cleanup(w.server.Close)
	t.Cleanup(w.control.Close)
	return w
}

// reply is an answer as the wire gave it.
type reply struct {
	status int
	total  string
	text   string
}

// object is a reply that is one JSON object.
func (w *world) object(r reply) map[string]any {
	w.Helper()
	var object map[string]any
	require.NoError(w, json.Unmarshal([]byte(r.text), &object), r.text)
	return object
}

// rows is a reply that is a JSON list.
func (w *world) rows(r reply) []map[string]any {
	w.Helper()
	var rows []map[string]any
	require.NoError(w, json.Unmarshal([]byte(r.text), &rows), r.text)
	return rows
}

func (w *world) request(method, path, body string) *http.Request {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.server.URL+"/fake/rest/v3.1/"+path, strings.NewReader(body))
	require.NoError(w, err)
	r.SetBasicAuth(w.account.Username(), w.account.APIKey())
	return r
}

func (w *world) do(r *http.Request) (reply, error) {
	client := http.Client{Timeout: 2 * time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header.Get("SoftLayer-Total-Items"), string(body)}, err
}

func (w *world) must(r *http.Request) reply {
	w.Helper()
	got, err := w.do(r)
	require.NoError(w, err)
	return got
}

// get calls a method by GET with query pairs.
func (w *world) get(path string, query ...string) reply {
	w.Helper()
	values := url.Values{}
	for i := 0; i < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	return w.must(w.request(http.MethodGet, path+"?"+values.Encode(), ""))
}

// post calls a method by POST with positional parameters.
func (w *world) post(path string, parameters ...any) reply {
	w.Helper()
	return w.must(w.request(http.MethodPost, path, w.json(map[string]any{"parameters": parameters})))
}

func (w *world) json(value any) string {
	w.Helper()
	encoded, err := json.Marshal(value)
	require.NoError(w, err)
	return string(encoded)
}

func (w *world) cancel(server int64) reply {
	w.Helper()
	return w.post(cancelMethod+".json", server, "No longer needed", "because", false, "HARDWARE")
}

// steer calls the control API.
func (w *world) steer(path, body string) reply {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.control.URL+path, strings.NewReader(body))
	require.NoError(w, err)
	r.Header.Set("Content-Type", "application/json")
	return w.must(r)
}

func (w *world) mustSteer(path, body string) map[string]any {
	w.Helper()
	r := w.steer(path, body)
	require.Equal(w, http.StatusOK, r.status, r.text)
	return w.object(r)
}

// books are the tickets that the control API tells of one server.
func (w *world) books(server int64) []map[string]any {
	w.Helper()
	response, err := http.Get(w.control.URL + "/tickets")
	require.NoError(w, err)
	defer response.Body.Close()
	var all, about []map[string]any
	require.NoError(w, json.NewDecoder(response.Body).Decode(&all))
	for _, t := range all {
		attached := t["attachedHardware"].([]any)[0].(map[string]any)
		if attached["id"] == float64(server) {
			about = append(about, t)
		}
	}
	return about
}

// broke are the rules that the last exchange's client broke.
func (w *world) broke() []fakesoftlayer.Broken {
	w.Helper()
	return w.lastExchange().Broke
}

// lastExchange needs no waiting: the observer runs before the handler returns,
// and so before a client has read an answer to its end.
func (w *world) lastExchange() fakesoftlayer.Exchange {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.NotEmpty(w, w.exchanges)
	return w.exchanges[len(w.exchanges)-1]
}

func TestSameSeedGrowsTheSameAccount(t *testing.T) {
	t.Parallel()
	one, other := newWorld(t, 60), newWorld(t, 60)
	list := func(w *world) string {
		return w.get("SoftLayer_Account/getHardware", "objectFilter", `{"hardware":{"id":{"operation":"orderBy","options":[{"name":"sort","value":["ASC"]}]}}}`).text
	}
	assert.Equal(t, list(one), list(other))
	assert.EqualValues(t, 7, one.account.Seed())
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	for name, c := range map[string]struct {
		user, key string
		want      int
	}{
		"the classic user name":       {w.account.Username(), w.account.APIKey(), http.StatusOK},
		"apikey, as for an IBM key":   {"apikey", w.account.APIKey(), http.StatusOK},
		"a wrong key":                 {"apikey", "wrong", http.StatusUnauthorized},
		"a wrong user":                {"somebody", w.account.APIKey(), http.StatusUnauthorized},
		"a user name and key swapped": {w.account.APIKey(), w.account.Username(), http.StatusUnauthorized},
	} {
		r := w.request(http.MethodGet, "SoftLayer_Account", "")
		r.SetBasicAuth(c.user, c.key)
		assert.Equal(t, c.want, w.must(r).status, name)
	}
	r := w.request(http.MethodGet, "SoftLayer_Account", "")
	r.Header.Del("Authorization")
	assert.JSONEq(t, `{"error":"Access Denied. ","code":"SoftLayer_Exception_Public"}`, w.must(r).text)
}

func TestBothURLStylesMeanTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	id := w.account.Cancelable()
	want := w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d", id)).text
	for _, path := range []string{"%d.json", "%d/getObject", "%d/getObject.json"} {
		assert.Equal(t, want, w.get(fmt.Sprintf("SoftLayer_Hardware_Server/"+path, id)).text, path)
	}
	assert.Equal(t, want, w.post(fmt.Sprintf("SoftLayer_Hardware_Server/%d/getObject", id)).text, "by POST")
	byPath := w.get(fmt.Sprintf("%s/%d/No%%20longer%%20needed/a%%2Fb/0/HARDWARE.json", cancelMethod, id))
	require.Equal(t, http.StatusOK, byPath.status, byPath.text)
	assert.Contains(t, w.books(id)[0]["firstUpdate"].(map[string]any)["entry"], "\n\na/b")
}

func TestUnknownCallsGetSoftLayersOwnErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	assert.JSONEq(t, `{"error":"Function (\"getWishes\") is not a valid method for this service.","code":"SoftLayer_Exception_Public"}`,
		w.get("SoftLayer_Account/getWishes").text)
	assert.Contains(t, w.get("SoftLayer_Wishes/getObject").text, "does not exist")
	assert.Equal(t, http.StatusNotFound, w.get("SoftLayer_Hardware_Server/99").status)
	assert.JSONEq(t, `{"error":"Unable to find object with id of '99'.","code":"SoftLayer_Exception_ObjectNotFound"}`,
		w.get("SoftLayer_Ticket/99").text)
	assert.Equal(t, http.StatusNotFound, w.get("SoftLayer_Account/5").status, "another account")
	assert.Contains(t, w.post("SoftLayer_Ticket").text, "createObject", "what a POST without a method means")
	for name, r := range map[string]*http.Request{
		"a body that is not JSON": w.request(http.MethodPost, cancelMethod, "parameters=1"),
		"another HTTP method":     w.request(http.MethodDelete, "SoftLayer_Ticket/99", ""),
		"a body over the limit":   w.request(http.MethodPost, cancelMethod, `"`+strings.Repeat("x", 2<<20)),
	} {
		assert.Equal(t, http.StatusBadRequest, w.must(r).status, name)
	}
}

func TestObserverIsToldEachExchangeWithoutTheKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	id := w.account.Cancelable()
	w.cancel(id)
	e := w.lastExchange()
	assert.Equal(t, cancelMethod, e.Method)
	assert.Equal(t, http.StatusOK, e.Status)
	assert.Equal(t, start, e.At)
	assert.JSONEq(t, fmt.Sprintf(`{"parameters":[%d,"No longer needed","because",false,"HARDWARE"]}`, id), string(e.Request.(json.RawMessage)))
	told, err := json.Marshal(e)
	require.NoError(t, err)
	assert.False(t, bytes.Contains(told, []byte(w.account.APIKey())))
}

func TestAKeyWorksUntilItIsDeleted(t *testing.T) {
	w := newWorld(t, 1)
	first := w.account.APIKey()
	w.account.AddAPIKey()
	asks := func(key string) int {
		r := w.request(http.MethodGet, "SoftLayer_Account/getObject", "")
		r.SetBasicAuth(w.account.Username(), key)
		return w.must(r).status
	}
	assert.Equal(t, http.StatusOK, asks(first))
	assert.Equal(t, http.StatusOK, asks(w.account.APIKey()))
	w.account.RevokeOldAPIKeys()
	assert.Equal(t, http.StatusUnauthorized, asks(first))
	assert.Equal(t, http.StatusOK, asks(w.account.APIKey()))
}
