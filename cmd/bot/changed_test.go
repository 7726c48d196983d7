//go:build unix

package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakesoftlayer"
)

func TestServerThatChangedBeforeApprovalIsNotFiled(t *testing.T) {
	overSocket(t, setup{softlayer: fakesoftlayer.Options{Servers: 200}}, func(t *testing.T, w *world) {
		for _, c := range []struct {
			name   string
			change map[string]any
			told   string
		}{
			{"renamed", map[string]any{"hostname": "renamed", "fullyQualifiedDomainName": "renamed.example.com"}, "changed since its card was read: name"},
			{"reinstalled", map[string]any{"provisionDate": "2026-01-02T03:04:05-06:00"}, "changed since its card was read: provision date"},
			{"another billing item", map[string]any{"billingItem": map[string]any{"id": 499_000_001}}, "changed since its card was read: billing item"},
			{"another fee", map[string]any{"billingItem": map[string]any{"recurringFee": "9999.5"}}, "changed since its card was read: recurring fee"},
			{"retagged", map[string]any{"tagReferences": []any{map[string]any{"tag": map[string]any{"name": "keep"}}}}, "changed since its card was read: tags"},
			{"another address", map[string]any{"primaryBackendIpAddress": "10.9.8.7"}, "changed since its card was read: private address"},
			{"a transaction begins", map[string]any{
				"activeTransaction": map[string]any{"id": 1, "transactionStatus": map[string]any{"name": "RELOAD", "friendlyName": "Reload"}},
			}, "a transaction is running"},
			{"a transaction has run", map[string]any{
				"lastTransaction": map[string]any{"createDate": w.softlayer.Now().Format(time.RFC3339), "transactionGroup": map[string]any{"name": "Hardware Swap"}},
			}, "a transaction has run on it"},
			{"a contract begins", map[string]any{"billingItem": map[string]any{"activeAgreement": map[string]any{"id": 1}}}, "it is under contract"},
			{"its cancellation is pending", map[string]any{"billingItem": map[string]any{"pendingCancellationFlag": true}}, "SoftLayer has already recorded its cancellation"},
			{"cancelled elsewhere", nil, "Already requested"},
		} {
			t.Run(c.name, func(t *testing.T) {
				w, server := w.in(t), w.another()
				name, waits := w.fqdn(server), w.asksFor(server)
				if c.change != nil {
					w.patch(server, c.change)
				} else {
					w.control(http.MethodPost, "/ticket", map[string]any{"server": server, "open": true, "entry": "By staff."}, nil)
				}
				w.press(w.cast.Approver, waits, "approve")
				told := w.awaitMessage(w.cast.Channel, c.told, name)
				assert.Equal(t, waits.TS, told.TS)
				assert.Empty(t, w.postsFor(server))
			})
		}
		t.Run("an associated item comes up while they are to go too", func(t *testing.T) {
			w := w.in(t)
			server := w.anotherThat(func(h hardware) bool { return len(h.BillingItem.Associated) == 1 })
			waits := w.asksForItemsToo(server)
			w.addsItem(server)
			w.press(w.cast.Approver, waits, "approve")
			w.awaitMessage(w.cast.Channel, "changed since its card was read: associated items", w.fqdn(server))
			assert.Empty(t, w.postsFor(server))
		})
		t.Run("an associated item comes up while they stay", func(t *testing.T) {
			w := w.in(t)
			server := w.anotherThat(func(h hardware) bool { return len(h.BillingItem.Associated) == 1 })
			waits := w.asksFor(server)
			w.addsItem(server)
			w.press(w.cast.Approver, waits, "approve")
			w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
			assert.Len(t, w.tickets(server), 1, "what stays is not what was asked for")
		})
		assert.Equal(t, map[string]int{"rejected": 11, "duplicate": 1, "filed": 1}, w.recorded())
		assert.Len(t, w.posts(), 1)
	})
}

func (w *world) asksForItemsToo(server int64) message {
	w.t.Helper()
	m := w.form(w.cast.Channel, w.cast.Requester, server)
	values := w.usual(m, server)
	block, action, found := m.field("associated:")
	require.True(w.t, found, "the form asks about associated items")
	values[block] = map[string]map[string]any{action: {"selected_options": []any{option("too")}}}
	require.Empty(w.t, w.submit(w.cast.Requester, m, values).Error)
	return w.awaitMessage(w.cast.Channel, "Waiting for approval", w.fqdn(server), "Its associated items go too")
}

func (w *world) addsItem(server int64) {
	w.t.Helper()
	items := []any{map[string]any{"id": 499_000_002, "description": "Portable storage 9", "categoryCode": "evault", "recurringFee": "49"}}
	for _, item := range w.hardware(server).BillingItem.Associated {
		items = append(items, item)
	}
	w.patch(server, map[string]any{"billingItem": map[string]any{"activeAssociatedChildren": items}})
}
