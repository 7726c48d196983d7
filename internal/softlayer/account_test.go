package softlayer_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/softlayer"
)

func TestTheAccount(t *testing.T) {
	t.Parallel()
	v := newVendor(t, inTurn(t, `{"id":307608,"companyName":"acme-prod"}`, `{"companyName":"acme-prod"}`))
	c := v.client(t)
	got, err := c.Account(t.Context())
	require.NoError(t, err)
	assert.Equal(t, cancellation.Account{ID: "307608", Name: "acme-prod"}, got)
	_, err = c.Account(t.Context())
	require.ErrorIs(t, err, softlayer.ErrAnswerLost, "an account without an id")
}

func TestTheRightsOfTheKey(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		answers []string
		want    cancellation.Rights
	}{
		"a master user may do everything and has no list": {
			[]string{`{"id":5,"isMasterUserFlag":1}`},
			cancellation.Rights{Cancel: true, AddTickets: true, EditTickets: true, ViewTickets: true, AllHardware: true},
		},
		"each permission is a right": {
			[]string{`{"id":5,"isMasterUserFlag":false}`, `[{"keyName":"SERVER_CANCEL"},{"keyName":"TICKET_ADD"},{"keyName":"TICKET_EDIT"},{"keyName":"TICKET_VIEW"},{"keyName":"HARDWARE_VIEW"},{"keyName":"ACCESS_ALL_HARDWARE"}]`},
			cancellation.Rights{Cancel: true, AddTickets: true, EditTickets: true, ViewTickets: true, AllHardware: true},
		},
		"another permission is none of them": {
			[]string{`{"id":5}`, `[{"keyName":"SERVICE_CANCEL"},{"keyName":"TICKET_VIEW_ALL"},{"keyName":"server_cancel"}]`},
			cancellation.Rights{},
		},
		"access to all hardware may be a flag of the user": {
			[]string{`{"id":5,"hasFullHardwareAccessFlag":"1"}`, `[{"keyName":"HARDWARE_VIEW"}]`},
			cancellation.Rights{AllHardware: true},
		},
		"access to all hardware without the right to view it sees none": {
			[]string{`{"id":5,"hasFullHardwareAccessFlag":"1"}`, `[{"keyName":"ACCESS_ALL_HARDWARE"}]`},
			cancellation.Rights{},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, inTurn(t, c.answers...))
			got, err := v.client(t).Rights(t.Context())
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			assert.Len(t, v.received(), len(c.answers))
		})
	}
	for _, answers := range [][]string{{`{}`}, {"null"}, {`{"id":5}`, "null"}, {`{"id":5}`, internalError}, {`{"id":5}`, `{}`}} {
		v := newVendor(t, inTurn(t, answers...))
		got, err := v.client(t).Rights(t.Context())
		require.ErrorIs(t, err, softlayer.ErrAnswerLost)
		assert.Zero(t, got)
	}
}

func TestHiddenPermissionsAreARefusedRead(t *testing.T) {
	t.Parallel()
	v := newVendor(t, func(w http.ResponseWriter, got received) {
		if strings.Contains(got.Path, "getCurrentUser") {
			_, _ = io.WriteString(w, `{"id":5}`)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":"Unable to find object with id of '5'.","code":"SoftLayer_Exception_ObjectNotFound"}`)
	})
	_, err := v.client(t).Rights(t.Context())
	require.ErrorIs(t, err, cancellation.ErrReadRefused)
}

func TestCutoffKeepsSoftLayersOffset(t *testing.T) {
	t.Parallel()
	v := newVendor(t, inTurn(t, `"2026-11-28T23:59:59-06:00"`, `"soon"`, `{"date":1}`, "null"))
	c := v.client(t)
	got, err := c.Cutoff(t.Context(), "307608")
	require.NoError(t, err)
	assert.Equal(t, "2026-11-28T23:59:59-06:00", got)
	for range 3 {
		_, err = c.Cutoff(t.Context(), "307608")
		require.ErrorIs(t, err, softlayer.ErrAnswerLost)
	}
	_, err = c.Cutoff(t.Context(), "acme")
	require.Error(t, err)
	assert.Len(t, v.received(), 4, "nothing is asked about an account that is no number")
}
