package softlayer_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/softlayer"
)

const (
	testUser = "307608_bot@example.com"
	testKey  = "f4k3-k3y-that-must-never-show"
)

// received is one request as a server got it.
type received struct {
	Method, Path, Body   string
	Mask, Filter, Limits string
	Header               http.Header
}

// vendor is a SoftLayer of one test: it keeps what it received and answers as told.
type vendor struct {
	*httptest.Server
	mu    sync.Mutex
	calls []received
}

// newVendor answers each call with what answer returns for it.
func newVendor(t *testing.T, answer func(w http.ResponseWriter, got received)) *vendor {
	t.Helper()
	v := &vendor{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		query := r.URL.Query()
		got := received{
			Method: r.Method, Path: r.URL.Path, Body: string(body), Header: r.Header,
			Mask: query.Get("objectMask"), Filter: query.Get("objectFilter"), Limits: query.Get("resultLimit"),
		}
		for name := range query {
			assert.Contains(t, []string{"objectMask", "objectFilter", "resultLimit"}, name)
		}
		v.mu.Lock()
		v.calls = append(v.calls, got)
		v.mu.Unlock()
		answer(w, got)
	}))
	t.Cleanup(v.Close)
	return v
}

// says answers every call alike.
func says(status int, body string) func(http.ResponseWriter, received) {
	return func(w http.ResponseWriter, _ received) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the client may have left
	}
}

// inTurn answers the calls one after the other with 200 and these bodies; a body that
// is an error comes with 500.
func inTurn(t *testing.T, bodies ...string) func(http.ResponseWriter, received) {
	var mu sync.Mutex
	return func(w http.ResponseWriter, got received) {
		mu.Lock()
		defer mu.Unlock()
		if !assert.NotEmpty(t, bodies, "a call that was not expected: %+v", got) {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		if bodies[0] == internalError {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, bodies[0]) // the client may have left
		bodies = bodies[1:]
	}
}

const internalError = `{"error":"Internal Error","code":"SoftLayer_Exception_Public"}`

func (v *vendor) received() []received {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]received(nil), v.calls...)
}

func (v *vendor) client(t *testing.T) *softlayer.Client {
	t.Helper()
	return newClient(t, softlayer.Options{Endpoint: v.URL + "/rest/v3.1"})
}

// newClient fills in what every test needs.
func newClient(t testing.TB, o softlayer.Options) *softlayer.Client {
	t.Helper()
	o.Username, o.APIKey = testUser, testKey
	c, err := softlayer.New(o)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}
