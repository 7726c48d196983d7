package softlayer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"cancel-server/internal/cancellation"
)

// call is one method of one service, as the vendor names them
// (https://sldn.softlayer.com/article/rest/).
type call struct {
	service string
	method  string
	id      int64  // of the object that the method is for; 0 for none
	params  []any  // positional; with any the call is a POST
	mask    string // https://sldn.softlayer.com/article/object-masks/
	filter  any    // https://sldn.softlayer.com/article/object-filters/
	offset  int
	limit   int  // rows; 0 for a method that returns no list
	filing  bool // a call that must never go out twice

	header *http.Header // if not nil: set to the header of an answer that is one
	raw    *string      // if not nil: set to the answer as it came, if there is one
}

// name is the method as the vendor writes it: SoftLayer_Ticket/getObject.
func (k call) name() string { return k.service + "/" + k.method }

// request builds the HTTP request. A body has no GetBody: nothing can send it again.
func (k call) request(ctx context.Context, base string) (*http.Request, error) {
	query, err := k.query()
	if err != nil {
		return nil, err
	}
	address := base + "/" + k.path()
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	if k.params == nil {
		return http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	}
	body, err := json.Marshal(map[string]any{"parameters": k.params})
	if err != nil {
		return nil, fmt.Errorf("writing the parameters: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		return nil, err
	}
	request.ContentLength = int64(len(body))
	request.Header.Set("Content-Type", "application/json")
	return request, nil
}

func (k call) path() string {
	if k.id == 0 {
		return k.name() + ".json"
	}
	return k.service + "/" + strconv.FormatInt(k.id, 10) + "/" + k.method + ".json"
}

func (k call) query() (url.Values, error) {
	query := url.Values{}
	if k.mask != "" {
		query.Set("objectMask", k.mask)
	}
	if k.filter != nil {
		text, err := json.Marshal(k.filter)
		if err != nil {
			return nil, fmt.Errorf("writing the filter: %w", err)
		}
		query.Set("objectFilter", string(text))
	}
	if k.limit > 0 { // https://sldn.softlayer.com/article/using-result-limits-softlayer-api/
		query.Set("resultLimit", strconv.Itoa(k.offset)+","+strconv.Itoa(k.limit))
	}
	return query, nil
}

// tree is one level of an object filter.
type tree map[string]any

// where is a filter on one property.
func where(operation any) tree { return tree{"operation": operation} }

// ascending and descending sort by one property, which must not be filtered at the same time.
func ascending() tree  { return orderBy("ASC") }
func descending() tree { return orderBy("DESC") }

func orderBy(direction string) tree {
	return tree{"operation": "orderBy", "options": []tree{{"name": "sort", "value": []string{direction}}}}
}

// get makes a call that reads, and decodes the answer over what is already known.
// cancellation.ErrReadRefused: the key lacks a right to it.
func (c *Client) get(ctx context.Context, k call, into any) error {
	body, err := c.do(ctx, k)
	if readRefused(err) {
		return fmt.Errorf("%w: %w", cancellation.ErrReadRefused, err)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return c.cleaned(unusable(http.StatusOK, err.Error()), k)
	}
	return nil
}
