package softlayer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// maxAnswer bounds an answer. A server with everything that the detail mask names has about 10 KB.
const maxAnswer = 1 << 20

func newHTTPClient(t *http.Transport) *http.Client {
	return &http.Client{
		Transport: t,
		// A redirect would carry the request, and from 307 on its body, to another address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// readTransport keeps its connections open for a minute. net/http may repeat a GET on a new
// connection when an idle one was dropped; all reads may be repeated.
func readTransport() *http.Transport {
	t := baseTransport()
	t.MaxConnsPerHost = 16
	t.MaxIdleConnsPerHost = t.MaxConnsPerHost
	t.IdleConnTimeout = time.Minute
	return t
}

// filingTransport is for one request, on a fresh connection: net/http repeats requests by
// itself only where a connection was used before. Nothing is written to it after the last look
// (docs/design.md 4.2).
func filingTransport(look *lastLook) *http.Transport {
	t := baseTransport()
	t.DisableKeepAlives = true
	var dialer net.Dialer
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &timelyConn{conn, look}, nil
	}
	return t
}

// baseTransport uses only HTTP/1: over HTTP/2 a server may ask for a request again.
func baseTransport() *http.Transport {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment, // never for loopback
		Protocols:              protocols,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// trace knows whether a byte of the request may have left this process.
type trace struct {
	connected atomic.Bool
	look      *lastLook // of a filing
}

// sent reports whether SoftLayer may have got any of the request.
func (t *trace) sent() bool { return t.connected.Load() && !t.look.heldBack() }

// watch observes the call. net/http reports a connection after its TLS handshake
// and before the first byte of the request is written to it.
func (t *trace) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			t.connected.Store(true)
			if t.look != nil {
				t.look.opened.Store(true)
			}
		},
	})
}

// broken is the error of a call without a complete answer.
func (c *Client) broken(ctx context.Context, k call, t *trace, err error) *Error {
	if inURL := (*url.Error)(nil); errors.As(err, &inURL) {
		err = inURL.Err // without the address, which says nothing new
	}
	failed := &Error{Text: err.Error(), causes: []error{ErrNotSent}}
	if t.sent() {
		failed.causes = []error{ErrAnswerLost}
	}
	for _, ending := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, ending) || errors.Is(ctx.Err(), ending) {
			failed.causes = append(failed.causes, ending)
		}
	}
	return c.cleaned(failed, k)
}

func readBounded(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("reading the answer: longer than %d bytes", maxAnswer)
	}
	return body, nil
}
