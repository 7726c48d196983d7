//go:build unix

package main

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakesoftlayer"
)

func TestEarlierChoiceNeverReplacesALaterCard(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		slow, quick := w.another(), w.another()
		w.command(w.cast.User, "")
		require.NoError(t, w.softlayer.Fault("SoftLayer_Hardware_Server/getObject", "slow", 1))
		w.pick(w.cast.User, option(strconv.FormatInt(slow, 10)))
		w.pick(w.cast.User, option(strconv.FormatInt(quick, 10)))
		w.awaitCard(w.cast.User, quick)
		w.eventually("the slow card is read", func() bool { return w.lookedAt(slow) })
		require.NotContains(t, w.top(w.cast.User).text(w), w.fqdn(slow))

		m := w.top(w.cast.User)
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, quick)).Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(quick))
		assert.Empty(t, w.postsFor(slow))
		assert.NotContains(t, w.top(w.cast.User).text(w), w.fqdn(slow))
	})
}

func TestSubmissionBeforeItsCardFilesNothing(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		first, later := w.another(), w.another()
		m := w.form(w.cast.Channel, w.cast.User, first)
		values := w.usual(m, first)
		id := strconv.FormatInt(later, 10)
		values["server"] = map[string]map[string]any{"choose": {"selected_option": option(id)}}
		require.NoError(t, w.softlayer.Fault(reading, "slow", 2)) // for the choice, and for the submission
		w.pick(w.cast.User, option(id))
		require.NotContains(t, w.top(w.cast.User).Raw, "confirm:"+id, "its card has not come")
		told := w.fieldErrors(w.submit(w.cast.User, m, values))
		assert.Contains(t, told["server"], "Nothing was filed")
		assert.Empty(t, w.recorded())

		fresh := w.awaitCard(w.cast.User, later)
		block, action, _ := fresh.field("confirm:")
		assert.Empty(t, fresh.State.Values[block][action].Value, "the name typed for the first server counts for nothing")
		told = w.fieldErrors(w.submit(w.cast.User, fresh, w.fill(fresh, "No longer needed", "Replaced.", w.fqdn(first))))
		assert.Contains(t, told[block], w.fqdn(later))
		require.Empty(t, w.submit(w.cast.User, fresh, w.usual(fresh, later)).Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(later))
		assert.Len(t, w.tickets(later), 1)
		assert.Empty(t, w.postsFor(first))
		assert.Len(t, w.posts(), 1)
	})
}

func aNamedServerIsChosen(t *testing.T, w *world) {
	h := w.hardware(w.which("a public address", func(h hardware) bool {
		return h.PrimaryIPAddress != "" && len(w.called(h.Hostname)) == 1 && h.OpenCancellationTicket == nil &&
			h.ActiveTransaction == nil && h.BillingItem != nil && h.BillingItem.Allowed == 1 && !h.BillingItem.Pending && h.BillingItem.Agreement == nil && !h.Disconnected
	}))
	for _, name := range []string{
		strconv.FormatInt(h.ID, 10), h.Hostname, h.FullyQualifiedDomainName,
		strings.ToUpper(h.FullyQualifiedDomainName), h.PrimaryIPAddress, h.PrimaryBackendIPAddress,
	} {
		require.Empty(t, w.command(w.cast.User, name).Error)
		m := w.awaitCard(w.cast.User, h.ID)
		assert.Equal(t, strconv.FormatInt(h.ID, 10), m.State.Values["server"]["choose"].Selected.Value, "%s chooses it", name)
		shown := m.text(w)
		assert.Contains(t, shown, h.FullyQualifiedDomainName)
		assert.Contains(t, shown, "id "+strconv.FormatInt(h.ID, 10))
		assert.Contains(t, shown, "private "+h.PrimaryBackendIPAddress)
	}
}

