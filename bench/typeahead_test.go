//go:build bench

package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// benchmarkTypeahead measures keystrokes: the time from a block_suggestion to its options,
// over accounts of three sizes, alongside one that the same process answers with no options
// because too little was typed, in turns. Each person types the names, addresses, ids and
// tags of servers letter by letter.
func benchmarkTypeahead(b *testing.B, built string) {
	requireProc(b)
	for _, servers := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("servers=%d", servers), func(b *testing.B) {
			v, s := newVendors(b), newSender(b)
			v.softlayer.listed = servers
			bot := launch(b, v.bot(built, b.TempDir()))
			bot.awaitAck(b, s)
			warm := bot.awaitInventory(b, servers)
			require.NoError(b, s.command(bot.url))
			typed := keystrokes(servers, 100)
			var empty, filled []time.Duration
			for b.Loop() {
				for n := range rounds * 100 {
					for _, one := range []struct {
						text string
						into *[]time.Duration
					}{{"x", &empty}, {typed[n%len(typed)], &filled}} {
						began := time.Now()
						options := v.suggest(b, s, bot, one.text)
						*one.into = append(*one.into, time.Since(began))
						require.Equal(b, one.text == "x", options == 0, "%d options for %q", options, one.text)
					}
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(milliseconds(quantile(filled, 0.5)), "p50-ms")
			b.ReportMetric(milliseconds(quantile(filled, 0.99)), "p99-ms")
			b.ReportMetric(milliseconds(quantile(empty, 0.5)), "empty-p50-ms")
			b.ReportMetric(milliseconds(quantile(empty, 0.99)), "empty-p99-ms")
			b.ReportMetric(float64(quantile(filled, 0.5))/float64(quantile(empty, 0.5)), "p50/empty")
			b.ReportMetric(bot.memory(b, "VmRSS"), "MB")
			b.ReportMetric(bot.memory(b, "VmHWM"), "peak-MB")
			b.ReportMetric(warm.Seconds(), "first-pass-s")
			b.ReportMetric(v.restart(b, s, bot, built, servers).Seconds(), "warm-again-s")
		})
	}
}

// awaitInventory waits until the bot has read all servers, and says how long that took.
func (c *process) awaitInventory(b *testing.B, servers int) time.Duration {
	b.Helper()
	for deadline := c.started.Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if strings.Contains(c.said.String(), fmt.Sprintf(`"servers":%d`, servers)) {
			return time.Since(c.started)
		}
		require.True(b, time.Now().Before(deadline), "the bot reads no servers; it said:\n%s", c.said)
	}
}

// restart ends a bot and says how long the next one, on the same database, takes from its
// start until it offers a server that only the inventory knows.
func (v *vendors) restart(b *testing.B, s *sender, bot *process, built string, servers int) time.Duration {
	b.Helper()
	var folder, databaseURL string
	for _, setting := range bot.cmd.Env {
		if path, is := strings.CutPrefix(setting, "HOME="); is {
			folder = path
		}
		if at, is := strings.CutPrefix(setting, "DATABASE_URL="); is {
			databaseURL = at
		}
	}
	bot.end()
	again := launch(b, v.botOn(built, folder, databaseURL))
	again.awaitAck(b, s)
	name, _, _, _ := listedServer(servers / 2)
	for v.suggest(b, s, again, name) == 0 {
		require.Less(b, time.Since(again.started), time.Minute, "nothing is offered; the bot said:\n%s", again.said)
	}
	return time.Since(again.started)
}

