//go:build bench

package bench

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakesoftlayer"
)

// softLayer is an account with as many servers as are asked for: all are the model but
// for its number. What else is asked, the account itself answers.
type softLayer struct {
	*fakesoftlayer.Account
	model   int64
	listed  int                    // other servers that are listed; 0: the account's own are
	answer  atomic.Pointer[string] // to the read of the model
	tickets atomic.Int64
	reading atomic.Int64   // time spent in answers to reads, in nanoseconds
	posts   chan time.Time // when a POST came in, where somebody waits for one
}

func newSoftLayer(b *testing.B) *softLayer {
	b.Helper()
	s := &softLayer{Account: fakesoftlayer.New(fakesoftlayer.Options{Seed: 7}), posts: make(chan time.Time, 1)}
	s.model = s.Cancelable()
	require.NotZero(b, s.model)
	return s
}

var readsServer = regexp.MustCompile(`/SoftLayer_Hardware_Server/(\d+)/getObject\.json$`)

// ServeHTTP answers what concerns the servers that the account does not have.
func (s *softLayer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	came := time.Now()
	if strings.HasSuffix(r.URL.Path, "/SoftLayer_Ticket/createCancelServerTicket.json") {
		keep(s.posts, came)
		made := strconv.FormatInt(s.tickets.Add(1), 10)
		answerJSON(w, []byte(`{"id":`+made+`,"serviceProviderResourceId":"CS`+made+`"}`))
		return
	}
	if s.list(w, r) {
		return
	}
	defer func() { s.reading.Add(int64(time.Since(came))) }()
	asked := readsServer.FindStringSubmatch(r.URL.Path)
	switch {
	case asked == nil:
		s.Handler().ServeHTTP(w, r)
	case asked[1] == strconv.FormatInt(s.model, 10):
		recorder := httptest.NewRecorder()
		s.Handler().ServeHTTP(recorder, r)
		whole := recorder.Body.String()
		s.answer.Store(&whole)
		answerJSON(w, recorder.Body.Bytes())
	default:
		answerJSON(w, []byte(strings.ReplaceAll(*s.answer.Load(), strconv.FormatInt(s.model, 10), asked[1])))
	}
}

// fqdn is the name of the model, and so of all its likes.
func (s *softLayer) fqdn(l *lab) string {
	var read struct{ FullyQualifiedDomainName string }
	require.NoError(l, json.Unmarshal([]byte(*s.answer.Load()), &read))
	return read.FullyQualifiedDomainName
}
