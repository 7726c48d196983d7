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
	model  int64
	listed int                    // other servers that are listed; 0: the account's own are
	answer atomic.Pointer[string] // to the read of the model
	ledger *ledger
	gate   atomic.Pointer[chan struct{}] // which reads of servers wait to be closed, if there is one
}

func newSoftLayer(b *testing.B, book *ledger) *softLayer {
	b.Helper()
	s := &softLayer{Account: fakesoftlayer.New(fakesoftlayer.Options{Seed: 7}), ledger: book}
	s.model = s.Cancelable()
	require.NotZero(b, s.model)
	return s
}

var (
	readsServer  = regexp.MustCompile(`/SoftLayer_Hardware_Server/(\d+)/getObject\.json$`)
	readsTickets = regexp.MustCompile(`/SoftLayer_Hardware_Server/\d+/getActiveTickets\.json$`)
)

// ServeHTTP answers what concerns the servers that the account does not have.
func (s *softLayer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	came := time.Now()
	if strings.HasSuffix(r.URL.Path, "/SoftLayer_Ticket/createCancelServerTicket.json") {
		var asks struct{ Parameters []any }
		if err := json.NewDecoder(r.Body).Decode(&asks); err != nil || len(asks.Parameters) == 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		server, _ := asks.Parameters[0].(float64)
		made := strconv.Itoa(s.ledger.file(int64(server), came))
		answerJSON(w, []byte(`{"id":`+made+`,"serviceProviderResourceId":"CS`+made+`"}`))
		return
	}
	if s.list(w, r) {
		return
	}
	asked := readsServer.FindStringSubmatch(r.URL.Path)
	switch {
	case readsTickets.MatchString(r.URL.Path): // a bot that was killed has filed nothing that it forgot
		answerJSON(w, []byte("[]"))
	case asked == nil:
		s.Handler().ServeHTTP(w, r)
	case asked[1] == strconv.FormatInt(s.model, 10):
		recorder := httptest.NewRecorder()
		s.Handler().ServeHTTP(recorder, r)
		whole := recorder.Body.String()
		s.answer.Store(&whole)
		answerJSON(w, recorder.Body.Bytes())
	default:
		s.another(w, r, asked[1])
		s.ledger.read(asked[1], came)
	}
}

// another answers the read of a server that is like the model.
func (s *softLayer) another(w http.ResponseWriter, r *http.Request, id string) {
	if gate := s.gate.Load(); gate != nil {
		select {
		case <-*gate:
		case <-r.Context().Done(): // the caller was killed
			return
		}
	}
	answerJSON(w, []byte(strings.ReplaceAll(*s.answer.Load(), strconv.FormatInt(s.model, 10), id)))
}

// holdReads has the reads of servers wait until release is called.
func (s *softLayer) holdReads() (release func()) {
	gate := make(chan struct{})
	s.gate.Store(&gate)
	return func() {
		s.gate.Store(nil)
		close(gate)
	}
}

// fqdn is the name of the model, and so of all its likes.
func (s *softLayer) fqdn(l *lab) string {
	var read struct{ FullyQualifiedDomainName string }
	require.NoError(l, json.Unmarshal([]byte(*s.answer.Load()), &read))
	return read.FullyQualifiedDomainName
}
