//go:build unix

package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// counting is a bot whose policy has one rule more, which counts servers.
func counting(rule string, extra ...string) setup {
	s := lists(extra...)
	s.before = func(w *world) {
		w.policy = fmt.Sprintf(`
@id("ask") permit (principal in Group::%q, action == Action::"request", resource);
@id("leads") permit (principal in Group::%q, action == Action::"approve", resource);
`, w.cast.RequestGroup, w.cast.ApproveGroup) + strings.ReplaceAll(rule, "ASKERS", strconv.Quote(w.cast.RequestGroup))
	}
	return s
}

const (
	fewAtOnce = `@id("few") @reason("five at once are enough.") forbid (principal, action == Action::"request", resource) when { context.count > 5 };`
	twoLeads  = `@id("many") @approvals("2") permit (principal in Group::ASKERS, action == Action::"request", resource) when { context.today > 5 };`
)

// queries sends a list until the bot knows the tags that a policy may ask for.
func (w *world) queries(user, list string) modal {
	w.t.Helper()
	w.eventually("a review of what the query finds", func() bool {
		w.sendsList(user, list)
		w.eventually("a review", func() bool { return strings.HasPrefix(w.top(user).Title.Text, "Review: ") })
		if shown := w.top(user).text(w); !strings.Contains(shown, "nobody can tell yet") && !strings.Contains(shown, "are still being read") && !strings.Contains(shown, "finds 0") {
			return true
		}
		w.close(user)
		return false
	})
	return w.top(user)
}

// boxed are the servers that have a box, by the block that holds it.
func (w *world) boxed(m modal) map[string][]string {
	all := map[string][]string{}
	for _, b := range m.Blocks {
		for _, e := range b.Elements {
			for _, o := range e.Options {
				all[b.BlockID] = append(all[b.BlockID], o.Value)
			}
		}
	}
	return all
}

func boxes(m map[string][]string) (count int) {
	for _, of := range m {
		count += len(of)
	}
	return count
}

// ticks leaves these boxes of a block ticked.
func (w *world) ticks(user string, m modal, block string, servers ...string) {
	w.t.Helper()
	ticked := []map[string]any{}
	for _, id := range servers {
		ticked = append(ticked, map[string]any{"value": id})
	}
	ack, err := w.slack.Act(w.t.Context(), fakeslack.Action{User: user, View: m.ID, BlockID: block, ActionID: "rows", SelectedOptions: ticked})
	require.NoError(w.t, err)
	require.Empty(w.t, ack.Error)
}

// group is a first block of boxes of what a query found, with its servers: so many at least.
func (w *world) group(m modal, least int) (block string, servers []string) {
	w.t.Helper()
	for block, servers := range w.boxed(m) {
		if strings.HasPrefix(block, "found:") && strings.HasSuffix(block, ":0") && len(servers) >= least {
			return block, servers
		}
	}
	require.Fail(w.t, "no group has a box for each server", "%s", m.Raw)
	return "", nil
}

func TestQueryUnderARuleThatCountsHasBoxes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ rule, says string }{
		"a limit for each form":              {fewAtOnce, "With 6 servers chosen, none can be asked for: five at once are enough. Rule few."},
		"two approvals where only one leads": {twoLeads, "With 6 servers chosen, none can be asked for: too few people other than you may approve so many."},
	} {
		t.Run(name, func(t *testing.T) {
			overHTTP(t, counting(c.rule), func(t *testing.T, w *world) {
				user := w.cast.Requester
				review := w.queries(user, "dc:fra02")
				assert.NotContains(t, review.text(w), "nobody but you may approve it")
				assert.NotContains(t, review.text(w), "five at once are enough")
				all := boxes(w.boxed(review))
				block, servers := w.group(review, 6)

				w.ticks(user, review, block, servers[:6]...)
				many := w.reviewed(user, 6)
				assert.Contains(t, many.text(w), c.says)
				assert.Contains(t, many.text(w), "Untick some: choose fewer servers.")
				assert.Contains(t, many.Raw, `"submit":null`, "what nobody may ask for cannot be sent")
				assert.Equal(t, all, boxes(w.boxed(many)), "each server keeps its box, to be unticked")

				w.ticks(user, many, block, servers[:5]...)
				five := w.reviewed(user, 5)
				assert.Contains(t, five.text(w), "5 can be asked for")
				require.Empty(t, w.confirms(user, five, "5").Error)
				require.Equal(t, "Recorded", w.top(user).Title.Text, w.top(user).Raw)
				assert.Equal(t, map[string]int{"pending": 5}, w.recorded())
				assert.Empty(t, w.broken())
			})
		})
	}
}

