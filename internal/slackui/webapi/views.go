package webapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/slack-go/slack"
)

// OpenView opens a modal: docs.slack.dev/reference/methods/views.open. A trigger
// lives 3 s and works once.
func (w *Client) OpenView(ctx context.Context, triggerID string, view slack.ModalViewRequest) (id, hash string, err error) {
	if triggerID == "" {
		return "", "", callError("views.open", slack.ErrParametersMissing)
	}
	return w.callView(ctx, "views.open", viewRequest{TriggerID: triggerID, View: asSent(view)})
}

// UpdateView replaces a modal that still has this hash, and returns the new hash:
// docs.slack.dev/reference/methods/views.update. ErrHashConflict: it was replaced
// meanwhile; ErrViewGone: it was closed. An empty hash replaces whatever is there.
func (w *Client) UpdateView(ctx context.Context, viewID, hash string, view slack.ModalViewRequest) (newHash string, err error) {
	_, newHash, err = w.callView(ctx, "views.update", viewRequest{ViewID: viewID, Hash: hash, View: asSent(view)})
	return newHash, err
}

// viewRequest is the body of a views.* call.
type viewRequest struct {
	TriggerID string   `json:"trigger_id,omitempty"`
	ViewID    string   `json:"view_id,omitempty"`
	Hash      string   `json:"hash,omitempty"`
	View      sentView `json:"view"`
}

// sentView is a slack.ModalViewRequest whose blocks are encoded in place. slack-go encodes them
// apart, and then once more with the view.
type sentView struct {
	slack.ModalViewRequest
	Blocks []slack.Block `json:"blocks"`
}

func asSent(view slack.ModalViewRequest) sentView { return sentView{view, view.Blocks.BlockSet} }

// callView makes a views.* call and returns the view's id and hash.
func (w *Client) callView(ctx context.Context, method string, request viewRequest) (id, hash string, err error) {
	body, err := json.Marshal(request)
	if err != nil {
		return "", "", callError(method, err)
	}
	var answer struct {
		slack.SlackResponse
		View struct{ ID, Hash string }
	}
	if err := w.postView(ctx, method, body, &answer); err != nil {
		return "", "", callError(method, err)
	}
	if err := answer.Err(); err != nil {
		return "", "", callError(method, err)
	}
	return answer.View.ID, answer.View.Hash, nil
}

func (w *Client) postView(ctx context.Context, method string, body []byte, answer any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.apiURL+method, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := w.views.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return statusError(response)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// statusError is the error of an answer that is not 200, as slack-go has it.
func statusError(answer *http.Response) error {
	pause := answer.Header.Get("Retry-After")
	if answer.StatusCode != http.StatusTooManyRequests || pause == "" {
		return slack.StatusCodeError{Code: answer.StatusCode, Status: answer.Status}
	}
	seconds, err := strconv.ParseInt(pause, 10, 64)
	if err != nil {
		return fmt.Errorf("reading Retry-After: %w", err)
	}
	return &slack.RateLimitedError{RetryAfter: time.Duration(seconds) * time.Second}
}
