package main

import (
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
)

// maxControlBody bounds the body of a control call.
const maxControlBody = 1 << 20

// guard lets only this machine's own programs, and pages that the sandbox itself
// served, reach the pages and the control routes: another site's page can neither
// rebind its name to loopback nor send a form here.
type guard struct {
	hosts []string // what a Host header may say
}

func newGuard(address net.Addr) guard {
	_, port, _ := net.SplitHostPort(address.String())
	return guard{hosts: []string{address.String(), net.JoinHostPort("localhost", port)}}
}

// wrap checks each request before next sees it, and sets headers that next may make stricter.
func (g guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setSecurityHeaders(w.Header())
		if status, problem := g.check(r); status != 0 {
			writeError(w, status, problem)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
		next.ServeHTTP(w, r)
	})
}

// check returns the status and the words of a refusal, 0 where there is none.
// Sec-Fetch-Site is "none" where a person opened the address:
// https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
func (g guard) check(r *http.Request) (status int, problem string) {
	host := strings.ToLower(r.Host)
	origin := r.Header.Values("Origin")
	site := r.Header.Get("Sec-Fetch-Site")
	switch {
	case !slices.Contains(g.hosts, host):
		return http.StatusForbidden, "the Host header does not name this sandbox"
	case len(origin) > 1 || len(origin) == 1 && !strings.EqualFold(origin[0], "http://"+host):
		return http.StatusForbidden, "the Origin header names another site"
	case site != "" && site != "same-origin" && site != "none":
		return http.StatusForbidden, "the request comes from another site"
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return 0, ""
	case r.Method == http.MethodDelete: // has no body, and no form can send it
		return 0, ""
	}
	// A form cannot send this type: https://fetch.spec.whatwg.org/#cors-safelisted-request-header
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, "the body must be application/json"
	}
	return 0, ""
}

func setSecurityHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}