// suggest types something into the form's field, and says how many servers are offered.
func (v *vendors) suggest(b *testing.B, s *sender, bot *process, typed string) int {
	b.Helper()
	keystroke := v.interaction(b, "block_suggestion", *v.last.Load(), map[string]any{})
	keystroke["block_id"], keystroke["action_id"], keystroke["value"] = "server", "choose", typed
	payload, err := json.Marshal(keystroke)
	require.NoError(b, err)
	body := url.Values{"payload": {string(payload)}}.Encode()
	request, err := http.NewRequest(http.MethodPost, bot.url+"/slack/interactions", strings.NewReader(body))
	require.NoError(b, err)
	request.Header = signed(body)
	answer, err := s.client.Do(request)
	require.NoError(b, err)
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, answer.StatusCode)
	require.Less(b, len(said), 20_480, "Socket Mode takes no more")
	var offered struct{ Options []json.RawMessage }
	require.NoError(b, json.Unmarshal(said, &offered))
	return len(offered.Options)
}

// listedServer is the n-th server of an account that is listed and never read.
func listedServer(n int) (hostname, domain, private, public string) {
	kinds := []string{"web", "db", "cache", "app", "build", "mail", "queue", "search"}
	domains := []string{"example.com", "example.net", "eu.example.org"}
	return fmt.Sprintf("%s-prod-%06d", kinds[n%len(kinds)], n+1), domains[n%len(domains)],
		fmt.Sprintf("10.%d.%d.%d", n/65536, n/256%256, n%256), fmt.Sprintf("198.%d.%d.%d", 18+n/65536%2, n/256%256, n%256)
}

// listedTag is a tag that twenty servers carry.
func listedTag(n int) string { return fmt.Sprintf("project-%05d", n) }

// keystrokes are what so many people type, letter by letter from the second on.
func keystrokes(servers, people int) (typed []string) {
	r := rand.New(rand.NewPCG(1, 2))
	for range people {
		n := r.IntN(servers)
		hostname, domain, private, public := listedServer(n)
		for _, text := range []string{
			hostname + "." + domain, hostname[3:], private, public, private[3:], strconv.Itoa(firstServer + n), listedTag(r.IntN(max(1, servers/1000))),
		} {
			for end := 2; end <= len(text); end++ {
				typed = append(typed, text[:end])
			}
		}
	}
	r.Shuffle(len(typed), func(i, j int) { typed[i], typed[j] = typed[j], typed[i] })
	return typed
}

// list answers a page of the servers of an account that is as large as is asked for, and
// tells whether that was the question: https://sldn.softlayer.com/article/using-result-limits-softlayer-api/
func (s *softLayer) list(w http.ResponseWriter, r *http.Request) bool {
	method := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	var offset, limit int
	_, err := fmt.Sscanf(r.URL.Query().Get("resultLimit"), "%d,%d", &offset, &limit)
	if s.listed == 0 || err != nil {
		return false
	}
	var rows []map[string]any
	total := 0
	add := func(row map[string]any) {
		if total++; total > offset && len(rows) < limit {
			rows = append(rows, row)
		}
	}
	switch method {
	case "getHardware.json":
		if !strings.Contains(r.URL.Query().Get("objectFilter"), "orderBy") {
			answerJSON(w, []byte("[]")) // somebody asks for what the inventory has not
			return true
		}
		for n := offset; n < min(offset+limit, s.listed); n++ {
			hostname, domain, private, public := listedServer(n)
			rows = append(rows, map[string]any{
				"id": firstServer + n, "hostname": hostname, "domain": domain, "fullyQualifiedDomainName": hostname + "." + domain,
				"primaryIpAddress": public, "primaryBackendIpAddress": private, "datacenter": map[string]any{"name": "fra02"},
			})
		}
		total = s.listed
	case "getAttachedTagsForCurrentUser.json":
		for n := range max(1, s.listed/1000) {
			add(map[string]any{"id": n + 1, "name": listedTag(n)})
		}
	case "getReferences.json":
		for n := range 20 {
			add(map[string]any{"id": n + 1, "resourceTableId": firstServer + n, "tagType": map[string]any{"keyName": "HARDWARE"}})
		}
	default:
		return false
	}
	body, err := json.Marshal(rows)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	w.Header().Set("SoftLayer-Total-Items", strconv.Itoa(total))
	answerJSON(w, body)
	return true
}
