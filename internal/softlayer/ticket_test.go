package softlayer_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/softlayer"
)

func TestTicketIsReadWithFirstUpdateAndServers(t *testing.T) {
	t.Parallel()
	v := newVendor(t, says(200, `{"id":7,"serviceProviderResourceId":"CS123","createDate":"2026-11-22T08:03:00-06:00",
		"statusId":1001,"status":{"name":"Open"},"attachedHardware":[{"id":8},{"id":9}],"firstUpdate":{"entry":"why\nand who"}}`))
	got, err := v.client(t).Ticket(t.Context(), 7)
	require.NoError(t, err)
	assert.True(t, got.CreatedAt.Equal(time.Date(2026, 11, 22, 14, 3, 0, 0, time.UTC)))
	got.CreatedAt = time.Time{}
	assert.Equal(t, cancellation.Ticket{
		TicketID: cancellation.TicketID{ID: 7, Number: "CS123"}, Open: true,
		Servers: []int64{8, 9}, ServersRead: true, First: "why\nand who", FirstRead: true,
	}, got)
}

func TestMissingTicketFactsStayUnread(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		body  string
		holds func(cancellation.Ticket) bool
	}{
		"no list of hardware is not read":       {`{"id":7,"statusId":1001}`, func(t cancellation.Ticket) bool { return !t.ServersRead }},
		"a null list of hardware is not read":   {`{"id":7,"statusId":1001,"attachedHardware":null}`, func(t cancellation.Ticket) bool { return !t.ServersRead }},
		"an empty list of hardware is read":     {`{"id":7,"statusId":1001,"attachedHardware":[]}`, func(t cancellation.Ticket) bool { return t.ServersRead }},
		"no first update is not read":           {`{"id":7,"statusId":1001}`, func(t cancellation.Ticket) bool { return !t.FirstRead }},
		"a null first update is not read":       {`{"id":7,"statusId":1001,"firstUpdate":null}`, func(t cancellation.Ticket) bool { return !t.FirstRead }},
		"a first update with no text is unread": {`{"id":7,"statusId":1001,"firstUpdate":{}}`, func(t cancellation.Ticket) bool { return !t.FirstRead }},
		"an empty first update is read":         {`{"id":7,"statusId":1001,"firstUpdate":{"entry":""}}`, func(t cancellation.Ticket) bool { return t.FirstRead }},
		"status 1002 is closed":                 {`{"id":7,"statusId":1002}`, func(t cancellation.Ticket) bool { return !t.Open }},
		"status 1004 is open":                   {`{"id":7,"statusId":1004}`, func(t cancellation.Ticket) bool { return t.Open }},
		"the status may be told by name":        {`{"id":7,"status":{"name":"Closed"}}`, func(t cancellation.Ticket) bool { return !t.Open }},
		"a date that is none is zero":           {`{"id":7,"statusId":1001,"createDate":"yesterday"}`, func(t cancellation.Ticket) bool { return t.CreatedAt.IsZero() }},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, says(200, c.body))
			got, err := v.client(t).Ticket(t.Context(), 7)
			require.NoError(t, err)
			assert.True(t, c.holds(got), "%+v", got)
		})
	}
}

func TestManyLongTicketsAreReadInShortAnswers(t *testing.T) {
	t.Parallel()
	const tickets, entry = 25, 60 << 10 // together more than any answer may be
	v := newVendor(t, func(w http.ResponseWriter, got received) {
		var offset, limit int
		_, err := fmt.Sscanf(got.Limits, "%d,%d", &offset, &limit)
		assert.NoError(t, err)
		var rows []string
		for id := tickets - offset; id > max(tickets-offset-limit, 0); id-- {
			rows = append(rows, row(id, 0, openOf8+`,"firstUpdate":{"entry":"`+strings.Repeat("x", entry)+`"}`))
		}
		_, _ = io.WriteString(w, books(rows...))
	})
	got, err := v.client(t).TicketsOf(t.Context(), 8, since())
	require.NoError(t, err)
	assert.Len(t, got, tickets)
}

func TestARefusedReadIsToldFromAnOutage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status  int
		body    string
		refused bool
	}{
		"the words for a missing right": {500, exception(noRight), true},
		"the class for a missing right": {500, `{"error":"You do not have permission to access this user.","code":"SoftLayer_Exception_PermissionDenied"}`, true},
		"a rate limit":                  {500, `{"error":"Rate limit of 50 requests for every 1 second(s) exceeded.","code":"SoftLayer_Exception_WebService_RateLimitExceeded"}`, false},
		"credentials that are refused":  {401, `{"error":"Access Denied. ","code":"SoftLayer_Exception_Public"}`, false},
		"an internal error":             {500, internalError, false},
		"a page":                        {503, "<html>", false},
		"null":                          {200, "null", false},
		"other words about permission in a server": {500, exception("You do not have permission to this service, or it is down."), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, says(c.status, c.body))
			_, err := v.client(t).TicketsOf(t.Context(), 8, since())
			require.Error(t, err)
			assert.Equal(t, c.refused, errors.Is(err, cancellation.ErrReadRefused), "tickets: %v", err)
			_, err = v.client(t).Rights(t.Context())
			assert.Equal(t, c.refused, errors.Is(err, cancellation.ErrReadRefused), "rights: %v", err)
			_, err = v.client(t).Server(t.Context(), 8)
			assert.Equal(t, c.refused, errors.Is(err, cancellation.ErrReadRefused), "server: %v", err)
		})
	}
}