func anAmbiguousNameChoosesNone(t *testing.T, w *world) {
	twin := w.hardware(w.which("a twin", func(h hardware) bool { return len(w.called(h.Hostname)) == 2 }))
	for _, name := range []struct{ typed, told string }{
		{twin.Hostname, "2 servers are called " + twin.Hostname},
		{"nowhere-at-all", "No server is called exactly nowhere-at-all"},
		{"<!channel>", "No server is called exactly <!channel>"},
	} {
		require.Empty(t, w.command(w.cast.User, name.typed).Error)
		var m modal
		w.eventually("the form for "+name.typed, func() bool {
			m = w.top(w.cast.User)
			_, _, found := m.field("server")
			return found
		})
		assert.Contains(t, m.text(w), name.told)
		assert.NotContains(t, m.Raw, "card:", "no server is chosen")
		assert.NotContains(t, markdownIn(t, m.Raw), "<!channel>")
	}
}

func theTypeaheadFinds(t *testing.T, w *world) {
	h := w.hardware(w.another())
	w.command(w.cast.User, "")
	short, _, _ := strings.Cut(h.Hostname, "-")
	for _, typed := range []string{
		strconv.FormatInt(h.ID, 10), h.PrimaryBackendIPAddress, h.Hostname,
		h.FullyQualifiedDomainName, h.Hostname[len(short)+1:], h.Hostname + ".exam",
	} {
		ids, options := w.look(w.cast.User, typed)
		require.Contains(t, ids, h.ID, "%q finds it", typed)
		label, _ := json.Marshal(options)
		assert.Contains(t, string(label), h.FullyQualifiedDomainName)
	}
	network := h.PrimaryBackendIPAddress[:strings.LastIndex(h.PrimaryBackendIPAddress, ".")+2]
	ids, _ := w.look(w.cast.User, network)
	assert.NotEmpty(t, ids, "the beginning of an address finds servers")
	for _, id := range ids {
		found := w.hardware(id)
		assert.True(t, strings.HasPrefix(found.PrimaryIPAddress, network) || strings.HasPrefix(found.PrimaryBackendIPAddress, network))
	}
	twin := w.hardware(w.which("a twin", func(h hardware) bool { return len(w.called(h.Hostname)) == 2 }))
	_, options := w.look(w.cast.User, twin.Hostname)
	offered, _ := json.Marshal(options)
	for _, h := range w.called(twin.Hostname) {
		assert.Contains(t, string(offered), h.FullyQualifiedDomainName, "of two servers of one name each shows its domain")
	}
	for _, nonsense := range []string{"~ .*", "*= web", "> 1", "no-such-server", w.softlayer.VirtualServer()} {
		ids, _ := w.look(w.cast.User, nonsense)
		assert.Empty(t, ids, "%q finds nothing", nonsense)
	}
}

func theTypeaheadFindsByTag(t *testing.T, w *world) {
	w.command(w.cast.User, "")
	var ids []int64
	w.eventually("servers are offered by their tag", func() bool { // once all are read, a moment after the start
		ids, _ = w.look(w.cast.User, "protected")
		return len(ids) > 0
	})
	for _, id := range ids {
		assert.True(t, w.hardware(id).tagged("protected"), "server %d", id)
	}
}

func aVirtualServerIsCalledSo(t *testing.T, w *world) {
	name := w.softlayer.VirtualServer()
	short, _, _ := strings.Cut(name, ".")
	for _, typed := range []string{name, strings.ToUpper(short)} {
		require.Empty(t, w.command(w.cast.User, typed).Error)
		var m modal
		w.eventually("the form for "+typed, func() bool {
			m = w.top(w.cast.User)
			_, _, found := m.field("server")
			return found
		})
		assert.Contains(t, m.text(w), typed+" is a virtual server; this bot handles bare metal only.")
		assert.NotContains(t, m.Raw, "card:", "no server is chosen")
	}
}

