package webapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/skew"
	"cancel-server/internal/slackui/slacktest"
)

const openedView = `{"ok":true,"view":{"id":"V1","hash":"h2","type":"modal","blocks":[{"type":"a_block_of_the_future","x":[1]}],"state":{"values":{}}}}`

func TestViewCalls(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, slacktest.AnswerJSON(openedView))
	web := clientOf(t, slackAPI)
	id, hash, err := web.OpenView(t.Context(), "1.2", slacktest.Modal())
	require.NoError(t, err)
	assert.Equal(t, []string{"V1", "h2"}, []string{id, hash})
	hash, err = web.UpdateView(t.Context(), "V1", "h1", slacktest.Modal())
	require.NoError(t, err)
	assert.Equal(t, "h2", hash)

	require.NoError(t, web.PublishView(t.Context(), "U1", slacktest.Modal()))

	calls := slackAPI.Received()
	require.Len(t, calls, 3)
	for i, method := range []string{"views.open", "views.update", "views.publish"} {
		assert.Equal(t, method, calls[i].Method)
		assert.Equal(t, "Bearer xoxb-test", calls[i].Authorization)
	}
	assert.Equal(t, "1.2", calls[0].JSON["trigger_id"])
	assert.Equal(t, "V1", calls[1].JSON["view_id"])
	assert.Equal(t, "h1", calls[1].JSON["hash"])
	assert.Equal(t, "U1", calls[2].JSON["user_id"])
}

func TestAnswerIsUnchangedByTheNextOne(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, func(w http.ResponseWriter, c slacktest.Call) {
		slacktest.AnswerJSON(`{"ok":true,"of":"`+c.Method+`"}`)(w, c)
	})
	host := strings.TrimPrefix(slackAPI.URL, "http://")
	base := NewTransport()
	defer base.CloseIdleConnections()
	client := &http.Client{Transport: &apiTransport{clock: new(skew.Gauge), base: base, bearer: conceal("Bearer xoxb-test"), host: host}}
	answers := make([]*http.Response, 20)
	for i := range answers {
		var err error
		answers[i], err = client.Post(slackAPI.URL+"/api/method"+strconv.Itoa(i), "application/json", strings.NewReader("{}"))
		require.NoError(t, err)
	}
	for i, answer := range answers {
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.JSONEq(t, `{"ok":true,"of":"method`+strconv.Itoa(i)+`"}`, string(body))
	}
}

func TestAuthTestSendsTheTokenInTheHeader(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, slacktest.AnswerJSON(`{"ok":true,"url":"https://acme.slack.com/","team":"Acme","user":"bot","team_id":"T1","user_id":"U9","bot_id":"B9","enterprise_id":"E1"}`))
	who, err := clientOf(t, slackAPI).AuthTest(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Identity{Team: "T1", Enterprise: "E1", Bot: "B9", URL: "https://acme.slack.com/", Name: "bot"}, who)
	assert.Equal(t, "Bearer xoxb-test", slackAPI.Received()[0].Authorization)
}

func TestRefusalsOfSlack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer string
		is     error
		text   string
	}{
		"another hash":   {`{"ok":false,"error":"hash_conflict"}`, ErrHashConflict, "calling views.update: hash_conflict"},
		"an old trigger": {`{"ok":false,"error":"expired_trigger_id"}`, nil, "calling views.update: expired_trigger_id"},
		"a used trigger": {`{"ok":false,"error":"exchanged_trigger_id"}`, nil, "calling views.update: exchanged_trigger_id"},
		"a trigger in disguise": {
			"{\"ok\":false,\"error\":\"invalid_arguments\",\"response_metadata\":{\"messages\":[\"[ERROR] `trigger_id` expired\"]}}",
			nil, "calling views.update: invalid_arguments; [ERROR] `trigger_id` expired",
		},
		"a closed view":     {`{"ok":false,"error":"not_found"}`, ErrViewGone, "calling views.update: not_found"},
		"a view too big":    {`{"ok":false,"error":"invalid_arguments","response_metadata":{"messages":["[ERROR] one","[ERROR] two"]}}`, nil, "calling views.update: invalid_arguments; [ERROR] one; [ERROR] two"},
		"a missing scope":   {`{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"x"}`, nil, "calling views.update: missing_scope (needed: chat:write)"},
		"no word":           {`{"ok":false}`, nil, "calling views.update: no_error_code"},
		"an answer of none": {`{}`, nil, "calling views.update: no_error_code"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := clientOf(t, slacktest.NewAnswers(t, slacktest.AnswerJSON(c.answer))).UpdateView(t.Context(), "V1", "h", slacktest.Modal())
			require.EqualError(t, err, c.text)
			for _, sentinel := range []error{ErrHashConflict, ErrViewGone} {
				assert.Equal(t, sentinel == c.is, errors.Is(err, sentinel), "is it %q?", sentinel)
			}
		})
	}
}