func TestTicketIsHiddenOnlyOnSoftLayersWord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		hidden bool
	}{
		"not found":         {404, `{"error":"Unable to find object with id of '7'.","code":"SoftLayer_Exception_ObjectNotFound"}`, true},
		"a missing right":   {500, exception(noRight), true},
		"an internal error": {500, internalError, false},
		"another ticket":    {200, `{"id":8,"statusId":1001}`, false},
		"no status":         {200, `{"id":7}`, false},
		"a page":            {404, "<html>", false},
		"null":              {200, "null", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, says(c.status, c.body))
			_, err := v.client(t).Ticket(t.Context(), 7)
			require.Error(t, err)
			assert.Equal(t, c.hidden, errors.Is(err, cancellation.ErrTicketHidden))
			assert.Equal(t, !c.hidden, errors.Is(err, softlayer.ErrAnswerLost))
		})
	}
}

// books writes ticket rows of a page.
func books(rows ...string) string { return "[" + strings.Join(rows, ",") + "]" }

// row is a ticket of server 8 made some days before the 22nd.
func row(id, daysBefore int, more string) string {
	made := time.Date(2026, 11, 22, 12, 0, 0, 0, time.FixedZone("", -6*3600)).AddDate(0, 0, -daysBefore)
	return fmt.Sprintf(`{"id":%d,"createDate":%q%s}`, id, made.Format(time.RFC3339), more)
}

const (
	openOf8   = `,"statusId":1001,"attachedHardware":[{"id":8}]`
	closedOf8 = `,"statusId":1002,"attachedHardware":[{"id":8}]`
)

func since() time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC) }

func TestTicketsOfAServerAreOpenOrRecent(t *testing.T) {
	t.Parallel()
	v := newVendor(t, inTurn(t,
		books(row(20, 40, openOf8), row(21, 0, openOf8)),
		books(
			row(25, 0, closedOf8),
			row(24, 9, closedOf8+`,"lastEditDate":"2026-11-22T11:00:00-06:00"`),
			row(23, 9, closedOf8+`,"lastEditDate":"2026-11-14T11:00:00-06:00"`),
			row(22, 0, `,"statusId":1001,"attachedHardware":[{"id":9}]`),
			row(21, 0, openOf8),
			row(19, 0, `,"statusId":1001`),
			row(18, 0, `,"statusId":1001,"attachedHardware":[]`),
			`{"id":17,"statusId":1002,"attachedHardware":[{"id":8}]}`,
		)))
	got, err := v.client(t).TicketsOf(t.Context(), 8, since())
	require.NoError(t, err)
	var ids []int64
	for _, ticket := range got {
		ids = append(ids, ticket.ID)
	}
	assert.Equal(t, []int64{25, 24, 21, 20, 19, 17}, ids,
		"made since, edited since, open twice, open for long, attached to nobody knows what, made nobody knows when")
}

func page(from, daysBefore int, more string) string {
	var rows []string
	for id := from; id > from-10; id-- {
		rows = append(rows, row(id, daysBefore, more))
	}
	return books(rows...)
}

func TestEveryTicketIsSeenOrTheReadFails(t *testing.T) {
	t.Parallel()
	others := `,"statusId":1001,"attachedHardware":[{"id":9}]`
	for sentence, c := range map[string]struct {
		answers []string
		found   int // -1 for an error
	}{
		"a short page is the last":                                   {[]string{"[]", books(row(5, 0, closedOf8))}, 1},
		"a full page leads to the next":                              {[]string{"[]", page(50, 0, closedOf8), page(40, 0, closedOf8), "[]"}, 20},
		"a page that goes back far enough is the last":               {[]string{"[]", page(50, 3, closedOf8)}, 0},
		"a filter that was ignored does no harm":                     {[]string{"[]", page(50, 0, others), page(40, 3, others)}, 0},
		"pages in no order, where a row may be missed, are too many": {[]string{"[]", strings.Replace(page(50, 3, closedOf8), `"id":50`, `"id":5`, 1)}, -1},
		"one page in no order is all the same":                       {[]string{books(row(5, 0, openOf8), row(6, 0, openOf8)), "[]"}, 2},
		"active tickets are read page by page":                       {[]string{page(50, 0, openOf8), page(40, 0, openOf8), books(row(30, 0, openOf8)), "[]"}, 21},
		"active tickets in no order are too many":                    {[]string{strings.Replace(page(50, 0, openOf8), `"id":50`, `"id":5`, 1)}, -1},
		"five full pages of new tickets are too many":                {[]string{"[]", page(50, 0, others), page(40, 0, others), page(30, 0, others), page(20, 0, others), page(10, 0, others)}, -1},
		"five full pages of active tickets are too many":             {[]string{page(50, 0, openOf8), page(40, 0, openOf8), page(30, 0, openOf8), page(20, 0, openOf8), page(10, 0, openOf8)}, -1},
		"a row without a status":                                     {[]string{"[]", books(row(5, 0, ""))}, -1},
		"a row without an id":                                        {[]string{"[]", `[{"statusId":1001}]`}, -1},
		"null in place of the active tickets":                        {[]string{"null"}, -1},
		"null in place of the account's tickets":                     {[]string{"[]", "null"}, -1},
		"an internal error":                                          {[]string{"[]", internalError}, -1},
		"an object in place of a list":                               {[]string{"[]", `{"id":7}`}, -1},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, inTurn(t, c.answers...))
			got, err := v.client(t).TicketsOf(t.Context(), 8, since())
			assert.Equal(t, c.found < 0, err != nil, "%v", err)
			assert.Equal(t, strings.HasSuffix(sentence, "are too many"), errors.Is(err, cancellation.ErrTooManyTickets))
			assert.Len(t, got, max(c.found, 0))
			assert.Len(t, v.received(), len(c.answers), "calls")
		})
	}
}
