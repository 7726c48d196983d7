package fakesoftlayer

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
)

//go:embed page.html page.js style.css
var assets embed.FS

// maxListed bounds each list on the page.
const maxListed = 100

// frontPage is what the page at / shows.
type frontPage struct {
	Seed           uint64
	Query          string
	Servers        []serverRow
	ServersFound   int
	Tickets        []ticketRow
	TicketsInTotal int
}

// serverRow and ticketRow are lines of its lists.
type serverRow struct {
	ID, Name, Place, Public, Private, State string
	Ticket                                  string
}

type ticketRow struct {
	ID, Number, Title, Status, Created, Server string
}

// ticketPage is what the page of one ticket shows.
type ticketPage struct {
	ticketRow
	ServerID           string
	Cancellation, Ends string // its state and date; empty if there is none
	Open, Approvable   bool
	Waits              bool // for the customer's answer
	Updates            []updateRow
}

type updateRow struct{ By, At, Entry string }

// page serves the pages for people. Its links are relative, so that it may
// stand under any prefix.
func (a *Account) page() http.Handler {
	templates := template.Must(template.ParseFS(assets, "page.html"))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		show(w, templates, "front", a.front(r.URL.Query().Get("q")))
	})
	mux.HandleFunc("GET /tickets/{id}", func(w http.ResponseWriter, r *http.Request) {
		view, ok := a.ticketPage(number(r.PathValue("id")))
		if !ok {
			http.NotFound(w, r)
			return
		}
		show(w, templates, "ticket", view)
	})
	for _, name := range []string{"style.css", "page.js"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, assets, name)
		})
	}
	mux.Handle("POST /staff", steer(a.staff)) // JSON only: no form of another site's page can send it
	return mux
}

// show renders whole before it writes, so that a page comes entire or not at all.
func show(w http.ResponseWriter, templates *template.Template, name string, view any) {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name, view); err != nil {
		http.Error(w, "rendering the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = page.WriteTo(w) // the reader may have left
}

func (a *Account) front(query string) frontPage {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := a.found(query)
	page := frontPage{
		Seed: a.options.Seed, Query: query, ServersFound: len(found), TicketsInTotal: len(a.ticketIDs),
	}
	for _, s := range found[:min(maxListed, len(found))] {
		page.Servers = append(page.Servers, a.serverRow(s))
	}
	for _, id := range slices.Backward(a.ticketIDs[max(0, len(a.ticketIDs)-maxListed):]) {
		page.Tickets = append(page.Tickets, a.ticketRow(a.tickets[id]))
	}
	return page
}

func (a *Account) serverRow(s *server) serverRow {
	row := serverRow{
		ID: text(s.tree, "id"), Name: text(s.tree, "fullyQualifiedDomainName"),
		Place: text(s.tree, "datacenter", "longName"), Public: text(s.tree, "primaryIpAddress"),
		Private: text(s.tree, "primaryBackendIpAddress"), State: text(s.tree, "hardwareStatus", "status"),
	}
	if t := a.standing(number(s.tree["id"])); t != nil {
		row.Ticket = text(t.tree, "id")
	}
	return row
}

func (a *Account) ticketRow(t *ticket) ticketRow {
	row := ticketRow{
		ID: text(t.tree, "id"), Number: text(t.tree, "serviceProviderResourceId"), Title: text(t.tree, "title"),
		Status: text(t.tree, "status", "name"), Created: text(t.tree, "createDate"),
	}
	if s := a.servers[t.server]; s != nil {
		row.Server = text(s.tree, "fullyQualifiedDomainName")
	}
	return row
}

func (a *Account) ticketPage(id int64) (ticketPage, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.tickets[id]
	if t == nil {
		return ticketPage{}, false
	}
	page := ticketPage{
		ticketRow: a.ticketRow(t), ServerID: fmt.Sprint(t.server), Cancellation: text(t.request(), "status", "name"),
		Open: t.closed.IsZero(), Approvable: t.approvable() && t.request()["statusId"] == requestPending.id,
		Waits: t.tree["awaitingUserResponseFlag"] == true,
	}
	for _, item := range itemsOf(t.request()) {
		if t.request()["statusId"] == requestApproved.id {
			page.Ends = text(item, "scheduledCancellationDate")
		}
	}
	for _, update := range t.updates() {
		u, _ := update.(tree)
		page.Updates = append(page.Updates, updateRow{writerOf(u), text(u, "createDate"), text(u, "entry")})
	}
	return page, true
}

// writerOf names the writer of an update for people.
func writerOf(update tree) string {
	switch update["editorType"] {
	case byUser:
		return "Customer"
	case bySystem:
		return "SoftLayer's systems"
	}
	return "SoftLayer"
}

// text is a property for people, reached by path; empty if there is none.
func text(object tree, path ...string) string {
	for _, name := range path[:len(path)-1] {
		object, _ = object[name].(tree)
	}
	if value, ok := object[path[len(path)-1]]; ok && value != nil {
		return fmt.Sprint(value)
	}
	return ""
}
