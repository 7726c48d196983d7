package fakesoftlayer

import (
	"strings"
)

// mask is a parsed object mask: mask[a,b[c,d]], mask.a.b, mask(TYPE)[a], a list
// of these in brackets, or bare a,b,c.d.
// https://sldn.softlayer.com/article/object-masks/
type mask struct{ fields []field }

// field is one property of a mask. on is the data type that its set was cast
// to, empty for the one that the method returns.
type field struct {
	name, on string
	sub      *mask
}

// maxMaskDepth bounds the recursion over a mask; SoftLayer's own limit is unknown.
const maxMaskDepth = 16

// parseMask reads an object mask; an empty one is nil.
func parseMask(text string) (*mask, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	p := &maskParser{text: text}
	bracketed := p.accept('[')
	items, err := p.list("", 0)
	if err != nil {
		return nil, err
	}
	if bracketed && !p.accept(']') {
		return nil, p.unexpected("]")
	}
	if p.peek() != 0 {
		return nil, p.unexpected("END")
	}
	root := &mask{}
	for _, item := range items {
		if item.name != "mask" {
			root.add(item)
		} else if item.sub != nil {
			for _, f := range item.sub.fields {
				root.add(f)
			}
		}
	}
	return root, nil
}

// add puts a field into the mask, joined with one of the same name.
func (m *mask) add(f field) {
	for i, old := range m.fields {
		if old.name != f.name || old.on != f.on {
			continue
		}
		if old.sub == nil {
			m.fields[i].sub = f.sub
		} else if f.sub != nil {
			for _, sub := range f.sub.fields {
				old.sub.add(sub)
			}
		}
		return
	}
	m.fields = append(m.fields, f)
}

// check holds the mask against the data type it is for. secret is called for
// each property that carries passwords.
func (m *mask) check(typ string, secret func(name string)) error {
	for _, name := range schema[typ].secrets {
		if m.wantsAllLocals(typ) || m.names(name) {
			secret(name)
		}
	}
	if m == nil {
		return nil
	}
	for _, f := range m.fields {
		owner := f.owner(typ)
		rel, related := relationOf(owner, f.name)
		if !castable(typ, owner) || !related && !isLocal(owner, f.name) && !isMasked(owner, f.name) {
			return errProperty(f.name, owner)
		}
		if rel.secret {
			secret(f.name)
		}
		if !related && f.sub != nil {
			return errProperty(f.sub.fields[0].name, f.name)
		}
		if err := f.sub.check(rel.to, secret); err != nil {
			return err
		}
	}
	return nil
}

// names tells whether the mask asks for the property.
func (m *mask) names(name string) bool {
	if m == nil {
		return false
	}
	for _, f := range m.fields {
		if f.name == name {
			return true
		}
	}
	return false
}

func (f field) owner(typ string) string {
	if f.on != "" {
		return f.on
	}
	return typ
}

// maskParser reads a mask from left to right.
type maskParser struct {
	text string
	at   int
}

func (p *maskParser) list(on string, depth int) ([]field, error) {
	if depth > maxMaskDepth {
		return nil, errInternal()
	}
	m := &mask{}
	for {
		f, err := p.item(on, depth)
		if err != nil {
			return nil, err
		}
		m.add(f)
		if !p.accept(',') {
			return m.fields, nil
		}
	}
}

func (p *maskParser) item(on string, depth int) (field, error) {
	if depth > maxMaskDepth {
		return field{}, errInternal()
	}
	name := p.word()
	if name == "" {
		return field{}, p.unexpected("PROPERTY")
	}
	f := field{name: name, on: on}
	cast := ""
	if p.accept('(') {
		if cast = p.word(); cast == "" || !p.accept(')') {
			return field{}, p.unexpected("TYPE")
		}
	}
	switch {
	case p.accept('.'):
		sub, err := p.item(cast, depth+1)
		f.sub = &mask{fields: []field{sub}}
		return f, err
	case p.accept('['):
		return p.set(f, cast, depth)
	}
	return f, nil
}

// set reads the rest of name[...]; an empty set means the whole object.
func (p *maskParser) set(f field, cast string, depth int) (field, error) {
	if p.accept(']') {
		return f, nil
	}
	fields, err := p.list(cast, depth+1)
	if err != nil {
		return field{}, err
	}
	if !p.accept(']') {
		return field{}, p.unexpected("]")
	}
	f.sub = &mask{fields: fields}
	return f, nil
}

func (p *maskParser) word() string {
	p.peek()
	start := p.at
	for p.at < len(p.text) && isWord(p.text[p.at]) {
		p.at++
	}
	return p.text[start:p.at]
}

