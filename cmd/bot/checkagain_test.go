//go:build unix

package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/checkup"
	"cancel-server/internal/slackui"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
)

// What can be wrong while a bot serves is wrong at once here.
func TestReadyzNamesProblemsAndStaysReady(t *testing.T) {
	t.Parallel()
	w := rightly(t)
	var wanted []string
	for _, wrong := range wrongSetups {
		if wrong.runs {
			w.extra = append(w.extra, wrong.apply(w)...)
			wanted = append(wanted, wrong.says[0])
		}
	}
	require.Greater(t, len(wanted), 6)
	w.start()
	for _, line := range wanted {
		w.eventually("/readyz says: "+line, func() bool { _, problems := w.ready(); return strings.Contains(problems, line) })
	}
	status, _ := w.ready()
	assert.Equal(t, http.StatusOK, status, "what checks find never makes a bot unready")
	w.eventually("the log says so", func() bool {
		return strings.Contains(w.child.log.String(), "a check found a problem")
	})
	for check, problems := range map[string]int{"rights": 3, "cutoff": 1, "scopes": 1, "transport": 0} {
		assert.Contains(t, w.metrics(), fmt.Sprintf("cancel_server_check_problems{check=%q} %d\n", check, problems))
	}
}

// Two runs of the checks are 15 minutes apart, so this begins where they have found the same.
func TestWhatChecksFindIsPostedOnce(t *testing.T) {
	t.Parallel()
	w, d := rightly(t), newDatabase(t)
	web, err := webapi.New(webapi.Options{BotToken: w.slack.BotToken(), APIURL: w.url + "/slack/api/"})
	require.NoError(t, err)
	defer web.Close()
	announcer := slackui.NewAnnouncer(slackui.AnnouncerOptions{Web: web, Words: words.Writer{}, Log: d.bot.log})
	d.bot.cfg.NotifyChannel = w.cast.Channel
	announce := func(word string, problems ...checkup.Finding) (posted []message) {
		t.Helper()
		d.exec(`update used_keys set at = at - 1000`) // a key's time is a millisecond's
		d.bot.announce(t.Context(), announcer, words.Writer{}, word, problems)
		return w.messages(w.cast.Channel)
	}
	missing := checkup.Finding{Name: "scopes", Level: checkup.Warn, Found: "Scope im:write is missing: no direct messages.", Do: "Add im:write."}
	const found, over = "The bot's checks found a problem\n", "The bot's checks find nothing any more of what was reported here"
	assert.Empty(t, announce(""), "nothing was reported that could be over")
	if posted := announce("a", missing); assert.Len(t, posted, 1) {
		assert.Contains(t, posted[0].Shown, missing.Found+" "+missing.Do)
	}
	assert.Len(t, announce("a", missing), 1, "by the next run, or another bot")
	if posted := announce(""); assert.Len(t, posted, 2) {
		assert.Contains(t, posted[1].Shown, over)
	}
	assert.Len(t, announce("a", missing), 2, "not twice a day")
	d.exec(`update used_keys set key = replace(key, substr(key, 13, 10), '2001-01-01')`)
	if posted := announce("a", missing); assert.Len(t, posted, 3, "the next day") {
		assert.Contains(t, posted[2].Shown, found, "the last word is true")
	}

	d.bot.cfg.NotifyChannel = ""
	assert.Len(t, announce("b", missing), 3, "without a channel")
}
