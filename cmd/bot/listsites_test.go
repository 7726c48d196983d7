//go:build unix

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func inFra02(h hardware) bool    { return h.Datacenter.Name == "fra02" }
func notInFra02(h hardware) bool { return !inFra02(h) }

// namedThat are servers with a property, so many, and their names as people paste them.
func (w *world) namedThat(count int, has func(hardware) bool) (ids []int64, names string) {
	w.t.Helper()
	for range count {
		ids = append(ids, w.anotherThat(has))
		names += w.fqdn(ids[len(ids)-1]) + "\n"
	}
	return ids, names
}

// ofTwoSites is a policy by which other people approve in fra02 than elsewhere.
func ofTwoSites(w *world) {
	w.policy = fmt.Sprintf(`
@id("ask") permit (principal in Group::%q, action == Action::"request", resource);
@id("leads") permit (principal in Group::%q, action == Action::"approve", resource) unless { resource.datacenter == "fra02" };
@id("fra-leads") permit (principal in Group::%q, action == Action::"approve", resource) when { resource.datacenter == "fra02" };
`, w.cast.RequestGroup, w.cast.ApproveGroup, w.cast.CancelGroup)
}

func TestApproversOfTwoSitesShareAList(t *testing.T) {
	s := lists()
	s.before = ofTwoSites
	overHTTP(t, s, func(t *testing.T, w *world) {
		elsewhere, names := w.namedThat(4, notInFra02)
		fra, more := w.namedThat(2, inFra02)
		review := w.pasted(w.cast.Requester, more+names, 6)
		require.Empty(t, w.confirms(w.cast.Requester, review, "6 servers").Error)
		waits := w.awaitMessage(w.cast.Channel, "6 waiting for approval")

		w.press(w.cast.Approver, waits, "batch-approve")
		form := w.top(w.cast.Approver)
		require.Equal(t, "Approve 4", form.Title.Text)
		assert.Contains(t, form.text(w), "2 more in fra02 wait for somebody else's approval.")
		for _, server := range fra {
			assert.NotContains(t, form.Raw, w.fqdn(server))
		}
		require.Empty(t, w.says(w.cast.Approver, nil).Error)
		partly := w.awaitMessage(w.cast.Channel, "Asked for 6 servers · 4 filed · 2 waiting for approval", " approved 4 of 6.", "2 in fra02 wait for another approval.", "Who may approve: @server-cancellers.")
		assert.Equal(t, waits.TS, partly.TS)
		w.filedOnce(elsewhere...)
		assert.Len(t, w.posts(), 4, "nothing is filed in fra02")
		w.press(w.cast.Approver, partly, "batch-approve")
		w.whispered(w.cast.Channel, w.cast.Approver, "You may not approve any of these")

		w.press(w.cast.User, partly, "batch-approve")
		require.Equal(t, "Approve 2", w.top(w.cast.User).Title.Text)
		require.Empty(t, w.says(w.cast.User, nil).Error)
		told := w.awaitMessage(w.cast.Channel, "Cancellation requested for 6 servers.")
		assert.Equal(t, waits.TS, told.TS)
		w.filedOnce(fra...)
		for server, by := range map[int64]string{fra[0]: w.cast.User, elsewhere[0]: w.cast.Approver} {
			assert.Contains(t, w.tickets(server)[0].FirstUpdate.Entry, "(Slack user "+by)
		}
		assert.Len(t, w.posts(), 6)
		assert.Empty(t, w.broken())
	})
}

// renames has a server called otherwise at SoftLayer.
func (w *world) renames(server int64, hostname string) {
	w.t.Helper()
	w.patch(server, map[string]any{"hostname": hostname, "domain": "example.com", "fullyQualifiedDomainName": hostname + ".example.com"})
}

func TestServerRenamedDuringTheReviewStays(t *testing.T) {
	overHTTP(t, lists(), func(t *testing.T, w *world) {
		ids, names := w.some(4)
		review := w.pasted(w.cast.User, names, 4)
		w.renames(ids[1], "renamed-001")
		require.Empty(t, w.confirms(w.cast.User, review, "4 servers").Error)
		told := w.awaitMessage(w.cast.Channel, "Cancellation requested for 3 of 4 servers. 1 not filed.")
		assert.Regexp(t, "The server has changed since its card was read: .*name.*: "+w.fqdn(ids[1]), told.Shown)
		assert.Empty(t, w.postsFor(ids[1]), "nothing is filed for a server that is called otherwise")
		assert.Empty(t, w.tickets(ids[1]))
		w.filedOnce(ids[0], ids[2], ids[3])
		assert.Equal(t, map[string]int{"filed": 3, "rejected": 1}, w.recorded())
		assert.Empty(t, w.broken())
	})
}

func TestRenamedServerIsNamedWhenReadAgain(t *testing.T) {
	overSocket(t, lists(), func(t *testing.T, w *world) {
		ids, names := w.some(3)
		review := w.pasted(w.cast.User, names, 3)
		w.renames(ids[1], "renamed-001")
		w.acts(w.cast.User, review, "edit", "edit-list")
		w.eventually("the list opens again", func() bool { return w.top(w.cast.User).Title.Text == "Several servers" })
		require.Empty(t, w.submit(w.cast.User, w.top(w.cast.User), nil).Error)
		again := w.reviewed(w.cast.User, 2)
		shown := again.text(w)
		assert.Contains(t, shown, "1 cannot be asked for and is left out:")
		assert.Contains(t, shown, w.fqdn(ids[1])+": ")
		assert.NotEqual(t, w.countBlock(review), w.countBlock(again))
		require.Empty(t, w.confirms(w.cast.User, again, "2").Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested for 2 servers.")
		assert.Empty(t, w.postsFor(ids[1]))
		w.filedOnce(ids[0], ids[2])
		assert.Empty(t, w.broken())
	})
}

func TestPolicyMayForbidOneServerOfForty(t *testing.T) {
	overHTTP(t, lists(), func(t *testing.T, w *world) {
		ids, names := w.some(39)
		kept := w.which("protected", func(h hardware) bool { return h.tagged("protected") && h.BillingItem != nil })
		lines := strings.Split(names, "\n")
		lines[20] += "\n" + w.fqdn(kept)
		review := w.pasted(w.cast.User, strings.Join(lines, "\n"), 39)
		assert.Equal(t, "Review: 39 of 40", review.Title.Text)
		shown := review.text(w)
		assert.Contains(t, shown, "1 cannot be asked for and is left out:")
		assert.Regexp(t, w.fqdn(kept)+`: servers tagged protected are cancelled by .* the data team only\. Rule protected-tag\.`, shown)
		assert.Contains(t, shown, "39 can be asked for")
		assert.NotContains(t, markdownIn(t, review.Raw), "<!channel>", "a rule's words ping nobody")
		require.NotEmpty(t, w.fieldErrors(w.confirms(w.cast.User, review, "40 servers")), "the number that is left counts")
		require.Empty(t, w.confirms(w.cast.User, review, "39 servers").Error)
		w.hurried("Cancellation requested for 39 servers.")
		w.filedOnce(ids...)
		assert.Empty(t, w.postsFor(kept))
		assert.Empty(t, w.tickets(kept))
		assert.Len(t, w.posts(), 39)
		assert.Empty(t, w.broken())
	})
}
