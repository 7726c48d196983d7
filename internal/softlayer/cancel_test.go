package softlayer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/softlayer"
)

func order() cancellation.Order {
	return cancellation.Order{Server: 1234567, Reason: "No longer needed", Content: "Replaced by db-060."}
}

// reply is one answer to the POST and what it means.
type reply struct {
	status int
	header map[string]string
	body   string
	kind   cancellation.OutcomeKind
	means  error // what the call's error is; nil for a ticket
}

func exception(text string) string { return `{"error":"` + text + `","code":"SoftLayer_Exception"}` }

const (
	noReason  = "Cancellation reason must be provided."
	noRight   = "You do not have permission to this service."
	duplicate = "A cancellation ticket already exists for this server. Please refer to ticket 28899623."
	limited   = "Rate limit of 50 requests for every 1 second(s) exceeded."
)

// replies are the sentences of the vendor, and everything that only looks like one.
func replies() map[string]reply {
	made := func(status int, body string) reply { return reply{status: status, body: body, kind: cancellation.Made} }
	refused := func(status int, body string, is error) reply {
		return reply{status: status, body: body, kind: cancellation.Refused, means: is}
	}
	notMade := func(status int, body string, is error) reply {
		return reply{status: status, body: body, kind: cancellation.NotMade, means: is}
	}
	lost := func(status int, body string) reply {
		return reply{status: status, body: body, kind: cancellation.AnswerLost, means: softlayer.ErrAnswerLost}
	}
	return map[string]reply{
		"a ticket with an id is made":                 made(200, `{"id":153572280,"serviceProviderResourceId":"CS123"}`),
		"a ticket with nothing but an id is made":     made(201, ` {"id":153572280} `),
		"a ticket whose number is a number is made":   made(200, `{"id":153572280,"serviceProviderResourceId":153572280}`),
		"a ticket whose number is an object is made":  made(200, `{"id":153572280,"serviceProviderResourceId":{}}`),
		"a missing id is refused":                     refused(500, exception("Attachment id must be provided."), softlayer.ErrAttachmentMissing),
		"a missing reason is refused":                 refused(500, exception(noReason), softlayer.ErrReasonMissing),
		"missing content is refused":                  refused(500, exception("Cancellation content description must be provided."), softlayer.ErrContentMissing),
		"a missing right is refused":                  refused(500, exception(noRight), softlayer.ErrPermission),
		"a definite text is definite with status 200": refused(200, exception(noReason), softlayer.ErrReasonMissing),
		"a definite text is definite with status 403": refused(403, exception(noRight), softlayer.ErrPermission),
		"a definite text needs no class":              refused(500, `{"error":"`+noReason+`"}`, softlayer.ErrReasonMissing),
		"spaces around a definite text do not matter": refused(500, exception(" "+noRight+` \n`), softlayer.ErrPermission),

		"the rate limit made nothing":                 notMade(500, `{"error":"slow down","code":"SoftLayer_Exception_WebService_RateLimitExceeded"}`, nil),
		"the rate limit is known by its text":         notMade(200, exception(limited), nil),
		"the rate limit is known by 429":              {429, map[string]string{"Retry-After": "7"}, "<html>", cancellation.NotMade, nil},
		"refused credentials made nothing":            notMade(401, `{"error":"Access Denied. ","code":"SoftLayer_Exception_Public"}`, softlayer.ErrUnauthorized),
		"refused credentials are known by their text": notMade(500, `{"error":"Access Denied. "}`, softlayer.ErrUnauthorized),
		"403 with a page made nothing":                notMade(403, "<html>Forbidden</html>", softlayer.ErrUnauthorized),
		"an expired token made nothing":               notMade(500, `{"error":"x","code":"SoftLayer_Exception_Account_Authentication_AccessTokenValidation"}`, softlayer.ErrUnauthorized),

		"200 with an error is lost":                      lost(200, internalError),
		"500 with an internal error is lost":             lost(500, internalError),
		"500 with an unknown business error is lost":     lost(500, exception("Something new.")),
		"an object not found is lost":                    {404, nil, `{"error":"Unable to find object with id of '1'.","code":"SoftLayer_Exception_ObjectNotFound"}`, cancellation.AnswerLost, softlayer.ErrNotFound},
		"null is lost":                                   lost(200, "null"),
		"null with spaces is lost":                       lost(200, " null\n"),
		"an empty answer is lost":                        lost(200, ""),
		"an answer of spaces is lost":                    lost(200, " \n"),
		"204 is lost":                                    lost(204, ""),
		"a page with 200 is lost":                        lost(200, "<html>Bad Gateway</html>"),
		"a page with 502 is lost":                        lost(502, "<html>Bad Gateway</html>"),
		"a truncated ticket is lost":                     lost(200, `{"id":153572280,"servicePro`),
		"two objects are lost":                           lost(200, `{"id":153572280}{"id":153572281}`),
		"a list is lost":                                 lost(200, `[{"id":153572280}]`),
		"true is lost":                                   lost(200, `true`),
		"a ticket without an id is lost":                 lost(200, `{"title":"x"}`),
		"the id as a string is lost":                     lost(200, `{"id":"153572280"}`),
		"the id 0 is lost":                               lost(200, `{"id":0}`),
		"a negative id is lost":                          lost(200, `{"id":-5}`),
		"an id with decimals is lost":                    lost(200, `{"id":153572280.0}`),
		"an id with an exponent is lost":                 lost(200, `{"id":1e8}`),
		"an id beyond 64 bits is lost":                   lost(200, `{"id":99999999999999999999}`),
		"an id by another name is lost":                  lost(200, `{"ID":153572280}`),
		"an id of null is lost":                          lost(200, `{"id":null}`),
		"a ticket with an error next to it is lost":      lost(200, `{"id":153572280,"error":"Internal Error"}`),
		"a ticket with an error of null is lost":         lost(200, `{"id":153572280,"error":null}`),
		"a ticket with a definite text is lost":          lost(500, `{"id":153572280,"error":"`+noReason+`"}`),
		"a ticket with status 500 is lost":               lost(500, `{"id":153572280}`),
		"a ticket with status 401 is lost":               lost(401, `{"id":153572280}`),
		"an error that is an object is lost":             lost(500, `{"error":{"text":"`+noReason+`"}}`),
		"an error that is a list of a text is lost":      lost(500, `{"error":["`+noReason+`"]}`),
		"a definite text within a longer one is lost":    lost(500, exception("Error: "+noReason)),
		"a definite text without its full stop is lost":  lost(500, exception("Cancellation reason must be provided")),
		"a definite text in capitals is lost":            lost(500, exception("CANCELLATION REASON MUST BE PROVIDED.")),
		"a definite text under another name is lost":     lost(500, `{"message":"`+noReason+`"}`),
		"a definite text in a page is lost":              lost(500, "<p>"+noReason+"</p>"),
		"a definite text as a bare string is lost":       lost(500, `"`+noReason+`"`),
		"a redirect is lost":                             {307, map[string]string{"Location": "/elsewhere"}, "", cancellation.AnswerLost, softlayer.ErrAnswerLost},
		"a duplicate without a number is lost":           lost(500, exception("A cancellation ticket already exists for this server. Please refer to ticket .")),
		"a duplicate with number 0 is lost":              lost(500, exception("A cancellation ticket already exists for this server. Please refer to ticket 0.")),
		"a duplicate beyond 64 bits is lost":             lost(500, exception("A cancellation ticket already exists for this server. Please refer to ticket 9999999999999999999.")),
		"a duplicate with more after it is lost":         lost(500, exception(duplicate+" Call 5550100.")),
		"a duplicate with more before it is lost":        lost(500, exception("Note: "+duplicate)),
		"another sentence that ends in a number is lost": lost(500, exception("Ticket exists: 153572280.")),
	}
}

