package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxAnswer bounds what the demo reads of one answer.
const maxAnswer = 64 << 20

// client steers the sandbox over HTTP, as any other program does.
type client struct {
	url  string // of the sandbox
	http *http.Client
}

func newClient(url string) client {
	// No proxy of the environment: the sandbox is on loopback.
	return client{url: url, http: &http.Client{Transport: &http.Transport{}, Timeout: 90 * time.Second}}
}

func (c client) close() { c.http.CloseIdleConnections() }

// get reads the JSON at a path; into may be a *string, for the text of a page.
func (c client) get(ctx context.Context, path string, into any) error {
	return c.call(ctx, http.MethodGet, path, nil, into)
}

// post makes a control call and reads its answer.
func (c client) post(ctx context.Context, path string, body, into any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding the body for %s: %w", path, err)
	}
	return c.call(ctx, http.MethodPost, path, encoded, into)
}

func (c client) call(ctx context.Context, method, path string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking for %s: %w", path, err)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("asking for %s: %w", path, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("reading %s: %w", path, err)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("asking for %s: status %d: %.300s", path, response.StatusCode, answer)
	}
	if text, ok := into.(*string); ok {
		*text = string(answer)
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}
