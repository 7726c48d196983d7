package fakesoftlayer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
)

// ControlCall describes one call of Control.
type ControlCall struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Body   string `json:"body"` // the shapes of the body, empty if it takes none
	Doc    string `json:"doc"`
}

// Calls lists the calls of Control.
func (a *Account) Calls() []ControlCall {
	return []ControlCall{
		{"POST", "/server", `{"id":N,"patch":{…}} or {"id":N,"remove":true}`, "merge a patch into a server, null deletes; or let it be gone (404), false brings it back"},
		{"POST", "/ticket", `{"server":N,"open":true,"entry":"…","user":"…"} or {"id":T,…} with one of "close":true, "close":true,"blocks":true, "answer":"…", "approve":true, "reopen":true, "auto":"…", "hide":true`, "somebody else (user: a first name) opens a cancellation ticket; staff close (blocks: it still refuses a new one), answer, approve or reopen one; SoftLayer's systems write into it (auto); or this key cannot see it"},
		{"POST", "/staff", `{"ticket":T,"do":"answer" or "close" or "approve" or "reopen","text":"…","waits_for_customer":bool}`, "SoftLayer's staff write the text into the ticket, and wait for the customer's answer if told so; then they close it, approve the cancellation or have it open again"},
		{"POST", "/key", `{"permissions":[…],"grant":[…],"revoke":[…],"hide_servers":[ids],"hide_relations":[names],"master":bool}`, "set, give or take the key's permissions by keyName; hiding servers takes ACCESS_ALL_HARDWARE, hidden relations are left out of every answer; answers with the permissions it now has"},
		{"POST", "/storage", `{"volume":ITEM,"server":N}`, "lets a server use a volume, which is named by the id of its billing item"},
		{"POST", "/pod", `{"id":"fra02.pod01","closing":bool}`, "announces that a pod will close, or takes that back: CLOSURE_ANNOUNCED among its capabilities"},
		{"GET", "/tickets", "", "all tickets, oldest first, with attachedHardware and firstUpdate"},
		{"GET", "/servers?q=", "", "servers by id, or by a part of a name or an address; all without q"},
	}
}

// Control steers the account, apart from the imitated API: the calls of Calls,
// in JSON. It trusts its caller: the program that serves it checks Host and Origin. A
// refused call is 400 with {"error":"…"}.
func (a *Account) Control() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /server", steer(a.patchServer))
	mux.Handle("POST /ticket", steer(a.changeTicket))
	mux.Handle("POST /staff", steer(a.staff))
	mux.Handle("POST /key", steer(a.changeKey))
	mux.Handle("POST /storage", steer(a.lend))
	mux.Handle("POST /pod", steer(a.changePod))
	mux.HandleFunc("GET /tickets", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, a.allTickets())
	})
	mux.HandleFunc("GET /servers", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, a.allServers(r.URL.Query().Get("q")))
	})
	return mux
}

// steer decodes a call's body, makes the change and answers with its result.
func steer[T any](change func(T) (json.RawMessage, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if kind != "application/json" {
			writeJSON(w, http.StatusUnsupportedMediaType, encode(tree{"error": "the body must be application/json"}))
			return
		}
		var body T
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		decoder.DisallowUnknownFields()
		decoder.UseNumber()
		if err := decoder.Decode(&body); err != nil {
			refuse(w, fmt.Errorf("reading the body: %w", err))
			return
		}
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			refuse(w, errors.New("reading the body: there is more than one value"))
			return
		}
		result, err := change(body)
		if err != nil {
			refuse(w, err)
			return
		}
		writeJSON(w, http.StatusOK, result)
	})
}

func refuse(w http.ResponseWriter, err error) {
	writeJSON(w, http.StatusBadRequest, encode(tree{"error": err.Error()}))
}

func writeJSON(w http.ResponseWriter, status int, body json.RawMessage) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have left
}

// serverChange is the body of POST /server.
type serverChange struct {
	ID     int64 `json:"id"`
	Patch  tree  `json:"patch"`
	Remove *bool `json:"remove"`
}

