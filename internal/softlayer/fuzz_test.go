package softlayer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/billed"
)

// FuzzAnswer holds that no answer of SoftLayer's makes reading it panic, that money is a number or unknown,
// and that an error holds one line of bounded length.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"id":1234,"fullyQualifiedDomainName":"db.example.com","hostname":"db","domain":"example.com","hourlyBillingFlag":false,
		"tagReferences":[{"tag":{"name":"prod"}}],"datacenter":{"name":"dal10"},"openCancellationTicket":{"id":7,"serviceProviderResourceId":"CS1"},
		"billingItem":{"id":9,"recurringFee":"12.50","nextBillDate":"2027-01-01T00:00:00-06:00","activeChildren":[{"id":1,"recurringFee":".1"}]}}`,
		`{"id":"12","hourlyBillingFlag":"1","domain":null,"operatingSystem":[],"activeTransaction":null,"tagReferences":null}`,
		`{"error":"You do not have permission to cancel.","code":"SoftLayer_Exception_Public"}`,
		`[{"id":1,"createDate":"2026-11-29T10:00:00+01:00","status":{"name":"Open"},"firstUpdate":{"entry":"[cancel-server 7F3K-2QXD 7F3K2QXD00000000000000000A]"}}]`,
		`{"recurringFee":1e400}`, `"text"`, "\x00", `{"id":9223372036854775808}`,
	} {
		f.Add(500, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		var h hardware
		if json.Unmarshal(body, &h) == nil {
			s := h.server()
			isMoney(t, s.MonthlyFee())
			_, _, _ = h.unread(), h.hidden(), h.system()
		}
		var row ticketRow
		if json.Unmarshal(body, &row) == nil {
			_, _ = row.ticket()
			row.mayBeAbout(1234)
		}
		var beside []volumeRow
		if json.Unmarshal(body, &beside) == nil {
			for _, v := range beside {
				billed.Judge(billed.Facts{Server: 1234, Volumes: []billed.VolumeFacts{v.facts(true)}})
			}
		}
		if madeUpdates(body) {
			assert.Regexp(t, `(?i)^\s*\[[\s\S]*("id"|\\)`, string(body), "a text is written if SoftLayer names its update")
		}
		err := classify(status, http.Header{}, body)
		if err == nil {
			return
		}
		assert.NotContains(t, err.Error(), "\n")
		assert.LessOrEqual(t, len([]rune(err.Text)), 301)
		var failed *Error
		assert.True(t, errors.As(error(err), &failed))
	})
}

func isMoney(t *testing.T, amount string) {
	t.Helper()
	if amount == "" {
		return
	}
	_, is := new(big.Rat).SetString(amount)
	assert.True(t, is && !strings.ContainsAny(amount, "eE/"), "%q", amount)
}

// canned is a SoftLayer that answers every call alike, and counts them.
type canned struct {
	status int
	body   []byte
	calls  *atomic.Int64
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	c.calls.Add(1)
	header := http.Header{"Content-Type": {"application/json"}, "Softlayer-Total-Items": {"3"}}
	return &http.Response{StatusCode: c.status, Header: header, Body: io.NopCloser(bytes.NewReader(c.body)), Request: r}, nil
}

var since = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// few lets a read of many pages go on for so many of them.
func few() func(context.Context) error {
	left := 20
	return func(context.Context) error {
		if left--; left < 0 {
			return errors.New("enough")
		}
		return nil
	}
}

// reads are the calls that read, but those of one server and its tickets, which [FuzzAnswer] has.
var reads = map[string]func(context.Context, *Client) error{
	"account":       func(ctx context.Context, c *Client) error { _, err := c.Account(ctx); return err },
	"rights":        func(ctx context.Context, c *Client) error { _, err := c.Rights(ctx); return err },
	"server":        func(ctx context.Context, c *Client) error { _, err := c.Server(ctx, 1234); return err },
	"open ticket":   func(ctx context.Context, c *Client) error { _, err := c.OpenCancellationTicket(ctx, 1234); return err },
	"namesakes":     func(ctx context.Context, c *Client) error { _, err := c.Namesakes(ctx, "db"); return err },
	"ticket":        func(ctx context.Context, c *Client) error { _, err := c.Ticket(ctx, 7); return err },
	"tickets":       func(ctx context.Context, c *Client) error { _, err := c.TicketsOf(ctx, 1234, since); return err },
	"search":        func(ctx context.Context, c *Client) error { _, err := c.Search(ctx, "db", 10); return err },
	"servers":       func(ctx context.Context, c *Client) error { _, _, err := c.Servers(ctx, 0, 50); return err },
	"tags":          func(ctx context.Context, c *Client) error { _, _, err := c.Tags(ctx, 0, 50); return err },
	"tagged":        func(ctx context.Context, c *Client) error { _, _, err := c.Tagged(ctx, 1, 0, 50); return err },
	"pods":          func(ctx context.Context, c *Client) error { _, err := c.Pods(ctx); return err },
	"costs":         func(ctx context.Context, c *Client) error { _, err := c.Costs(ctx, []int64{1234}); return err },
	"listed":        func(ctx context.Context, c *Client) error { _, err := c.Listed(ctx, []int64{1234}); return err },
	"lives":         func(ctx context.Context, c *Client) error { _, err := c.Lives(ctx, []int64{7}); return err },
	"updates":       func(ctx context.Context, c *Client) error { _, err := c.Updates(ctx, 7); return err },
	"entries":       func(ctx context.Context, c *Client) error { _, err := c.Entries(ctx, 7); return err },
	"cancelled":     func(ctx context.Context, c *Client) error { _, err := c.Cancelled(ctx, since); return err },
	"cancellations": func(ctx context.Context, c *Client) error { _, err := c.Cancellations(ctx, since, few()); return err },
	"beside":        func(ctx context.Context, c *Client) error { _, err := c.Beside(ctx, 1234, few()); return err },
	"still billed":  func(ctx context.Context, c *Client) error { _, err := c.StillBilled(ctx, []int64{9}); return err },
}

// FuzzReads holds that no answer of SoftLayer's makes a read panic or go on for ever, that one which is no JSON is
// an error and never "none", and that no error has the key.
func FuzzReads(f *testing.F) {
	for _, body := range []string{
		`[{"id":1,"name":"dal09.pod03","datacenterName":"dal09","backendRouterId":5,"capabilities":["CLOSURE_ANNOUNCED"]}]`,
		`[{"id":7,"createDate":"2026-11-29T10:00:00+01:00","entry":"x","editorType":"EMPLOYEE","ticketId":7,"status":{"name":"Closed"}}]`,
		`[{"id":9,"billingItem":{"id":9,"cancellationDate":"2026-12-01T00:00:00-06:00","recurringFee":"12.5"},"hardware":[{"id":1234}],"networkVlan":{"id":3}}]`,
		`{"id":1234,"hostname":"db","domain":"example.com","networkVlans":[{"id":3,"primarySubnets":[{"id":4}]}],"allowedNetworkStorage":[{"id":5,"allowedHardware":[{"id":1234}]}]}`,
		`[]`, `{}`, `null`, `"x"`, `[null]`, `[[[]]]`, `{"error":"x","code":"SoftLayer_Exception_ObjectNotFound"}`, "\xff", ``, `[{"id":"1"},{"id":-1},{"id":1.5}]`,
	} {
		f.Add(http.StatusOK, []byte(body))
	}
	f.Add(http.StatusNotFound, []byte(`{"error":"Unable to find object","code":"SoftLayer_Exception_ObjectNotFound"}`))
	f.Add(http.StatusTooManyRequests, []byte(`{"error":"slow down"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 || status/100 == 3 {
			return
		}
		for name, read := range reads {
			c, err := New(Options{Endpoint: "https://softlayer.example.com/rest/v3.1", APIKey: "planted-0123456789"})
			require.NoError(t, err)
			var calls atomic.Int64
			c.reads = &http.Client{Transport: canned{status, body, &calls}}
			err = read(t.Context(), c)
			assert.LessOrEqual(t, calls.Load(), int64(200), "%s asks on and on", name)
			if status == http.StatusOK && !json.Valid(body) {
				assert.Error(t, err, "%s: %q is taken for an answer", name, body)
			}
			if err != nil && !bytes.Contains(body, []byte("planted")) {
				assert.NotContains(t, err.Error(), "planted", name)
			}
		}
	})
}
