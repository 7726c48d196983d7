package webapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxVerdict bounds what Slack answers to a response_url: a word or two.
const maxVerdict = 4 << 10

// okTransport reads what Slack answers to a response_url. slack-go looks only at the status,
// and a 200 may have a refusal in its body.
type okTransport struct{ base http.RoundTripper }

// RoundTrip returns an error for a 200 whose body is not ok.
func (s okTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.base.RoundTrip(r)
	if err != nil || response.StatusCode != http.StatusOK {
		return response, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxVerdict))
	if err == nil {
		err = notOK(body)
	}
	if err != nil {
		return nil, err
	}
	response.Body = http.NoBody
	return response, nil
}

// notOK is nil for the answers that mean success: "ok", {"ok":true}, or nothing.
func notOK(body []byte) error {
	text := strings.TrimSpace(string(body))
	if text == "" || text == "ok" {
		return nil
	}
	var answer struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	switch err := json.Unmarshal(body, &answer); {
	case err != nil:
		return fmt.Errorf("reading the answer to response_url: %w", errors.Join(errNoVerdict, err))
	case answer.OK:
		return nil
	case answer.Error == "":
		return &Error{Method: "response_url", Code: noWord}
	}
	return &Error{Method: "response_url", Code: answer.Error}
}

// errNoVerdict: the message may stand.
var errNoVerdict = errors.New("neither ok nor an error")
