package softlayer_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/softlayer"
)

// cancelled is an account in which one server's cancellation was asked for.
func cancelled(t *testing.T) (f fake, server, ticket int64) {
	t.Helper()
	f = newFake(t)
	o := f.order()
	outcome := softlayer.NewWriter(f.Client).RequestCancellation(t.Context(), o)
	require.Equal(t, cancellation.Made, outcome.Kind)
	return f, o.Server, outcome.Ticket.ID
}

func TestManyAreFollowedByTwoCalls(t *testing.T) {
	t.Parallel()
	f, server, ticket := cancelled(t)
	f.steer(t, "/staff", fmt.Sprintf(`{"ticket":%d,"do":"approve"}`, ticket))
	servers, err := f.Listed(t.Context(), []int64{server, 1})
	require.NoError(t, err)
	assert.Equal(t, map[int64]bool{server: true}, servers, "one that is not there is left out")
	whole, err := f.Server(t.Context(), server)
	require.NoError(t, err)

	lives, err := f.Lives(t.Context(), []int64{ticket, 1})
	require.NoError(t, err)
	require.Len(t, lives, 1)
	assert.True(t, lives[ticket].Open)
	assert.False(t, lives[ticket].ByStaff)
	assert.Equal(t, map[int64]string{whole.Billing.ID: whole.Billing.CancellationDate}, lives[ticket].Cancels)
	before := lives[ticket].Last
	require.NotNil(t, lives[ticket].Awaits)
	assert.False(t, *lives[ticket].Awaits)

	f.steer(t, "/staff", fmt.Sprintf(`{"ticket":%d,"do":"answer","text":"Which contract?","waits_for_customer":true}`, ticket))
	lives, err = f.Lives(t.Context(), []int64{ticket})
	require.NoError(t, err)
	assert.True(t, *lives[ticket].Awaits, "in the same call")
	assert.True(t, lives[ticket].ByStaff)
	assert.WithinDuration(t, time.Now(), lives[ticket].LastAt, time.Minute)

	f.steer(t, "/staff", fmt.Sprintf(`{"ticket":%d,"do":"close","text":"Call 555-0100."}`, ticket))
	lives, err = f.Lives(t.Context(), []int64{ticket})
	require.NoError(t, err)
	assert.False(t, lives[ticket].Open)
	assert.Greater(t, lives[ticket].Last, before)
	updates, err := f.Updates(t.Context(), ticket)
	require.NoError(t, err)
	assert.Contains(t, updates, cancellation.TicketUpdate{ID: lives[ticket].Last, ByStaff: lives[ticket].ByStaff})
	assert.True(t, updates[0].ByOther, "the ticket's own text")

	entries, err := f.Entries(t.Context(), ticket)
	require.NoError(t, err)
	require.Len(t, entries, len(updates))
	var said []string
	for _, entry := range entries {
		said = append(said, entry.Text)
		assert.WithinDuration(t, time.Now(), entry.At, time.Minute)
		assert.Equal(t, entry.Text == "Call 555-0100." || entry.Text == "Which contract?", entry.ByStaff)
	}
	assert.Contains(t, said, "Call 555-0100.")
}

func TestStandingCancellationRequestsAreRead(t *testing.T) {
	t.Parallel()
	f, server, ticket := cancelled(t)
	whole, err := f.Server(t.Context(), server)
	require.NoError(t, err)
	named, err := f.Cancelled(t.Context(), time.Now())
	require.NoError(t, err)
	assert.True(t, named[whole.Billing.ID])

	f.steer(t, "/staff", fmt.Sprintf(`{"ticket":%d,"do":"close"}`, ticket))
	named, err = f.Cancelled(t.Context(), time.Now())
	require.NoError(t, err)
	assert.False(t, named[whole.Billing.ID], "staff closed the ticket instead")
}

func TestAKeyWithoutRightsLearnsNothing(t *testing.T) {
	t.Parallel()
	f, server, ticket := cancelled(t)
	f.steer(t, "/key", `{"revoke":["ACCOUNT_SUMMARY_VIEW","TICKET_VIEW","HARDWARE_VIEW"]}`)
	_, err := f.Cancelled(t.Context(), time.Now())
	require.ErrorIs(t, err, cancellation.ErrReadRefused)
	servers, err := f.Listed(t.Context(), []int64{server})
	if err == nil {
		assert.Empty(t, servers)
	}
	lives, err := f.Lives(t.Context(), []int64{ticket})
	if err == nil {
		assert.Empty(t, lives)
	}
	rights, err := f.Rights(t.Context())
	require.NoError(t, err)
	assert.False(t, rights.AllHardware, "not found may be hidden")
}

func TestAListHoldsOnlyWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	c := newVendor(t, says(http.StatusOK, `[{"id":7,"statusId":1001},{"id":8,"statusId":1001}]`)).client(t)
	_, err := c.Listed(t.Context(), []int64{7})
	require.ErrorIs(t, err, softlayer.ErrAnswerLost, "SoftLayer ignored the filter")
	_, err = c.Lives(t.Context(), []int64{7})
	require.ErrorIs(t, err, softlayer.ErrAnswerLost)
	c = newVendor(t, says(http.StatusOK, `[]`)).client(t)
	_, err = c.Cancelled(t.Context(), time.Now())
	require.ErrorIs(t, err, cancellation.ErrReadRefused, "an empty list may be hidden")
}
