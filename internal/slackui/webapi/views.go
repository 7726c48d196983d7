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
	return w.callView(ctx, "views.open", viewRequest{TriggerID: triggerID, View: w.mark.view(view)})
}

// PushView opens a modal over the one that was acted in: docs.slack.dev/reference/methods/views.push.
func (w *Client) PushView(ctx context.Context, triggerID string, view slack.ModalViewRequest) (id, hash string, err error) {
	if triggerID == "" {
		return "", "", callError("views.push", slack.ErrParametersMissing)
	}
	return w.callView(ctx, "views.push", viewRequest{TriggerID: triggerID, View: w.mark.view(view)})
}

// UpdateView replaces a modal that still has this hash, and returns the new hash:
// docs.slack.dev/reference/methods/views.update. ErrHashConflict: it was replaced
// meanwhile; ErrViewGone: it was closed. An empty hash replaces whatever is there.
func (w *Client) UpdateView(ctx context.Context, viewID, hash string, view slack.ModalViewRequest) (newHash string, err error) {
	_, newHash, err = w.callView(ctx, "views.update", viewRequest{ViewID: viewID, Hash: hash, View: w.mark.view(view)})
	return newHash, err
}

// PublishView replaces what a person sees in the app's Home tab:
// docs.slack.dev/reference/methods/views.publish. The view's type is "home".
func (w *Client) PublishView(ctx context.Context, user string, view slack.ModalViewRequest) error {
	_, _, err := w.callView(ctx, "views.publish", viewRequest{UserID: user, View: w.mark.view(view)})
	return err
}

// viewRequest is the body of a views.* call.
type viewRequest struct {
	UserID    string   `json:"user_id,omitempty"`
	TriggerID string   `json:"trigger_id,omitempty"`
	ViewID    string   `json:"view_id,omitempty"`
	Hash      string   `json:"hash,omitempty"`
	View      sentView `json:"view"`
}

// sentView is a slack.ModalViewRequest that is encoded without its blocks.
type sentView struct {
	slack.ModalViewRequest
	Blocks *struct{} `json:"blocks,omitempty"` // in place of the other's
}

// encoded is the request with the view's blocks, each encoded in its place. slack-go encodes all
// blocks apart, and then once more with the view.
func (r viewRequest) encoded() ([]byte, error) {
	head, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	body := bytes.NewBuffer(make([]byte, 0, len(head)+viewRoom))
	body.Write(bytes.TrimSuffix(head, []byte("}}"))) // the view stands last, and is never empty
	body.WriteString(`,"blocks":[`)
	for n, block := range r.View.ModalViewRequest.Blocks.BlockSet {
		encoded, err := encodeBlock(block)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			body.WriteByte(',')
		}
		body.Write(encoded)
	}
	body.WriteString("]}}")
	return body.Bytes(), nil
}

// viewRoom is about what the blocks of a form without a card take.
const viewRoom = 3 << 10

// encodeBlock takes what a block writes of itself as it is; json.Marshal would walk through it.
func encodeBlock(b slack.Block) ([]byte, error) {
	if own, ok := b.(json.Marshaler); ok {
		return own.MarshalJSON()
	}
	return json.Marshal(b)
}

// viewAnswer is what is read of the answer of a views.* call.
type viewAnswer struct {
	slack.SlackResponse
	View struct{ ID, Hash string }
}

// callView makes a views.* call and returns the view's id and hash.
func (w *Client) callView(ctx context.Context, method string, request viewRequest) (id, hash string, err error) {
	answer, err := w.postView(ctx, method, request)
	if err == nil {
		err = answer.Err()
	}
	if err != nil {
		err = callError(method, err)
	}
	w.limits.called(method, err)
	if err != nil {
		return "", "", err
	}
	return answer.View.ID, answer.View.Hash, nil
}

// postView makes the call without a http.Client, which would copy the request to add the token and
// a time limit.
func (w *Client) postView(ctx context.Context, method string, request viewRequest) (answer viewAnswer, err error) {
	body, err := request.encoded()
	if err != nil {
		return answer, err
	}
	ctx, cancel := context.WithTimeout(ctx, w.views.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.apiURL+method, bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	r.Header.Set("Content-Type", "application/json")
	err = w.decode(r, &answer)
	return answer, err
}

// decode carries a call and decodes its answer.
func (w *Client) decode(r *http.Request, answer any) error {
	r.Header.Set("Authorization", w.bearer())
	response, err := w.views.Transport.RoundTrip(r)
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
