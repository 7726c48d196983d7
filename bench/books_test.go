//go:build bench

package bench

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// serveBooks serves the floor of a submission: it verifies, decodes what it needs and writes
// the bot's rows, what waits together in one commit. It decides nothing, judges no card
// and no key, and never looks at its rows again.
func serveBooks(mux *http.ServeMux, like sample) error {
	db, err := openDatabase(os.Getenv("DATABASE_URL"))
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	s := &books{like: like, db: db, queue: make(chan *entry, 1024), chunk: 8, prepared: map[string]*sql.Stmt{}}
	if !strings.HasPrefix(os.Getenv("DATABASE_URL"), "sqlite:") {
		s.chunk = 64 // fewer trips to the server
	}
	if err := s.prepare(context.Background()); err != nil {
		return err
	}
	go s.commit()
	mux.HandleFunc("POST /slack/commands", func(http.ResponseWriter, *http.Request) {}) // it is up
	mux.HandleFunc("POST /slack/interactions", s.take)
	return nil
}

// books are the floor's rows.
type books struct {
	like     sample
	db       *sql.DB
	queue    chan *entry
	chunk    int // rows of a statement at most
	prepared map[string]*sql.Stmt
}

// entry is one submission on its way into the books.
type entry struct {
	id, server, submission, place, responseURL, actor string
	until                                             time.Time
	done                                              chan error
}

func (s *books) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !fromSlack(r.Header, body) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	e, err := read(body)
	if err == nil {
		s.queue <- e
		err = <-e.done
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = io.WriteString(w, s.like.Answer)
}

// read decodes the fields that the rows are made of, in the bot's form.
func read(body []byte) (*entry, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	var payload struct {
		Team struct{ ID string }
		View struct {
			ID       string
			Metadata string `json:"private_metadata"`
			State    struct {
				Values map[string]map[string]struct {
					Value    string
					Selected struct{ Value string } `json:"selected_option"`
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(form.Get("payload")), &payload); err != nil {
		return nil, err
	}
	var sealed struct {
		Channel     string                          `json:"c"`
		ChannelName string                          `json:"n"`
		ResponseURL string                          `json:"u"`
		Until       time.Time                       `json:"t"`
		By          struct{ Team, ID, Name string } `json:"b"`
		Card        json.RawMessage                 `json:"s"`
	}
	text, err := base64.RawURLEncoding.DecodeString(payload.View.Metadata[strings.LastIndexByte(payload.View.Metadata, '.')+1:])
	if err == nil {
		err = json.Unmarshal(text, &sealed)
	}
	if err != nil {
		return nil, err
	}
	values := payload.View.State.Values
	server := values["server"]["choose"].Selected.Value
	place := struct{ Channel, ChannelName string }{sealed.Channel, sealed.ChannelName}
	submission, err := json.Marshal(struct {
		Installation, View            string
		By, Place                     any
		Card                          json.RawMessage
		Associated                    bool
		Reason, Content, Confirmation string
	}{
		payload.Team.ID, payload.View.ID, sealed.By, place, sealed.Card, false, values["reason"]["reason"].Selected.Value,
		values["content"]["content"].Value, values["confirm:"+server]["confirm"].Value,
	})
	if err != nil {
		return nil, err
	}
	placeText, err := json.Marshal(place)
	id := sha256.Sum256(submission)
	return &entry{
		id: hex.EncodeToString(id[:]), server: server, submission: string(submission), place: string(placeText),
		responseURL: sealed.ResponseURL, until: sealed.Until, actor: sealed.By.Team + "/" + sealed.By.ID, done: make(chan error, 1),
	}, err
}

// commit keeps writing what waits.
func (s *books) commit() {
	const most = 128
	for first := range s.queue {
		batch := []*entry{first}
		for len(batch) < most && len(s.queue) > 0 {
			batch = append(batch, <-s.queue)
		}
		err := s.write(context.Background(), batch)
		for _, e := range batch {
			e.done <- err
		}
	}
}

func (s *books) write(ctx context.Context, batch []*entry) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing to undo after the commit
	now := time.Now().UnixMilli()
	for some := range s.chunks(batch) {
		var requests, events, notices []any
		for _, e := range some {
			server, _ := strconv.ParseInt(e.server, 10, 64)
			requests = append(requests, e.id, e.id[:9], e.id[:26], 1, "scheduled", "", 1, 1, server, e.submission, s.like.Decision,
				now, 0, 0, 0, 2, nil, nil, 0, 0, 0, "", now, now, now)
			events = append(events, e.id, 1, now, "submitted", e.actor, "", "scheduled", s.like.Rule)
			notices = append(notices, e.id, "result", 1, e.place, e.responseURL, e.until.UnixMilli(), "", "", 0, "", 0, 0, 0, now+5000, 0, now+5000)
		}
		for _, table := range []struct {
			columns string
			values  []any
		}{{requestColumns, requests}, {eventColumns, events}, {noticeColumns, notices}} {
			if err := s.insert(ctx, tx, table.columns, len(some), table.values); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}

// chunks cuts a batch into statements of few lengths, so that each is prepared once.
func (s *books) chunks(batch []*entry) iter.Seq[[]*entry] {
	return func(yield func([]*entry) bool) {
		for size := s.chunk; size > 0; size /= 2 {
			for ; len(batch) >= size; batch = batch[size:] {
				if !yield(batch[:size]) {
					return
				}
			}
		}
	}
}

const (
	requestColumns = `requests (id, short_ref, ref, format, state, reason_detail, version, events, server_id, submission, decision,
		due, attempts, posts, lost_posts, posts_allowed, not_after, clean_since, evidence, recheck, ticket_id, ticket_number,
		created_at, state_at, updated_at)`
	eventColumns  = `events (request_id, seq, at, kind, actor, from_state, to_state, detail)`
	noticeColumns = `notices (request_id, kind, version, place, response_url, response_url_until, channel, ts, shown, way,
		posting, posts, attempts, due, owed, owed_at)`
)

// prepare prepares the statements on the one connection that there is.
func (s *books) prepare(ctx context.Context) error {
	for rows := s.chunk; rows > 0; rows /= 2 {
		for _, columns := range []string{requestColumns, eventColumns, noticeColumns} {
			text := insertSQL(columns, rows)
			stmt, err := s.db.PrepareContext(ctx, text)
			if err != nil {
				return fmt.Errorf("preparing %q: %w", text, err)
			}
			s.prepared[text] = stmt // closed with the process
		}
	}
	return nil
}

func (s *books) insert(ctx context.Context, tx *sql.Tx, columns string, rows int, values []any) error {
	_, err := tx.StmtContext(ctx, s.prepared[insertSQL(columns, rows)]).ExecContext(ctx, values...)
	return err
}

func insertSQL(columns string, rows int) string {
	width := strings.Count(columns, ",") + 1
	var text strings.Builder
	text.WriteString("insert into " + columns + " values ")
	for i := range rows * width {
		switch {
		case i == 0:
			text.WriteString("(")
		case i%width == 0:
			text.WriteString("), (")
		default:
			text.WriteString(", ")
		}
		text.WriteString("$" + strconv.Itoa(i+1))
	}
	return text.String() + ")"
}
