package softlayer_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/softlayer"
)

// light are the rows of an account that heeds no filter.
const light = `[
	{"id":3,"hostname":"old-web","domain":"example.com","fullyQualifiedDomainName":"old-web.example.com","primaryBackendIpAddress":"10.1.0.3"},
	{"id":2,"hostname":"web-002","domain":"example.net","fullyQualifiedDomainName":"web-002.example.net","primaryIpAddress":"198.51.100.7","primaryBackendIpAddress":"10.1.0.2"},
	{"id":9,"hostname":"WEB","domain":"example.org","fullyQualifiedDomainName":"WEB.example.org","primaryBackendIpAddress":"10.10.0.1","datacenter":{"name":"fra02"}},
	{"id":4,"hostname":"db-004","domain":"web.example.com","fullyQualifiedDomainName":"db-004.web.example.com","primaryBackendIpAddress":"110.1.0.1"},
	{"id":1,"hostname":"web-001","domain":"example.com","fullyQualifiedDomainName":"web-001.example.com","primaryIpAddress":"198.51.100.70"},
	{"id":7,"hostname":"198-web","domain":"example.com","fullyQualifiedDomainName":"198-web.example.com"}
]`

func TestSearchFindsTheNearestFirst(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][]int64{
		"web":             {9, 1, 2, 7, 4, 3},
		" WEB ":           {9, 1, 2, 7, 4, 3},
		"web-0":           {1, 2},
		"web-001.":        {1},
		"web-001.example": {1},
		"WEB.example.ORG": {9},
		"web.example":     {9, 7, 4, 3},
		"198.51.100.7":    {2, 1},
		"10.1.":           {3, 2},
		"10.10.0.1":       {9},
		"198":             {7},
		"004":             {4},
		"nothing":         nil,
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, func(w http.ResponseWriter, got received) {
				if strings.Contains(got.Path, "Hardware_Server") {
					w.WriteHeader(http.StatusNotFound)
					_, _ = io.WriteString(w, `{"error":"x","code":"SoftLayer_Exception_ObjectNotFound"}`)
					return
				}
				_, _ = io.WriteString(w, light)
			})
			got, err := v.client(t).Search(t.Context(), query, 25)
			require.NoError(t, err)
			var ids []int64
			for _, server := range got {
				ids = append(ids, server.ID)
			}
			assert.Equal(t, want, ids)
			few, err := v.client(t).Search(t.Context(), query, 1)
			require.NoError(t, err)
			assert.Len(t, few, min(1, len(want)), "no more than asked for")
		})
	}
}

func TestASearchAsksOnePropertyACall(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][]string{
		"Web":                    {`{"hardware":{"fullyQualifiedDomainName":{"operation":"*= web"}}}`, `{"hardware":{"hostname":{"operation":"_= web"}}}`, `{"hardware":{"hostname":{"operation":"^= web"}}}`},
		"web-1.exa":              {`{"hardware":{"fullyQualifiedDomainName":{"operation":"_= web-1.exa"}}}`, `{"hardware":{"fullyQualifiedDomainName":{"operation":"*= web-1.exa"}}}`, `{"hardware":{"hostname":{"operation":"$= web-1"}}}`},
		".example":               {`{"hardware":{"fullyQualifiedDomainName":{"operation":"*= .example"}}}`, `{"hardware":{"hostname":{"operation":"_= .example"}}}`, `{"hardware":{"hostname":{"operation":"^= .example"}}}`},
		"10.1.":                  {`{"hardware":{"primaryBackendIpAddress":{"operation":"^= 10.1."}}}`, `{"hardware":{"primaryIpAddress":{"operation":"^= 10.1."}}}`},
		"10.1.2.3":               {`{"hardware":{"primaryBackendIpAddress":{"operation":"^= 10.1.2.3"}}}`, `{"hardware":{"primaryIpAddress":{"operation":"^= 10.1.2.3"}}}`, `{"hardware":{"primaryBackendIpAddress":{"operation":"10.1.2.3"}}}`, `{"hardware":{"primaryIpAddress":{"operation":"10.1.2.3"}}}`},
		"7":                      {"id 7", `{"hardware":{"hostname":{"operation":"*= 7"}}}`, `{"hardware":{"hostname":{"operation":"^= 7"}}}`},
		"9999999999999999999999": {`{"hardware":{"hostname":{"operation":"*= 9999999999999999999999"}}}`, `{"hardware":{"hostname":{"operation":"^= 9999999999999999999999"}}}`},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, func(w http.ResponseWriter, got received) {
				if strings.HasSuffix(got.Path, "SoftLayer_Hardware_Server/7/getObject.json") {
					_, _ = io.WriteString(w, `{"id":7,"hostname":"db-1"}`)
					return
				}
				_, _ = io.WriteString(w, "[]")
			})
			_, err := v.client(t).Search(t.Context(), query, 25)
			require.NoError(t, err)
			var asked []string
			for _, call := range v.received() {
				if call.Filter == "" {
					asked = append(asked, "id 7")
					continue
				}
				asked = append(asked, call.Filter)
				assert.Equal(t, "0,25", call.Limits)
			}
			slices.Sort(asked)
			slices.Sort(want)
			assert.Equal(t, want, asked)
		})
	}
}

func TestTextThatCouldChangeTheFilterAsksNothing(t *testing.T) {
	t.Parallel()
	v := newVendor(t, says(200, light))
	c := v.client(t)
	for _, query := range []string{
		"", " ", "w", "-", "*", "*web", "web*", "^= web", "> 1", "~web", "!= x", "we b", `we"b`, "web\x00", "wéb", "is null ", "<!channel>", "web,db", "web%", "１２",
	} {
		got, err := c.Search(t.Context(), query, 25)
		require.NoError(t, err, query)
		assert.Empty(t, got, "%q", query)
	}
	assert.Empty(t, v.received(), "calls")
}

func TestSearchReportsFailureAndReturnsTheRest(t *testing.T) {
	t.Parallel()
	v := newVendor(t, func(w http.ResponseWriter, got received) {
		if strings.Contains(got.Filter, "fullyQualified") {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, internalError)
			return
		}
		_, _ = io.WriteString(w, light)
	})
	got, err := v.client(t).Search(t.Context(), "web", 25)
	require.ErrorIs(t, err, softlayer.ErrAnswerLost)
	require.ErrorContains(t, err, `searching servers for "web"`)
	assert.Len(t, got, 6)
}

func TestTheLimitOfASearchIsBounded(t *testing.T) {
	t.Parallel()
	var rows []map[string]any
	for i := range 300 {
		rows = append(rows, map[string]any{"id": i + 1, "hostname": fmt.Sprintf("web-%03d", i)})
	}
	body, err := json.Marshal(rows)
	require.NoError(t, err)
	v := newVendor(t, says(200, string(body)))
	c := v.client(t)
	for limit, want := range map[int]int{-1: 1, 0: 1, 25: 25, 100: 100, 101: 100, 1 << 30: 100} {
		got, err := c.Search(t.Context(), "web", limit)
		require.NoError(t, err)
		assert.Len(t, got, want)
	}
}
