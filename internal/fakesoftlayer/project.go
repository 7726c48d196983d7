package fakesoftlayer

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

// follow returns a relation's whole value: what the tree holds, or else what the
// account's records say. It is a tree, a list, or nil.
func (a *Account) follow(rel relation, object tree, name string) any {
	if (rel.right != "" && !a.key.may(rel.right)) || a.key.unseen[name] {
		return nil
	}
	value, has := object[name]
	if !has {
		value = a.computed(object, name)
	}
	if value == nil && rel.many {
		return []any{}
	}
	return value
}

// computed are the relations that follow from the records of the whole account.
func (a *Account) computed(object tree, name string) any {
	switch name {
	case "openCancellationTicket":
		return a.openCancellation(number(object["id"]))
	case "activeTickets":
		return a.activeTickets(number(object["id"]))
	case "attachedHardware":
		return a.attachedHardware(number(object["id"]))
	case "networkGatewayMember":
		return a.memberOf(number(object["id"]))
	case "hardware":
		return a.memberHardware(object)
	case "networkGateway":
		return a.gatewayOf(number(object["networkGatewayId"]))
	case "members":
		return a.membersOf(number(object["id"]))
	case "firstUpdate":
		return updateAt(object, 0)
	case "lastUpdate":
		return updateAt(object, -1)
	case "permissions":
		return a.key.grants()
	case "passwords", "remoteManagementAccounts":
		return []any{tree{"username": "root", "password": "fake-password-that-must-never-be-read"}}
	}
	return nil
}

func copyProperty(out, object tree, name string) {
	if value, ok := object[name]; ok {
		out[name] = value
	}
}
