package fakesoftlayer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxBody bounds what a client may send.
const maxBody = 1 << 20

// request is one call of a method, in either URL style.
// https://sldn.softlayer.com/article/rest/
type request struct {
	httpMethod, version string
	service, method     string
	id                  string
	arguments           []any
	query               url.Values
	body                []byte
	malformed           bool
	broke               []Broken
}

// name is the method as the vendor names it, such as "SoftLayer_Ticket/getObject".
func (r *request) name() string { return r.service + "/" + r.method }

// brokeRule notes that the client broke a rule of the vendor.
func (r *request) brokeRule(rule, source string) { r.broke = append(r.broke, Broken{rule, source}) }

func isAPI(path string) bool { return strings.HasPrefix(path, "/rest/") }

// readRequest reads URL and body; what it cannot read is malformed.
func readRequest(w http.ResponseWriter, r *http.Request) *request {
	q := &request{httpMethod: r.Method, query: r.URL.Query()}
	q.readPath(r.URL.EscapedPath())
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	q.body = body
	switch {
	case err != nil:
		q.malformed = true
	case r.Method == http.MethodPost:
		q.readParameters()
	case r.Method != http.MethodGet:
		q.malformed = true
	}
	return q
}

// readPath takes /rest/VERSION/SERVICE[/ID][/METHOD[/ARGUMENT...]][.json] apart.
func (r *request) readPath(escaped string) {
	var parts []string
	for part := range strings.SplitSeq(strings.TrimPrefix(escaped, "/rest/"), "/") {
		text, err := url.PathUnescape(part)
		r.malformed = r.malformed || err != nil
		parts = append(parts, text)
	}
	last := len(parts) - 1
	parts[last] = strings.TrimSuffix(parts[last], ".json")
	r.version, parts = parts[0], parts[1:]
	if len(parts) == 0 || parts[0] == "" {
		r.malformed = true
		return
	}
	r.service, parts = parts[0], parts[1:]
	if len(parts) > 0 && isID(parts[0]) {
		r.id, parts = parts[0], parts[1:]
	}
	if len(parts) == 0 || parts[0] == "" {
		r.method = impliedMethod(r.httpMethod)
		return
	}
	r.method = strings.TrimSuffix(parts[0], ".json")
	for _, argument := range parts[1:] {
		r.arguments = append(r.arguments, argument)
	}
}

// impliedMethod is what a URL without a method means.
func impliedMethod(httpMethod string) string {
	if httpMethod == http.MethodPost {
		return "createObject"
	}
	return "getObject"
}

func isID(text string) bool {
	_, err := strconv.ParseUint(text, 10, 63)
	return err == nil
}

// readParameters reads {"parameters":[...]}: positions, never names.
func (r *request) readParameters() {
	if len(bytes.TrimSpace(r.body)) == 0 {
		return
	}
	var envelope struct {
		Parameters any `json:"parameters"`
	}
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.UseNumber()
	if err := decoder.Decode(&envelope); err != nil {
		r.malformed = true
		return
	}
	switch parameters := envelope.Parameters.(type) {
	case []any:
		r.arguments = parameters
	case nil:
	default:
		r.brokeRule("parameters are a list of positions, never names", "https://sldn.softlayer.com/article/rest/")
	}
}

// argument is the i-th parameter as text. Scalars may arrive as strings, as
// the vendor's own command line sends them; anything else is not there.
func (r *request) argument(i int) string {
	if i >= len(r.arguments) {
		return ""
	}
	switch value := r.arguments[i].(type) {
	case string, json.Number, bool:
		return fmt.Sprint(value)
	}
	return ""
}

// window is the part of a list that is asked for.
type window struct{ offset, limit int }

// window reads resultLimit, "OFFSET,LIMIT" or "LIMIT"; without one, a page of rows, or all
// if the page is 0.
func (r *request) window(page int) window {
	all := window{0, cmp.Or(page, math.MaxInt)}
	text := r.query.Get("resultLimit")
	if text == "" {
		return all
	}
	first, second, two := strings.Cut(text, ",")
	if !two {
		first, second = "0", text
	}
	offset, errOffset := strconv.Atoi(strings.TrimSpace(first))
	limit, errLimit := strconv.Atoi(strings.TrimSpace(second))
	if errOffset != nil || errLimit != nil || offset < 0 || limit < 0 {
		r.brokeRule("resultLimit is OFFSET,LIMIT", "https://sldn.softlayer.com/article/using-result-limits-softlayer-api/")
		return all
	}
	return window{offset, limit}
}

func (w window) cut(list []any) []any {
	list = list[min(w.offset, len(list)):]
	return list[:min(w.limit, len(list))]
}
