package fakesoftlayer_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakesoftlayer"
)

// read opens a page as a browser would, with no key.
func (w *world) read(path string) (string, *http.Response) {
	w.Helper()
	response, err := http.Get(w.server.URL + "/fake/" + path)
	require.NoError(w, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(w, err)
	return string(body), response
}

func TestPageShowsServersAndTicketsWithRelativeLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 130)
	id := w.account.Cancelable()
	ticket := w.object(w.cancel(id))["id"]
	front, response := w.read("")
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Contains(t, response.Header.Get("Content-Security-Policy"), "default-src 'none'")
	link := fmt.Sprintf(`<a href="tickets/%.0f">`, ticket)
	assert.Contains(t, front, link)
	assert.Contains(t, front, "The first 100 are shown")
	found, _ := w.read(fmt.Sprintf("?q=%d", id))
	assert.Contains(t, found, fmt.Sprintf(`<td class="number">%d</td>`, id))
	assert.Contains(t, found, "<small>1 found</small>")
	style, response := w.read("style.css")
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.NotContains(t, style, "url(")
	one, response := w.read(fmt.Sprintf("tickets/%.0f", ticket))
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Contains(t, one, "because")
	assert.Contains(t, one, `href="../style.css"`)
	_, response = w.read("tickets/1")
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
	_, response = w.read("nothing")
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
}

func TestPageEscapesWhatPeopleWrote(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	id := w.account.Cancelable()
	const attack = `</pre><script>alert(1)</script>"><img src=x>`
	w.mustSteer("/server", w.json(map[string]any{"id": id, "patch": map[string]any{"fullyQualifiedDomainName": attack}}))
	ticket := w.object(w.post(cancelMethod, id, "No longer needed", attack, false, "HARDWARE"))["id"]
	for _, path := range []string{"", fmt.Sprintf("tickets/%.0f", ticket), "?q=%22%3E%3Cscript%3E"} {
		page, _ := w.read(path)
		assert.NotContains(t, page, "<script>", path)
		assert.NotContains(t, page, "<img", path)
		assert.Contains(t, page, "&lt;script&gt;", path)
	}
}

func TestAPersonCanBeStaffOnThePage(t *testing.T) {
	t.Parallel()
	w, _, ticket := filed(t, fakesoftlayer.Unproven{})
	id := w.object(w.get(ticket))["id"]
	page := func() string {
		text, _ := w.read(fmt.Sprintf("tickets/%.0f", id))
		return text
	}
	act := func(order, kind string) int {
		t.Helper()
		response, err := http.Post(w.server.URL+"/fake/staff", kind, strings.NewReader(fmt.Sprintf(`{"ticket":%.0f,%s}`, id, order)))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	fresh := page()
	assert.Contains(t, fresh, `data-ticket="`+fmt.Sprintf("%.0f", id)+`"`)
	assert.Contains(t, fresh, `action="../staff"`)
	for _, button := range []string{"answer", "approve", "close"} {
		assert.Contains(t, fresh, `<button value="`+button+`">`)
	}
	script, response := w.read("page.js")
	assert.Contains(t, response.Header.Get("Content-Type"), "javascript")
	assert.Contains(t, script, `"Content-Type": "application/json"`)

	assert.Equal(t, http.StatusUnsupportedMediaType, act(`"do":"close"`, "text/plain"), "what a form of another page could send")
	assert.Equal(t, http.StatusOK, act(`"do":"answer","text":"Which rack?","waits_for_customer":true`, "application/json"))
	assert.Contains(t, page(), "Which rack?")
	assert.Contains(t, page(), "customer's answer</dd>")
	assert.Equal(t, http.StatusOK, act(`"do":"approve"`, "application/json"))
	assert.Contains(t, page(), "Approved, ends 2026-12-01T00:00:00-06:00")
	assert.NotContains(t, page(), `value="approve"`)
	assert.Equal(t, http.StatusOK, act(`"do":"close"`, "application/json"))
	assert.Contains(t, page(), `<button value="reopen">`)
	assert.NotContains(t, page(), `value="close"`)
}
