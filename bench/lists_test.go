//go:build bench

package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	listTurns    = 4
	listSize     = 50                    // servers of one form: as many as it takes
	formsPerTurn = 15                    // such forms
	listEvery    = time.Second           // between two of them
	oneEvery     = 50 * time.Millisecond // between two single submissions
)

// lists measures how soon a form of 50 servers is acknowledged that one client sends again and again next to 20
// single submissions a second, and how much later those are acknowledged for it. A turn with such forms follows one
// without. Each begins when all servers of the one before have their ticket.
func (l *lab) lists() {
	const singles = formsPerTurn * int(listEvery/oneEvery)
	l.softlayer.listed = 20_000
	bot := l.accepting(l.fresh())
	bot.await(l, "has read all servers", func() bool { return strings.Contains(bot.said.String(), `"servers":20000`) })
	bot.connect(l, 8)
	bot.warmUp(l, 100)
	many := &contender{process: bot.process, good: askedForAll}
	many.connect(l, 1)
	form := l.listForm(bot.process)
	l.listTurn(many, l.reviewed(bot.process, form, 2)) // warms up
	many.took = nil
	var alone, together []time.Duration
	edits := -l.ledger.edited()
	for range listTurns {
		sent := bot.whole(l, singles, oneEvery)
		alone = append(alone, sent.took...)
		l.awaitTold(bot.process, sent.servers)
		reviews := l.reviewed(bot.process, form, formsPerTurn)
		var sending sync.WaitGroup
		sending.Go(func() { sent = bot.whole(l, singles, oneEvery) })
		l.listTurn(many, reviews)
		sending.Wait()
		together = append(together, sent.took...)
		l.awaitTold(bot.process, sent.servers)
	}
	edits += l.ledger.edited()
	p99 := func(took []time.Duration) float64 { return milliseconds(quantile(took, 0.99)) }
	require.Len(l, many.took, listTurns*formsPerTurn)
	l.row("acknowledgement of a form of 50 servers, p50, ms", "form-p50-ms", aim{}, figures{theBot: milliseconds(median(many.took))})
	l.row("the same, p99", "form-p99-ms", atMost(1000), figures{theBot: p99(many.took)})
	l.row("single submissions next to such forms, p99, ms", "single-p99-ms", aim{}, figures{theBot: p99(together)})
	l.row("the same without them", "single-alone-p99-ms", aim{}, figures{theBot: p99(alone)})
	l.row("the same, with them, of without", "single-with/without", atMost(1.5), figures{theBot: p99(together) / p99(alone)})
	l.ReportMetric(float64(edits)/float64(listTurns*formsPerTurn), "edits/form")
	l.ReportMetric(milliseconds(median(together)), "single-p50-ms")
	l.ReportMetric(milliseconds(median(alone)), "single-alone-p50-ms")
}

func askedForAll(said []byte) bool {
	return acceptance(said) && bytes.Contains(said, []byte(fmt.Sprintf("Asked for %d servers", listSize)))
}

// listTurn sends forms that were reviewed, and waits until SoftLayer has one ticket for each of their servers.
func (l *lab) listTurn(many *contender, reviews []request) {
	next := 0
	many.next = func() request { next++; return reviews[next-1] }
	sent := many.whole(l, len(reviews), listEvery)
	posts := func(server int64) (count int) {
		l.ledger.at(server, func(j *journey) { count = j.posts })
		return count
	}
	for _, first := range sent.servers {
		for server := first; server < first+listSize; server++ {
			many.await(l, "files what it accepted", func() bool { return posts(server) > 0 })
		}
	}
	for _, first := range sent.servers {
		for server := first; server < first+listSize; server++ {
			require.Equal(l, 1, posts(server), "one ticket for server %d", server)
		}
	}
}

// listForm has a bot show the form for several servers, as a person does.
func (l *lab) listForm(bot *process) (form []byte) {
	bot.awaitAck(l)
	press := l.interaction("block_actions", *l.last.Load(), map[string]any{})
	press["actions"] = []any{map[string]any{"type": "button", "block_id": "several", "action_id": "several", "value": "several", "action_ts": "1764000001.000100"}}
	require.Empty(l, l.interact(bot, press))
	return l.lastUpdate(bot)
}

// reviewed has a bot read so many lists, each of other servers, and returns the submissions of their reviews. Each
// has a view of its own.
func (l *lab) reviewed(bot *process, form []byte, lists int) (submissions []request) {
	for range lists {
		first := firstServer + l.submissions.Add(listSize) - listSize + 1
		names := strconv.FormatInt(first, 10)
		for server := first + 1; server < first+listSize; server++ {
			names += "\n" + strconv.FormatInt(server, 10)
		}
		list := l.interaction("view_submission", form, map[string]any{
			"names":   state("names", "plain_text_input", names),
			"reason":  state("reason", "static_select", "No longer needed"),
			"content": state("content", "plain_text_input", "Ran the old database; replaced by db-060."),
		})
		list["trigger_id"] = "list " + strconv.FormatInt(first, 10) // with the same one it would be a repeat
		require.Contains(l, l.interact(bot, list), `"response_action":"update"`, "the list is read")
		submissions = append(submissions, l.confirmed(bot, first))
	}
	return submissions
}

// confirmed waits for the review of a list, and returns its submission.
func (l *lab) confirmed(bot *process, first int64) request {
	for {
		shown := within20s(l, l.updated, "no review was shown; the bot said:\n%s", bot.said)
		view, err := viewOf(shown)
		require.NoError(l, err)
		if view["submit"] == nil {
			continue // it is being read
		}
		submission := l.interaction("view_submission", shown, l.filledIn(view))
		submission["trigger_id"] = "review " + strconv.FormatInt(first, 10)
		submission["view"].(map[string]any)["id"] = "V" + strconv.FormatInt(first, 10)
		payload, err := json.Marshal(submission)
		require.NoError(l, err)
		return request{raw: rawRequest("/slack/interactions", url.Values{"payload": {string(payload)}}.Encode()), server: first}
	}
}

// filledIn is what a review's fields hold when a person typed its number: the boxes are ticked as they were shown.
func (l *lab) filledIn(view map[string]any) map[string]any {
	values, ticked := map[string]any{}, 0
	blocks, _ := view["blocks"].([]any)
	for _, shown := range blocks {
		block, _ := shown.(map[string]any)
		id, _ := block["block_id"].(string)
		if strings.HasPrefix(id, "count:") {
			values[id] = state("count", "plain_text_input", strconv.Itoa(listSize))
		}
		elements, _ := block["elements"].([]any)
		for _, element := range elements {
			boxes, _ := element.(map[string]any)
			if boxes["type"] != "checkboxes" {
				continue
			}
			options, _ := boxes["initial_options"].([]any)
			ticked += len(options)
			values[id] = map[string]any{"rows": map[string]any{"type": "checkboxes", "selected_options": options}}
		}
	}
	require.Equal(l, listSize, ticked, "the review offers the whole list")
	return values
}