func TestTickedServersOfAGroupCountOnce(t *testing.T) {
	overHTTP(t, counting(fewAtOnce), func(t *testing.T, w *world) {
		user := w.cast.Requester
		_, names := w.some(3)
		review := w.queries(user, names+"\ndc:fra02")
		block, servers := w.group(review, 6)
		w.ticks(user, review, block, servers[:2]...)
		w.reviewed(user, 5)
		group := strings.TrimSuffix(block, "0") + "all"
		all := len(servers)
		for other, of := range w.boxed(review) {
			if other != block && strings.HasPrefix(other, strings.TrimSuffix(block, "0")) {
				all += len(of)
			}
		}
		w.acts(user, w.top(user), group, "tick-group")
		many := w.reviewed(user, 3+all)
		assert.Contains(t, many.text(w), fmt.Sprintf("With %d servers chosen, none can be asked for", 3+all))
	})
}

func TestServerThatCannotGoIsNotCounted(t *testing.T) {
	overHTTP(t, counting(fewAtOnce), func(t *testing.T, w *world) {
		user := w.cast.Requester
		_, names := w.some(5)
		unbilled := w.which("without a billing item", func(h hardware) bool { return h.BillingItem == nil })
		review := w.pasted(user, names+"\n"+w.fqdn(unbilled), 5)
		assert.Equal(t, "Review: 5 of 6", review.Title.Text)
		assert.Contains(t, review.text(w), "5 can be asked for")
		require.Empty(t, w.confirms(user, review, "5").Error)
		require.Equal(t, "Recorded", w.top(user).Title.Text, w.top(user).Raw)
		assert.Equal(t, map[string]int{"pending": 5}, w.recorded())
	})
}

func TestRenamedServerOfAQueryStandsOnce(t *testing.T) {
	overHTTP(t, lists(), func(t *testing.T, w *world) {
		user := w.cast.User
		ids, _ := w.namedThat(1, inFra02)
		w.queries(user, "dc:fra02")
		w.close(user)
		w.renames(ids[0], "brandnew")
		w.sendsList(user, "brandnew.example.com\ndc:fra02")
		review := w.reviewed(user, 1)
		shown := slices.Concat(slices.Collect(maps.Values(w.boxed(review)))...)
		assert.Len(t, slices.DeleteFunc(shown, func(id string) bool { return id != strconv.FormatInt(ids[0], 10) }), 1, "it has one box")
		require.Empty(t, w.confirms(user, review, "1").Error)
		require.Equal(t, "Recorded", w.top(user).Title.Text, w.top(user).Raw)
		w.awaitMessage(w.cast.Channel, "Cancellation requested for 1 server")
		w.filedOnce(ids[0])
		assert.Empty(t, w.broken())
	})
}

func TestFullFormSaysWhatOneFormTakes(t *testing.T) {
	overHTTP(t, lists("MAX_BATCH=6"), func(t *testing.T, w *world) {
		user := w.cast.User
		w.queries(user, "dc:fra02")
		w.close(user)
		ids, _ := w.namedThat(6, notInFra02)
		list := "dc:fra02"
		for n, id := range ids { // the bot looks them up at SoftLayer, and the query finds as many more
			w.renames(id, fmt.Sprintf("brandnew-%d", n))
			list += fmt.Sprintf("\nbrandnew-%d.example.com", n)
		}
		w.sendsList(user, list)
		review := w.reviewed(user, 6)
		block, servers := w.group(review, 1)
		w.ticks(user, review, block, servers[0])
		full := w.reviewed(user, 7)
		wrong := w.fieldErrors(w.confirms(user, full, "7"))
		assert.Equal(t, "One form takes 6. Leave some out.", wrong[w.countBlock(full)])
		assert.Empty(t, w.recorded())
	})
}
