//go:build unix

package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// changesPolicy has another policy come into force alongside a running bot.
func (w *world) changesPolicy(text string) {
	w.t.Helper()
	_, said := w.readyz()
	before := said.Policy.Digest
	require.NoError(w.t, os.WriteFile(w.dir+"/policy.cedar", []byte(text), 0o600))
	w.eventually("the changed policy is in force", func() bool {
		_, said := w.readyz()
		return said.Policy.Digest != before && len(said.Policy.Refused) == 0
	})
}

func TestPolicyFileIsReloadedUnlessBroken(t *testing.T) {
	overHTTP(t, setup{before: func(w *world) {
		w.extra = []string{"NOTIFY_CHANNEL=" + w.cast.Channel}
	}}, func(t *testing.T, w *world) {
		opens := func(user string) bool {
			before := w.hasOpen(user)
			require.Empty(t, w.command(user, "").Error)
			return w.hasOpen(user) > before
		}
		_, said := w.readyz()
		first := said.Policy.Digest
		// While a policy's groups are being read, a form opens, and its submission decides.
		w.eventually("the approver may not ask", func() bool { return !opens(w.cast.Approver) })

		require.NoError(t, os.WriteFile(w.dir+"/policy.cedar", []byte(`@id("broken") permit (principal, action, resurce);`), 0o600))
		w.awaitMessage(w.cast.Channel, "The changed policy is not in force", "policy.cedar:1:")
		status, said := w.readyz()
		assert.Equal(t, http.StatusOK, status, "the policy before still decides")
		assert.Equal(t, first, said.Policy.Digest)
		require.Len(t, said.Policy.Refused, 1)
		w.eventually("the log says so too", func() bool { return strings.Contains(w.child.log.String(), "the changed policy file is refused") })
		assert.False(t, opens(w.cast.Approver))

		w.changesPolicy(fmt.Sprintf(`@id("leads") permit (principal in Group::%q, action in [Action::"request", Action::"cancel"], resource);`, w.cast.ApproveGroup))
		w.awaitMessage(w.cast.Channel, "The policy file is in order again", "It is in force now.")
		w.eventually("whom the policy before let ask is refused", func() bool { return !opens(w.cast.Requester) })
		w.accepted(w.cast.Channel, w.cast.Approver, w.server)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.tickets(w.server), 1)
	})
}
