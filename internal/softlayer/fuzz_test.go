package softlayer

import (
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

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