func TestEveryAnswerToThePostMeansOneThing(t *testing.T) {
	t.Parallel()
	for sentence, r := range replies() {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, r.write)
			c := v.client(t)
			outcome := softlayer.NewWriter(c).RequestCancellation(t.Context(), order())
			assert.Equal(t, r.kind, outcome.Kind, outcome.Text)
			assert.Equal(t, r.kind == cancellation.Made, outcome.Ticket.ID == 153572280, "the ticket's id")
			assert.Equal(t, r.kind == cancellation.Made, outcome.Text == "", "words")

			_, err := softlayer.NewWriter(c).CreateCancelServerTicket(t.Context(), 1, "x", "y", false)
			assert.Equal(t, r.kind == cancellation.Made, err == nil)
			if r.means != nil {
				require.ErrorIs(t, err, r.means)
			}
			assert.Len(t, v.received(), 2, "one POST a call")
		})
	}
}

func (r reply) write(w http.ResponseWriter, _ received) {
	for name, value := range r.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(r.status)
	_, _ = w.Write([]byte(r.body)) // the client may have left
}

func TestOpenTicketIsReadFromTheWholeSentence(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 400, 500} {
		v := newVendor(t, says(status, exception(duplicate)))
		c := v.client(t)
		assert.Equal(t, cancellation.Outcome{
			Kind: cancellation.AlreadyOpen, Ticket: cancellation.TicketID{ID: 28899623}, Text: duplicate,
			Raw: fmt.Sprintf("HTTP %d %s", status, exception(duplicate)),
		}, softlayer.NewWriter(c).RequestCancellation(t.Context(), order()))

		_, err := softlayer.NewWriter(c).CreateCancelServerTicket(t.Context(), 1, "x", "y", false)
		var standing *softlayer.DuplicateError
		require.ErrorAs(t, err, &standing)
		assert.Equal(t, int64(28899623), standing.Ticket)
	}
}

