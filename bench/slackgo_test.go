//go:build bench

package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/slack-go/slack"
)

// plainBot is a bot as slack-go's examples have it: it acknowledges first and remembers nothing. It makes the
// bot's calls, Slack's by slack-go, and looks for servers in a list.
type plainBot struct {
	*outgoing
	slack   *slack.Client
	form    slack.ModalViewRequest
	message slack.Blocks
	text    string
	options []*slack.OptionBlockObject
	words   []string // that find each of them
}

func serveSlackGo(mux *http.ServeMux, like sample) error {
	out := newOutgoing(like)
	bot := &plainBot{outgoing: out, slack: slack.New(botToken, slack.OptionAPIURL(out.url+"/slack/api/"), slack.OptionHTTPClient(out.Client))}
	var opens struct{ View *slack.ModalViewRequest }
	opens.View = &bot.form
	message, err := url.ParseQuery(like.Calls[len(like.Calls)-1].Body)
	if err = errors.Join(err, json.Unmarshal(like.Opens, &opens), json.Unmarshal([]byte(message.Get("blocks")), &bot.message)); err != nil {
		return fmt.Errorf("reading the sample: %w", err)
	}
	bot.text = message.Get("text")
	for n := range like.Servers {
		hostname, domain, private, public := listedServer(n)
		id, name := strconv.Itoa(firstServer+n), hostname+"."+domain
		bot.options = append(bot.options, slack.NewOptionBlockObject(id, slack.NewTextBlockObject(slack.PlainTextType, name, false, false), nil))
		bot.words = append(bot.words, strings.Join([]string{name, private, public, id, listedTags(n, like.Servers)}, " "))
	}
	mux.HandleFunc("POST /slack/commands", verified(bot.command))
	mux.HandleFunc("POST /slack/interactions", verified(bot.interaction))
	return nil
}

// verified is slack-go's own example.
func verified(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		verifier, err := slack.NewSecretsVerifier(r.Header, signingSecret)
		if err == nil {
			r.Body = io.NopCloser(io.TeeReader(r.Body, &verifier))
			err = r.ParseForm()
		}
		if err != nil || verifier.Ensure() != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next(w, r)
	}
}

func (b *plainBot) command(_ http.ResponseWriter, r *http.Request) {
	command, err := slack.SlashCommandParse(r)
	if err != nil {
		return // the benchmark misses the form
	}
	go func() {
		if _, err := b.slack.OpenView(command.TriggerID, b.form); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
}

func (b *plainBot) interaction(w http.ResponseWriter, r *http.Request) {
	var did slack.InteractionCallback
	if err := json.Unmarshal([]byte(r.FormValue("payload")), &did); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if did.Type == slack.InteractionTypeBlockSuggestion {
		b.suggest(w, did.Value)
		return
	}
	answerJSON(w, []byte(b.like.Answer))
	server := did.View.State.Values["server"]["choose"].SelectedOption.Value
	b.later(func() error { return b.submission(server, did.User.ID) })
}

func (b *plainBot) submission(server, member string) error {
	if _, err := b.slack.GetUserInfo(member); err != nil {
		return err
	}
	var calls []call
	for _, c := range b.like.Calls {
		if strings.HasPrefix(c.Path, "/softlayer/") {
			calls = append(calls, c)
		}
	}
	words, err := b.file(server, member, calls)
	if err == nil {
		_, _, err = b.slack.PostMessage("C0BENCH", slack.MsgOptionText(words.Replace(b.text), false), slack.MsgOptionBlocks(b.message.BlockSet...))
	}
	return err
}

// suggest offers the first of the servers whose text has what was typed.
func (b *plainBot) suggest(w http.ResponseWriter, typed string) {
	const most = 100
	var found slack.OptionsResponse
	for i, words := range b.words {
		if len(found.Options) < most && strings.Contains(words, typed) {
			found.Options = append(found.Options, b.options[i])
		}
	}
	body, err := json.Marshal(found)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	answerJSON(w, body)
}
