package fakeslack

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
)

// methodReply names the use of a response_url among exchanges and faults.
const methodReply = "response_url"

// What a response_url allows.
// https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
const (
	replyUses = 5
	replyLife = 30 * time.Minute
)

// reply is the capability behind one response_url.
type reply struct {
	channel string
	user    string
	message string // ts of the message that was acted on, or ""
	uses    int
	expires time.Time
}

// newReply makes a response_url; the lock is held.
func (w *Workspace) newReply(channel, user, message string) string {
	id := letters(w.random, 24)
	w.replies.put(id, &reply{channel: channel, user: user, message: message, expires: w.now().Add(replyLife)})
	return w.opts.URL + "/response/" + id
}

func (w *Workspace) serveReply(out http.ResponseWriter, r *http.Request) {
	started := time.Now()
	x := Exchange{At: started, From: "bot", To: "slack", Method: methodReply}
	c := call{args: map[string]any{}}
	faulty := &faultyWriter{ResponseWriter: out, fault: w.takeFault(methodReply)}
	status, word := faulty.before(w, r)
	if status == 0 {
		var err *apiError
		if status, err = w.answerReply(out, r, &c); err != nil {
			word = err.word
			x.Broke = err.broken
		}
	}
	body := []byte("ok")
	if word != "" {
		out.Header().Set("Content-Type", "application/json; charset=utf-8")
		body = fail(word).body()
	}
	x.Request, x.Response, x.Status = c.raw, body, status
	faulty.finish(w, r, status, body)
	if faulty.dropped {
		x.Status = 0
	}
	w.observe(x, started)
}

// answerReply posts one message by a response_url and returns the status of the answer.
func (w *Workspace) answerReply(out http.ResponseWriter, r *http.Request, c *call) (int, *apiError) {
	if err := c.readReply(out, r); err != nil {
		return http.StatusBadRequest, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	target := w.replies.get(r.PathValue("id"))
	switch {
	case target == nil || w.now().After(target.expires):
		return http.StatusNotFound, fail("expired_url").broke("a response_url lives for 30 minutes", replySource)
	case target.uses >= replyUses:
		return http.StatusNotFound, fail("used_url").broke("a response_url is used five times at most", replySource)
	}
	target.uses++
	w.answered(target.user)
	if err := w.useReply(target, *c); err != nil {
		return http.StatusBadRequest, err
	}
	return http.StatusOK, nil
}

const replySource = "https://docs.slack.dev/interactivity/handling-user-interaction#message_responses"

func (c *call) readReply(out http.ResponseWriter, r *http.Request) *apiError {
	if r.Method != http.MethodPost {
		return fail("invalid_method").broke("a response_url takes POST", replySource)
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return fail("invalid_payload").broke("a response_url takes JSON", replySource)
	}
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, maxBody))
	if err != nil {
		return fail("invalid_payload")
	}
	c.raw = body
	return c.readJSON(body)
}

// useReply deletes, replaces or posts, wherever the bot is a member or not; the lock is held.
func (w *Workspace) useReply(target *reply, c call) *apiError {
	original := w.findMessage(target.channel, target.message)
	if c.flag("delete_original") {
		if original != nil {
			w.remove(original)
		}
		return nil
	}
	if empty, ok := c.args["metadata"].(map[string]any); ok && len(empty) == 0 {
		delete(c.args, "metadata")
	}
	said, err := c.readContent()
	if err != nil {
		return err
	}
	if said.empty() {
		return fail("no_text")
	}
	if c.flag("replace_original") && original != nil {
		said.hasBlocks = true
		w.edit(original, said)
		return nil
	}
	return w.postReply(target, c, said)
}

func (w *Workspace) postReply(target *reply, c call, said content) *apiError {
	m := message{channel: target.channel, to: target.user}
	switch c.text("response_type") {
	case "in_channel": // https://docs.slack.dev/interactivity/handling-user-interaction#publishing_in_thread
		m.to, m.threadTS = "", c.text("thread_ts")
		if m.threadTS != "" && c.text("replace_original") != "false" {
			return fail("invalid_payload").broke("a response in a thread says replace_original false, or it overwrites the message", replySource)
		}
	case "", "ephemeral":
	default:
		return fail("invalid_payload").broke(fmt.Sprintf("response_type is in_channel or ephemeral, not %q", c.text("response_type")), replySource)
	}
	w.post(m.saying(said))
	return nil
}