// What is recorded of an answer holds no key, moves no terminal's cursor, and is of bounded length.
func TestRecordedAnswerIsBoundedWithoutKey(t *testing.T) {
	t.Parallel()
	v := newVendor(t, says(500, "\x1b[2J\n"+testKey+strings.Repeat("ä", 5000)))
	for _, o := range []cancellation.Outcome{softlayer.NewWriter(v.client(t)).RequestCancellation(t.Context(), order()), softlayer.NewWriter(v.client(t)).AddUpdate(t.Context(), 1, "text")} {
		assert.Equal(t, cancellation.AnswerLost, o.Kind)
		assert.True(t, strings.HasPrefix(o.Raw, "HTTP 500  [2J [key]ä"), o.Raw[:40])
		assert.LessOrEqual(t, len([]rune(o.Raw)), 2001)
		assert.NotContains(t, o.Raw, testKey)
	}
	gone := v.client(t)
	v.Close()
	assert.Empty(t, softlayer.NewWriter(gone).RequestCancellation(t.Context(), order()).Raw, "there was no answer")
}

func TestTheRateLimitSaysHowLongToWait(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "99999999999": 10 * time.Minute, "99999999999999999999": 0, "86400": 10 * time.Minute,
	} {
		v := newVendor(t, reply{status: 429, header: map[string]string{"Retry-After": header}}.write)
		outcome := softlayer.NewWriter(v.client(t)).RequestCancellation(t.Context(), order())
		assert.Equal(t, cancellation.NotMade, outcome.Kind)
		assert.Equal(t, want, outcome.Retry, "Retry-After: %q", header)
	}
}

func TestSoftLayersOwnWordsReachThePerson(t *testing.T) {
	t.Parallel()
	v := newVendor(t, says(500, exception(noRight)))
	outcome := softlayer.NewWriter(v.client(t)).RequestCancellation(t.Context(), order())
	assert.Equal(t, noRight, outcome.Text)

	_, err := softlayer.NewWriter(v.client(t)).CreateCancelServerTicket(t.Context(), 1, "x", "y", false)
	var failed *softlayer.Error
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, "SoftLayer_Ticket/createCancelServerTicket", failed.Method)
	assert.Equal(t, 500, failed.Status)
	assert.Equal(t, "SoftLayer_Exception", failed.Code)
}

func TestCertainRefusalIsNotSent(t *testing.T) {
	t.Parallel()
	v := newVendor(t, says(200, `{"id":153572280}`))
	c := v.client(t)
	for name, k := range map[string]struct {
		change func(*cancellation.Order)
		text   string
	}{
		"no server":           {func(o *cancellation.Order) { o.Server = 0 }, "Attachment id must be provided."},
		"a negative server":   {func(o *cancellation.Order) { o.Server = -1 }, "Attachment id must be provided."},
		"no reason":           {func(o *cancellation.Order) { o.Reason = "" }, noReason},
		"a blank reason":      {func(o *cancellation.Order) { o.Reason = " \u00a0" }, noReason},
		"no content":          {func(o *cancellation.Order) { o.Content = "" }, "Cancellation content description must be provided."},
		"content of no glyph": {func(o *cancellation.Order) { o.Content = "\n\u200b " }, "Cancellation content description must be provided."},
	} {
		o := order()
		k.change(&o)
		assert.Equal(t, cancellation.Outcome{Kind: cancellation.Refused, Text: k.text}, softlayer.NewWriter(c).RequestCancellation(t.Context(), o), name)
	}
	assert.Empty(t, v.received(), "requests that went out")
}

func FuzzNoAnswerIsTakenForATicketUnlessItIsOne(f *testing.F) {
	for _, r := range replies() {
		f.Add(r.status, r.body)
	}
	f.Add(500, exception(duplicate))
	var answer atomic.Pointer[reply]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		now := answer.Load()
		w.WriteHeader(now.status)
		_, _ = io.WriteString(w, now.body) // the client may have left
	}))
	f.Cleanup(server.Close)
	writer := softlayer.NewWriter(newClient(f, softlayer.Options{Endpoint: server.URL + "/rest/v3.1"}))
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || status == 204 || status == 304 {
			return // no status of an answer with a body
		}
		answer.Store(&reply{status: status, body: body})
		made, err := writer.CreateCancelServerTicket(t.Context(), 1, "x", "y", false)
		assert.Equal(t, err == nil, made.ID > 0, "a ticket or an error")
		if err == nil {
			assert.True(t, status < 300, "made with status %d", status)
			var members map[string]json.RawMessage
			require.NoError(t, json.Unmarshal([]byte(body), &members))
			assert.NotContains(t, members, "error")
			return
		}
		var failed *softlayer.Error
		require.ErrorAs(t, err, &failed)
		if status > 299 {
			assert.Equal(t, status, failed.Status)
		}
		assert.LessOrEqual(t, len([]rune(failed.Text)), 301)
		assert.NotContains(t, err.Error(), "\n")
		assert.False(t, errors.Is(err, softlayer.ErrNotSent), "it was sent")
	})
}
