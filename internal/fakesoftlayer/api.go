package fakesoftlayer

import (
	"bytes"
	"cmp"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxWideRows is how many rows come with tags or billing before SoftLayer
// gives up: 70 failed and 10 worked in
// https://github.com/softlayer/softlayer-python/issues/943.
const maxWideRows = 10

// maxNarrowRows is how many rows come with a few plain properties of a relation. The vendor's own
// client reads pages of 100 with "hardware[id,fullyQualifiedDomainName,billingItem[cancellationDate]]"
// on each row; that more fails is unproven.
// https://github.com/softlayer/softlayer-python/blob/master/SoftLayer/CLI/report/dc_closures.py
const maxNarrowRows = 100

// method is one method of the imitated API.
type method struct {
	// returns is the data type of the object or of the list's elements; empty
	// for a bare value.
	returns string
	// root is the name under which an objectFilter speaks of a list's elements;
	// empty for a method that returns no list or takes no filter.
	root string
	// page is how many rows come without a resultLimit; all if it is 0.
	page int
	// mask is used when the client sends none.
	mask string
	// run does it, under the account's lock. Its result is a tree, a list, a
	// bare value, or nil for null.
	run func(*Account, *request) (any, error)
}

// response is what goes back over HTTP.
type response struct {
	status int
	total  int // SoftLayer-Total-Items; not sent if negative
	body   []byte
}

func (n response) send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	if n.total >= 0 {
		w.Header().Set("SoftLayer-Total-Items", strconv.Itoa(n.total))
	}
	w.WriteHeader(n.status)
	_, _ = w.Write(n.body) // the client may have left
}

func errorResponse(err error) response {
	var e *apiError
	if !errors.As(err, &e) {
		e = errInternal()
	}
	return response{e.status, -1, encode(e)}
}

// work authenticates one request and carries it out. It is one step under the lock.
func (a *Account) work(h http.Header, q *request) response {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.roll()
	if !a.authentic(h) {
		return errorResponse(errUnauthorized())
	}
	m, err := a.find(q)
	if err != nil {
		return errorResponse(err)
	}
	view, err := a.view(m, q)
	if err != nil {
		return errorResponse(err)
	}
	value, err := m.run(a, q)
	if err != nil {
		return errorResponse(err)
	}
	return a.show(m, q, view, value)
}

// authentic checks HTTP Basic. Both parts are always compared.
func (a *Account) authentic(h http.Header) bool {
	r := http.Request{Header: h}
	user, secret, _ := r.BasicAuth()
	known := subtle.ConstantTimeCompare([]byte(user), []byte(username)) |
		subtle.ConstantTimeCompare([]byte(user), []byte("apikey"))
	return known == 1 && a.key.opens(secret)
}

func (a *Account) find(q *request) (method, error) {
	searching := q.service == "SoftLayer_Search"
	if q.malformed || q.version != "v3.1" && (q.version != "v3" || searching) {
		return method{}, errBadRequest()
	}
	if m, ok := a.methods[q.name()]; ok {
		return m, nil
	}
	if a.hasService(q.service) {
		return method{}, errMethod(q.method)
	}
	return method{}, errService(q.service)
}

// view reads the request's mask, or the method's own. It is read before the
// method runs: a bad mask has no effect.
func (a *Account) view(m method, q *request) (*mask, error) {
	if m.returns == "" {
		return nil, nil
	}
	view, err := parseMask(cmp.Or(q.query.Get("objectMask"), m.mask))
	if err != nil {
		return nil, fmt.Errorf("reading the objectMask: %w", err)
	}
	return view, view.check(m.returns, func(name string) {
		q.brokeRule("no mask asks for passwords ("+name+")",
			"https://sldn.softlayer.com/reference/datatypes/SoftLayer_Software_Component_Password/")
	})
}

// show filters, sorts, pages and masks what a method found.
func (a *Account) show(m method, q *request, view *mask, value any) response {
	switch value := value.(type) {
	case tree:
		return response{http.StatusOK, -1, encode(a.project(m.returns, value, view))}
	case []any:
		if m.returns != "" {
			return a.showList(m, q, view, value)
		}
	}
	return response{http.StatusOK, -1, encode(value)}
}

func (a *Account) showList(m method, q *request, view *mask, list []any) response {
	part := q.window(m.page)
	list = a.arrange(m, q, list, part.offset > 0)
	total := len(list)
	list = part.cut(list)
	if most := mostRows(view); m.returns == hardwareType && len(list) > most {
		q.brokeRule(fmt.Sprintf("what this mask asks for is not asked for on more than %d rows", most),
			"https://github.com/softlayer/softlayer-python/issues/943")
		return errorResponse(errInternal())
	}
	rows := []tree{}
	for _, element := range list {
		if object, ok := element.(tree); ok {
			rows = append(rows, a.project(m.returns, object, view))
		}
	}
	return response{http.StatusOK, total, encode(rows)}
}

// unordered are the types of which the account has many, in no order unless one is asked for.
var unordered = []string{hardwareType, ticketType, storageType, subnetType, vlanType, podType}

// arrange filters and sorts. Without an order SoftLayer promises none, so the
// fake gives another one each time.
func (a *Account) arrange(m method, q *request, list []any, paging bool) []any {
	f := filter{}
	if text := q.query.Get("objectFilter"); text != "" {
		var err error
		if f, err = parseFilter(text, m.root, m.returns); err != nil {
			q.brokeRule("a badly built objectFilter is ignored and everything is returned: "+err.Error(),
				"https://sldn.softlayer.com/article/object-filters/")
			f = filter{}
		}
	}
	if m.returns == searchType {
		return list // sorted by relevance
	}
	list = slices.Clone(list)
	if f.order == nil && slices.Contains(unordered, m.returns) {
		a.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if paging {
			q.brokeRule("paging needs an orderBy: without one the order may change between calls",
				"https://sldn.softlayer.com/article/using-result-limits-softlayer-api/")
		}
	}
	return a.apply(f, m.returns, list)
}

// mostRows is how many servers come with what a mask asks for.
func mostRows(view *mask) int {
	most := math.MaxInt
	if view == nil {
		return most
	}
	for _, f := range view.fields {
		switch f.name {
		case "tagReferences", "operatingSystem", "activeTickets", "allowedNetworkStorage":
			return maxWideRows
		case "billingItem", "networkVlans", "backendRouters":
			if !f.isNarrow() {
				return maxWideRows
			}
			most = maxNarrowRows
		}
	}
	return most
}

// isNarrow tells whether a field of a mask names a few plain properties of a relation: neither
// the whole object, nor what hangs on that, nor sums over it.
func (f field) isNarrow() bool {
	return f.sub != nil && !slices.ContainsFunc(f.sub.fields, func(sub field) bool {
		return sub.sub != nil || isRelation(sub.name) || strings.HasPrefix(sub.name, "nextInvoice")
	})
}

// encode writes a value that came from JSON or from our own trees.
func encode(value any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return []byte(`{"error":"Internal Error","code":"SoftLayer_Exception_Public"}`)
	}
	return bytes.TrimSpace(buffer.Bytes())
}