func whatBlocksStops(t *testing.T, w *world) {
	blockers := []struct {
		name string
		has  func(hardware) bool
		told string
	}{
		{"an open ticket", func(h hardware) bool { return h.OpenCancellationTicket != nil }, "is already open"},
		{"a running transaction", func(h hardware) bool { return h.ActiveTransaction != nil }, "a transaction is running (OS Reload)"},
		{"no billing item", func(h hardware) bool { return h.BillingItem == nil }, "SoftLayer shows this key no billing item for the server"},
		{"a pending cancellation", func(h hardware) bool { return h.BillingItem != nil && h.BillingItem.Pending }, "SoftLayer has already recorded its cancellation"},
		{"a contract term", func(h hardware) bool { return h.BillingItem != nil && h.BillingItem.Agreement != nil }, "its contract runs until "},
		{"a billing item that cannot be cancelled", func(h hardware) bool { return h.BillingItem != nil && h.BillingItem.Allowed == 0 }, "does not let its billing item be cancelled"},
		{"a disconnection", func(h hardware) bool { return h.Disconnected }, "because its network is disconnected"},
	}
	for _, blocker := range blockers {
		server := w.which(blocker.name, blocker.has)
		before := len(w.tickets(server))
		m := w.blockedForm(w.cast.User, server)
		assert.Contains(t, m.text(w), "Cannot be cancelled here: ", blocker.name)
		assert.Contains(t, m.text(w), blocker.told)
		if open := w.hardware(server).OpenCancellationTicket; open != nil {
			assert.Contains(t, m.text(w), w.url+"/softlayer/tickets/"+strconv.FormatInt(open.ID, 10), "the link to the ticket")
		}
		told := w.fieldErrors(w.submit(w.cast.User, m, w.usual(m, server)))
		assert.Contains(t, told["server"], blocker.told)
		assert.Contains(t, told["server"], "Nothing was filed.")
		assert.Len(t, w.tickets(server), before, blocker.name)
		assert.Empty(t, w.postsFor(server), blocker.name)
	}
}

func anotherChoiceShowsItsCard(t *testing.T, w *world) {
	server, other := w.another(), w.another()
	m := w.form(w.cast.Channel, w.cast.User, server)
	values := w.usual(m, server)
	values["server"] = map[string]map[string]any{"choose": {"selected_option": option(strconv.FormatInt(other, 10))}}
	require.Empty(t, w.submit(w.cast.User, m, values).Error)
	fresh := w.awaitCard(w.cast.User, other)
	assert.Contains(t, fresh.text(w), "This card was read just now: check it")
	assert.Contains(t, fresh.text(w), w.fqdn(other))
	block, action, _ := fresh.field("confirm:")
	assert.Empty(t, fresh.State.Values[block][action].Value, "the name typed for the first server counts for nothing")
	assert.Empty(t, w.postsFor(server))
	assert.Empty(t, w.postsFor(other))

	require.Empty(t, w.submit(w.cast.User, fresh, w.usual(fresh, other)).Error)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(other))
	assert.Len(t, w.tickets(other), 1)
	assert.Empty(t, w.tickets(server))
}

func aServerNeverOffered(t *testing.T, w *world) {
	server := w.another()
	for _, forged := range []struct{ value, told string }{
		{"999999999", "SoftLayer has no such server, or this key may not see it."},
		{"-1", "Choose a server from the list."},
		{"1 or 1=1", "Choose a server from the list."},
		{"0" + strconv.FormatInt(server, 10), "Choose a server from the list."},
	} {
		m := w.form(w.cast.Channel, w.cast.User, server)
		values := w.usual(m, server)
		values["server"] = map[string]map[string]any{"choose": {"selected_option": option(forged.value)}}
		told := w.fieldErrors(w.submit(w.cast.User, m, values))
		assert.Contains(t, told["server"], forged.told, forged.value)
		assert.Contains(t, told["server"], "Nothing was filed", forged.value)
	}
	assert.Empty(t, w.postsFor(server))
}

// lookedAt reports whether SoftLayer has answered for a server's host name, which is
// the last that a card needs.
func (w *world) lookedAt(server int64) bool {
	w.t.Helper()
	name := w.hardware(server).Hostname
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.sl, func(e fakesoftlayer.Exchange) bool {
		return e.Method == "SoftLayer_Account/getHardware" && strings.Contains(e.Query, name)
	})
}