func (a *Account) patchServer(c serverChange) (json.RawMessage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.servers[c.ID]
	switch {
	case s == nil:
		return nil, fmt.Errorf("changing a server: there is none with the id %d", c.ID)
	case (c.Remove == nil) == (c.Patch == nil):
		return nil, errors.New("changing a server: give either patch or remove")
	case c.Remove != nil:
		s.removed = *c.Remove
		a.plan()
	default:
		if id, ok := c.Patch["id"]; ok && number(id) != c.ID {
			return nil, errors.New("changing a server: its id stays")
		}
		if err := known(serverType, c.Patch); err != nil {
			return nil, fmt.Errorf("changing a server: %w", err)
		}
		merge(s.tree, c.Patch)
		s.plain = false
		a.plan()
	}
	return encode(a.whole(s)), nil
}

// known refuses a patch with a property that the data type does not have, so
// that a misspelt one does not pass for a change.
func known(typ string, patch tree) error {
	for name, value := range patch {
		rel, related := relationOf(typ, name)
		if !related && !isLocal(typ, name) && !isMasked(typ, name) {
			return fmt.Errorf("%s has no property %q", typ, name)
		}
		if sub, ok := value.(tree); ok && related {
			if err := known(rel.to, sub); err != nil {
				return err
			}
		}
	}
	return nil
}

// merge puts a patch into a tree, as RFC 7396 says: null deletes, an object is
// merged, anything else replaces.
func merge(into, patch tree) {
	for name, value := range patch {
		sub, isTree := value.(tree)
		switch {
		case value == nil:
			delete(into, name)
		case isTree:
			old, ok := into[name].(tree)
			if !ok {
				old = tree{}
				into[name] = old
			}
			merge(old, sub)
		default:
			into[name] = value
		}
	}
}

// lending is the body of POST /storage.
type lending struct {
	Volume int64 `json:"volume"` // the id of its billing item
	Server int64 `json:"server"`
}

// lend lets a server use a volume in addition.
func (a *Account) lend(l lending) (json.RawMessage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := l.Volume - toBillingItem
	if !slices.ContainsFunc(a.volumes(), func(v any) bool { return number(v.(tree)["id"]) == id }) || a.placeOf(l.Server) < 0 {
		return nil, fmt.Errorf("letting server %d use a volume: there is no such server, or no volume with the billing item %d", l.Server, l.Volume)
	}
	a.lent[id] = append(a.lent[id], a.placeOf(l.Server))
	return encode(tree{"volume": id, "server": l.Server}), nil
}

// keyChange is the body of POST /key.
type keyChange struct {
	Permissions *[]string `json:"permissions"`
	Grant       []string  `json:"grant"`
	Revoke      []string  `json:"revoke"`
	HideServers *[]int64  `json:"hide_servers"`
	HideNames   *[]string `json:"hide_relations"`
	Master      *bool     `json:"master"`
}

func (a *Account) changeKey(c keyChange) (json.RawMessage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := key{secrets: a.key.secrets, master: a.key.master, permissions: maps.Clone(a.key.permissions), hidden: a.key.hidden, unseen: a.key.unseen}
	if c.Permissions != nil {
		k.permissions = map[string]bool{}
		c.Grant = append(*c.Permissions, c.Grant...)
	}
	for _, name := range slices.Concat(c.Grant, c.Revoke) {
		if _, ok := permissionKeys()[name]; !ok {
			return nil, fmt.Errorf("changing the key: %q is not one of %q", name, slices.Sorted(maps.Keys(permissionKeys())))
		}
	}
	for _, name := range c.Grant {
		k.permissions[name] = true
	}
	for _, name := range c.Revoke {
		delete(k.permissions, name)
	}
	if c.HideServers != nil {
		k.hidden = map[int64]bool{}
		for _, id := range *c.HideServers {
			k.hidden[id] = true
			delete(k.permissions, accessAllHardware)
		}
	}
	if c.HideNames != nil {
		k.unseen = map[string]bool{}
		for _, name := range *c.HideNames {
			if !isRelation(name) {
				return nil, fmt.Errorf("changing the key: no data type has a relation %q", name)
			}
			k.unseen[name] = true
		}
	}
	if c.Master != nil {
		k.master = *c.Master
	}
	a.key = k
	return encode(tree{"master": k.master, "permissions": slices.Sorted(maps.Keys(k.permissions))}), nil
}