func TestAnAnswerThatIsNoneIsAnError(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter, slacktest.Call){
		"a page":        slacktest.AnswerJSON("<html>"),
		"half":          slacktest.AnswerJSON(openedView[:60]),
		"a server down": func(w http.ResponseWriter, _ slacktest.Call) { w.WriteHeader(http.StatusBadGateway) },
		"a redirect to somebody else": func(w http.ResponseWriter, _ slacktest.Call) {
			w.Header().Set("Location", "https://elsewhere.example/api/views.open")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"a cut connection": func(http.ResponseWriter, slacktest.Call) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slackAPI := slacktest.NewAnswers(t, answer)
			_, _, err := clientOf(t, slackAPI).OpenView(t.Context(), "1.2", slacktest.Modal())
			require.Error(t, err)
			assert.Len(t, slackAPI.Received(), 1, "no call is repeated")
			assert.NotContains(t, err.Error(), "xoxb-test")
			assert.NotContains(t, err.Error(), slackAPI.URL)
		})
	}
}

func TestACallThatHangsEndsInTime(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w := slacktest.NewWorkspace(t, fakeslack.Options{})
		web := clientIn(t, w)
		require.NoError(t, w.Fault("views.open", fakeslack.FaultHang, 1))
		began := time.Now()
		_, _, err := web.OpenView(context.Background(), "1.2", slacktest.Modal())
		require.Error(t, err)
		assert.Equal(t, quickTime, time.Since(began))
	})
}

func TestRateLimitsSayHowLongToWait(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, func(w http.ResponseWriter, _ slacktest.Call) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	_, err := clientOf(t, slackAPI).UpdateView(t.Context(), "V1", "", slacktest.Modal())
	pause, limited := RetryAfter(err)
	assert.True(t, limited)
	assert.Equal(t, 7*time.Second, pause)
}

func TestTheTokenGoesNowhereElse(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, slacktest.AnswerJSON(`{"ok":true}`))
	elsewhere, err := New(Options{BotToken: "xoxb-test", APIURL: "https://slack.example/api/"})
	require.NoError(t, err)
	defer elsewhere.Close()
	transport := &apiTransport{clock: new(skew.Gauge), base: elsewhere.base, bearer: conceal("Bearer xoxb-test"), host: "slack.example"}
	_, err = (&http.Client{Transport: transport}).Post(slackAPI.URL, "text/plain", strings.NewReader(""))
	require.ErrorContains(t, err, "the token belongs to")
	assert.Empty(t, slackAPI.Received())
}

func TestAnAnswerWithoutEndIsNotRead(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, func(w http.ResponseWriter, _ slacktest.Call) {
		_, _ = io.WriteString(w, `{"ok":true,"view":"`)
		chunk := strings.Repeat("x", 1<<20)
		for range 2 * maxAnswer >> 20 {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
	})
	web, err := New(Options{BotToken: "xoxb-test", APIURL: slackAPI.URL + "/api/", Quick: time.Minute})
	require.NoError(t, err)
	defer web.Close()
	_, _, err = web.OpenView(t.Context(), "1.2", slacktest.Modal())
	require.ErrorContains(t, err, "over 16777216 bytes")
}

func TestNewWebRefusesWhatIsNoURL(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"https://slack.example/api", "slack.example/api/", "http://%zz/"} {
		_, err := New(Options{APIURL: wrong})
		require.Error(t, err, wrong)
	}
}

func TestAResponseURLIsOneOfSlacks(t *testing.T) {
	t.Parallel()
	own, err := New(Options{})
	require.NoError(t, err)
	defer own.Close()
	assert.True(t, own.mayRespond("https://hooks.slack.com/commands/T1/2/3"))
	assert.False(t, own.mayRespond("https://slack.com/commands/T1/2/3"))
}
