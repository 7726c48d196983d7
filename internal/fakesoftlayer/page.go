package fakesoftlayer

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
)

//go:embed page.html style.css
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
	ServerID string
	Updates  []updateRow
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
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, assets, "style.css")
	})
	return mux
}

// show renders a whole page before it writes, so that nobody gets half of one.
func show(w http.ResponseWriter, templates *template.Template, name string, view any) {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name, view); err != nil {
		http.Error(w, "rendering the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'")
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
	page := ticketPage{ticketRow: a.ticketRow(t), ServerID: fmt.Sprint(t.server)}
	for _, update := range t.updates() {
		u, _ := update.(tree)
		by := "SoftLayer"
		if u["editorType"] == "USER" {
			by = "Customer"
		}
		page.Updates = append(page.Updates, updateRow{by, text(u, "createDate"), text(u, "entry")})
	}
	return page, true
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
