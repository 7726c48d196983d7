package fakeslack

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxBody bounds each body that the workspace reads, from either side.
const maxBody = 1 << 20

// call is one request to the Web API after its form or JSON has been read.
type call struct {
	token string
	args  map[string]any // strings from a form; any JSON value from a JSON body
	raw   []byte         // the body as JSON, for Exchange
}

// readCall reads arguments as https://docs.slack.dev/apis/web-api/ describes:
// the token from the Authorization header or a form, never from a JSON body.
func readCall(out http.ResponseWriter, r *http.Request, m apiMethod) (call, *apiError) {
	c := call{args: map[string]any{}}
	c.token, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, maxBody))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return c, fail("request_too_large").broke("a request has at most 1 MB", "https://docs.slack.dev/apis/web-api/")
		}
		return c, fail("request_timeout")
	}
	if r.Method == http.MethodGet {
		return c, c.readForm([]byte(r.URL.RawQuery))
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case kind == "application/json" && m.json:
		c.raw = body
		return c, c.readJSON(body)
	case kind == "application/json":
		c.raw = body
		return c, nil // Slack ignores JSON arguments where it documents none
	case kind == "application/x-www-form-urlencoded", len(body) == 0:
		return c, c.readForm(body)
	}
	return c, fail("invalid_post_type").broke("a body is a form or JSON", "https://docs.slack.dev/apis/web-api/")
}

func (c *call) readForm(body []byte) *apiError {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return fail("invalid_form_data").broke("a form is well formed", "https://docs.slack.dev/apis/web-api/")
	}
	for name := range values {
		c.args[name] = values.Get(name)
	}
	if token := values.Get("token"); token != "" && c.token == "" {
		c.token = token
	}
	delete(c.args, "token")
	c.raw = encode(readable(values))
	return nil
}

func (c *call) readJSON(body []byte) *apiError {
	if len(bytes.TrimSpace(body)) == 0 || string(bytes.TrimSpace(body)) == "null" {
		return nil
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fail("invalid_json").broke("a JSON body is well formed", "https://docs.slack.dev/apis/web-api/")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return fail("json_not_object").broke("a JSON body is an object", "https://docs.slack.dev/apis/web-api/")
	}
	c.args = object
	return nil
}

// text returns an argument as a string, "" if it is absent.
func (c call) text(name string) string {
	switch v := c.args[name].(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// flag returns an argument as a boolean.
func (c call) flag(name string) bool {
	on, err := strconv.ParseBool(c.text(name))
	return err == nil && on
}

// value returns a structured argument: JSON itself, or JSON in a string as forms
// carry it. known is false where it is absent or null; an error means broken JSON.
func (c call) value(name string) (value any, known bool, err error) {
	value, known = c.args[name]
	if s, ok := value.(string); ok {
		if strings.TrimSpace(s) == "" {
			return nil, false, nil
		}
		if err := json.Unmarshal([]byte(s), &value); err != nil {
			return nil, true, err
		}
	}
	return value, known && value != nil, nil
}
