package main

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

func checkSlackAPI(raw string) string {
	if problem := checkBaseURL(raw); problem != "" {
		return problem
	}
	if !strings.HasSuffix(raw, "/") {
		return "has no slash at its end; add it"
	}
	return ""
}

func checkBaseURL(raw string) string {
	if strings.ContainsAny(raw, "?#") {
		return "has a query or a fragment; give the base alone"
	}
	return checkWebAddress(raw)
}

// checkWebAddress: credentials and links go over https, or stay on this machine.
func checkWebAddress(raw string) string {
	address, err := url.Parse(raw)
	switch {
	case err != nil || address.Hostname() == "" || strings.ContainsFunc(raw, isSpaceOrControl):
		return "not a web address; write it as https://HOST/PATH"
	case address.User != nil:
		return "holds a user name or a password; leave them out"
	case address.Scheme == "https" || address.Scheme == "http" && isLoopback(address.Hostname()):
		return ""
	default:
		return "neither https nor http to loopback; use https"
	}
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// checkTicketURL also keeps out what would end a link in Slack's markup.
func checkTicketURL(template string) string {
	if strings.ContainsAny(template, `<>|"`) {
		return `holds one of < > | "; write it percent-encoded`
	}
	if problem := checkWebAddress(template); problem != "" {
		return problem
	}
	rest := strings.NewReplacer("{id}", "", "{number}", "").Replace(template)
	switch {
	case strings.ContainsAny(rest, "{}"):
		return "holds braces other than {id} and {number}; leave them out"
	case rest == template:
		return "holds neither {id} nor {number}; put one where the ticket's goes"
	}
	return ""
}

func checkAddr(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || strings.ContainsFunc(host, isSpaceOrControl) {
		return "not of the form HOST:PORT; write it like 127.0.0.1:3000"
	}
	return ""
}
