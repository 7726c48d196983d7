//go:build bench

package bench

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// keystrokes measures the time from a block_suggestion to its options, next to one that the
// same process answers with no options because too little was typed. Each person types the
// names, addresses, ids and tags of servers letter by letter. The processor time is that of those
// that offer something.
func (l *lab) keystrokes(servers int) {
	requireProc(l)
	l.softlayer.listed = servers
	bot := l.accepting(l.fresh())
	like := l.sample(bot)
	whole := fmt.Sprintf(`"servers":%d`, servers)
	bot.await(l, "has read all servers", func() bool { return strings.Contains(bot.said.String(), whole) })
	like.Servers = servers
	typed := keystrokes(servers, 100)
	like.Offered = l.keystroke(bot.process, typed[0])
	plain, floor := l.standIn(slackGo, like, "", bot.form), l.standIn(netHTTP, like, "", bot.form)
	offer := func(c *contender) {
		text := typed[0]
		typed = append(typed[1:], text)
		require.NotZero(l, l.suggest(c.process, text), "%s offers something for %q", c.name, text)
	}
	plain.awaitAck(l)
	floor.awaitAck(l)
	time.Sleep(givenBack)
	loaded := l.memories("VmRSS", bot.process, plain.process)
	took := inTurns(rounds*50, []bool{false, true}, func(offers bool) time.Duration {
		began := time.Now()
		if offers {
			offer(bot)
		} else {
			require.Zero(l, l.suggest(bot.process, "x"))
		}
		return time.Since(began)
	})
	const perTurn = 200
	spent := inTurns(turns, []*contender{bot, plain, floor}, func(c *contender) time.Duration {
		before := c.cpuTime(l)
		for range perTurn {
			offer(c)
		}
		return (c.cpuTime(l) - before) / perTurn
	})
	cpu, memory := aim{}, aim{}
	if servers == 100_000 {
		cpu, memory = atMost(200), atMost(42)
	}
	name := fmt.Sprintf(", %d servers", servers)
	l.row("CPU a keystroke"+name+", µs", "cpu-µs", cpu, figures{theBot: microseconds(median(spent[0])), slackGo: microseconds(median(spent[1])), netHTTP: microseconds(median(spent[2]))})
	l.row("memory"+name+", MiB", "loaded-MiB", memory, loaded)
	l.row("a keystroke of one that offers nothing"+name+", p50", "p50/empty", atMost(2),
		figures{theBot: float64(median(took[1])) / float64(median(took[0]))})
	l.ReportMetric(milliseconds(quantile(took[1], 0.99)), "p99-ms")
}

// suggest types something into the form's field, and says how many servers are offered.
func (l *lab) suggest(bot *process, typed string) int {
	said := l.keystroke(bot, typed)
	require.Less(l, len(said), 20_480, "Socket Mode takes no more")
	var offered struct{ Options []json.RawMessage }
	require.NoError(l, json.Unmarshal([]byte(said), &offered))
	return len(offered.Options)
}

// keystroke types something into the form's field, and returns the answer.
func (l *lab) keystroke(bot *process, typed string) string {
	k := l.interaction("block_suggestion", *l.last.Load(), map[string]any{})
	k["block_id"], k["action_id"], k["value"] = "server", "choose", typed
	k["keystroke"] = l.typed.Add(1) // the same bytes again would be a replay
	return string(l.interact(bot, k))
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

// listedTags are those of the n-th of so many servers.
func listedTags(n, servers int) (tags string) {
	if n < 20 {
		for tag := range max(1, servers/1000) {
			tags += " " + listedTag(tag)
		}
	}
	return tags
}

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
