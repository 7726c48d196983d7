//go:build unix

package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// inPlace is a server that can be cancelled, at a place of the fake's account that is a multiple: what
// stands next to a server follows from its place.
func (w *world) inPlace(multiple int) int64 {
	w.t.Helper()
	var ids []int64
	for _, h := range w.atStart() {
		ids = append(ids, h.ID)
	}
	slices.Sort(ids)
	return w.anotherThat(func(h hardware) bool { return slices.Index(ids, h.ID)%multiple == 0 })
}

// cardWith waits until a person's card says so.
func (w *world) cardWith(user, text string) modal {
	w.t.Helper()
	var m modal
	w.eventually("the card says: "+text, func() bool {
		m = w.top(user)
		return strings.Contains(m.text(w), text)
	})
	return m
}

// keptStays is what the bot's database has of what stays billed.
func (w *world) keptStays() (stays, left string) {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	err := db.QueryRowContext(w.t.Context(), `select coalesce(stays, ''), coalesce(left_behind, '') from stays_billed`).Scan(&stays, &left)
	if err != nil {
		return "", ""
	}
	return stays, left
}

// newsBilled is what the requester is owed of what is left behind.
func (w *world) newsBilled() (person, detail string) {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	_ = db.QueryRowContext(w.t.Context(), `select person, detail from news where kind = 'billed'`).Scan(&person, &detail) // none yet
	return person, detail
}

func TestVolumesLeftBehindAreFollowedToTheEnd(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, setup{
		extra: []string{"FOLLOW_EVERY=1s"}, slack: fakeslack.Options{RateLimitsOff: true}, softlayer: fakesoftlayer.Options{Servers: 200},
	})
	server := w.inPlace(24)
	w.form(w.cast.Channel, w.cast.User, server)
	m := w.cardWith(w.cast.User, "Stays, and stays billed: volume IBM02SEL")
	card := m.text(w)
	assert.Contains(t, card, "72.50 USD a month; volume IBM02SEL")
	assert.Contains(t, card, "subnet 100.64.")
	assert.Contains(t, card, "VLAN ")
	assert.Contains(t, card, "Together: 163.00 USD a month.")
	assert.Contains(t, card, "Other services may stay billed: see Billing items.")
	require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error)
	root := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
	assert.Contains(t, root.Shown, "Stays billed: 2 volumes, 2 subnets, 1 VLAN, 163.00 USD a month.")

	w.ticketDoes(server, map[string]any{"do": "approve"})
	w.softlayer.Advance(40 * 24 * time.Hour)
	w.sighted()
	w.awaitMessage(w.cast.Channel, "Gone", w.fqdn(server), "ref ")
	_, left := w.keptStays()
	assert.Contains(t, left, `"Name":"IBM02SEL`)
	person, detail := w.newsBilled()
	assert.Equal(t, w.cast.User, person)
	assert.Equal(t, left, detail)
	all := w.reported()["all"]
	assert.Equal(t, []any{5.0, 0.0, "163.00", 0.0}, []any{all["left_behind"], all["left_behind_servers_not_read"], all["still_billed_a_month_usd"], all["still_billed_cost_unknown"]})
	for _, told := range w.messages(w.cast.Channel) {
		assert.NotContains(t, told.Shown, "IBM02SEL", "channels read counts and sums")
		assert.NotContains(t, told.Shown, "100.64.", "and no address")
	}
	assert.Empty(t, w.broken())
}

func TestASubmissionIsTakenWhileStorageHangs(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportSocket, follows())
	server := w.inPlace(4)
	require.NoError(t, w.softlayer.Fault("SoftLayer_Hardware_Server/getAllowedNetworkStorage", "hang", 1))
	m := w.form(w.cast.Channel, w.cast.User, server)
	assert.Contains(t, m.text(w), "What stays billed is still being read.")
	require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error)
	require.Equal(t, "Recorded", w.top(w.cast.User).Title.Text)
	root := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
	w.eventually("the follower reads what stays", func() bool {
		stays, _ := w.keptStays()
		return strings.Contains(stays, "IBM02SEL")
	})
	assert.Equal(t, "Recorded", w.top(w.cast.User).Title.Text, "what was read later replaces no answer")
	told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server), "Stays billed: ")
	assert.Equal(t, root.TS, told.TS, "the message says the sum once it is known")
	assert.NotContains(t, told.Shown, "IBM02SEL", "and no name")
}

func TestAKeyWithoutStorageSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeslack.TransportHTTP, follows())
	w.control(http.MethodPost, "/key", map[string]any{"revoke": []string{"NAS_MANAGE"}}, nil)
	w.start()
	server := w.inPlace(4)
	w.form(w.cast.Channel, w.cast.User, server)
	m := w.cardWith(w.cast.User, "This key may not see storage: volumes may stay billed.")
	assert.NotContains(t, m.text(w), "no volume")
	require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error)
	root := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
	assert.Contains(t, root.Shown, "This key may not see storage: volumes may stay billed.")
}

func TestAVolumeGivenAwayIsNotLeftBehind(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportSocket, setup{
		extra: []string{"FOLLOW_EVERY=1s"}, slack: fakeslack.Options{RateLimitsOff: true}, softlayer: fakesoftlayer.Options{Servers: 200},
	})
	server := w.inPlace(24)
	w.form(w.cast.Channel, w.cast.User, server)
	m := w.cardWith(w.cast.User, "Together: 163.00 USD a month.")
	require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
	volume := w.counted(`select min(cast(json_extract(i.value, '$.ID') as integer)) from requests, json_each(requests.submission, '$.Card.Stays.Items') i
		where json_extract(i.value, '$.Kind') = 'volume'`)
	w.control(http.MethodPost, "/storage", map[string]any{"volume": volume, "server": w.another()}, nil)

	w.ticketDoes(server, map[string]any{"do": "approve"})
	w.softlayer.Advance(40 * 24 * time.Hour)
	w.sighted()
	w.awaitMessage(w.cast.Channel, "Gone", w.fqdn(server), "ref ")
	_, left := w.keptStays()
	assert.NotContains(t, left, `"Kind":"volume"`, "another server uses it, and its replica goes with it")
	assert.Contains(t, left, `"Kind":"subnet"`)
	assert.Equal(t, 3.0, w.reported()["all"]["left_behind"])
	assert.Empty(t, w.broken())
}