func (p *maskParser) accept(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.at++
	return true
}

// peek skips white space and gives the next byte, 0 at the end.
func (p *maskParser) peek() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *maskParser) unexpected(want string) error {
	got := "END"
	if c := p.peek(); c != 0 {
		got = string(rune(c))
	}
	return errMaskSyntax(p.at+1, want, got)
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// project shows an object through a mask. A mask that names no local property
// gets all of them; one that names some gets only these.
// https://sldn.softlayer.com/article/object-masks/
func (a *Account) project(typ string, object tree, m *mask) tree {
	out := tree{}
	if m.wantsAllLocals(typ) {
		for _, name := range locals(typ) {
			copyProperty(out, object, name)
		}
	}
	if m == nil {
		return out
	}
	for _, f := range m.fields {
		rel, related := relationOf(f.owner(typ), f.name)
		if !related {
			copyProperty(out, object, f.name)
		} else if value := a.related(rel, object, f.name, f.sub); value != nil {
			out[f.name] = value
		}
	}
	return out
}

func (m *mask) wantsAllLocals(typ string) bool {
	if m == nil {
		return true
	}
	for _, f := range m.fields {
		if isLocal(f.owner(typ), f.name) {
			return false
		}
	}
	return true
}

// related is what a relation leads to, through its part of the mask; nil
// if there is nothing or the key may not see it.
func (a *Account) related(rel relation, object tree, name string, sub *mask) any {
	switch value := a.follow(rel, object, name).(type) {
	case tree:
		return a.project(subtype(rel.to, sub), value, sub)
	case []any:
		list := []any{}
		for _, element := range value {
			if object, ok := element.(tree); ok {
				list = append(list, a.project(rel.to, object, sub))
			}
		}
		return list
	}
	return nil
}

// subtype is the type that a mask casts an untyped relation to.
func subtype(typ string, sub *mask) string {
	if typ == entityType && sub != nil && len(sub.fields) > 0 {
		return sub.fields[0].owner(typ)
	}
	if typ == entityType {
		return hardwareType
	}
	return typ
}

// follow gives a relation's value, unprojected: what the tree holds, else what
// the account's records say; a tree, a list, or nil.
func (a *Account) follow(rel relation, object tree, name string) any {
	if (rel.right != "" && !a.key.may(rel.right)) || a.key.unseen[name] {
		return nil
	}
	value, has := object[name]
	if compute := computed[name]; !has && compute != nil {
		value = compute(a, object)
	}
	if value == nil && rel.many {
		return []any{}
	}
	return value
}

// computed are the relations that follow from the records of the whole account, by name.
var computed = map[string]func(*Account, tree) any{
	"openCancellationTicket": func(a *Account, o tree) any { return a.openCancellation(number(o["id"])) },
	"activeTickets":          func(a *Account, o tree) any { return a.activeTickets(number(o["id"])) },
	"attachedHardware":       func(a *Account, o tree) any { return a.attachedHardware(number(o["id"])) },
	"networkGatewayMember":   func(a *Account, o tree) any { return a.memberOf(number(o["id"])) },
	"networkGateway":         func(a *Account, o tree) any { return a.gatewayOf(number(o["networkGatewayId"])) },
	"members":                func(a *Account, o tree) any { return a.membersOf(number(o["id"])) },
	"activeCancellationItem": func(a *Account, o tree) any { return a.activeItem(number(o["id"])) },
	"cancellationRequests":   func(a *Account, o tree) any { return a.requestsFor(number(o["id"])) },
	"cancellationRequest":    func(a *Account, o tree) any { return a.requestNamed(number(o["cancellationRequestId"])) },
	"allowedNetworkStorage":  (*Account).allowedStorage,
	"networkVlans":           (*Account).vlansOf,
	"backendRouters":         (*Account).backendRouters,
	"networkVlan":            (*Account).vlanOf,
	"ticket":                 func(a *Account, o tree) any { return a.ticketNamed(number(o["ticketId"])) },
	"firstUpdate":            func(_ *Account, o tree) any { return updateAt(o, 0) },
	"lastUpdate":             func(_ *Account, o tree) any { return updateAt(o, -1) },

	"hardware":    (*Account).memberHardware,
	"permissions": (*Account).grantsOf,

	"passwords":                fakePasswords,
	"remoteManagementAccounts": fakePasswords,
}

func fakePasswords(*Account, tree) any {
	return []any{tree{"username": "root", "password": "fake-password-that-must-never-be-read"}}
}

func copyProperty(out, object tree, name string) {
	if value, ok := object[name]; ok {
		out[name] = value
	}
}
