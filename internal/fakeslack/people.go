package fakeslack

import (
	"cmp"
	"slices"
)

// user is one person or bot, in the words of https://docs.slack.dev/reference/objects/user-object
type user struct {
	ID                string `json:"id"`
	TeamID            string `json:"team_id"`
	EnterpriseID      string `json:"enterprise_id,omitempty"`
	EnterpriseUser    string `json:"enterprise_user,omitempty"` // the id in the whole organisation; "" for the same as here
	Name              string `json:"name"`
	RealName          string `json:"real_name"`
	DisplayName       string `json:"display_name"`
	Deleted           bool   `json:"deleted"`
	IsBot             bool   `json:"is_bot"`
	IsRestricted      bool   `json:"is_restricted"`
	IsUltraRestricted bool   `json:"is_ultra_restricted"`
	IsStranger        bool   `json:"is_stranger"`
	directMessages    string // the id of the channel between this person and the bot
}

// group is one user group, in the words of https://docs.slack.dev/reference/objects/usergroup-object
type group struct {
	ID       string   `json:"id"`
	Handle   string   `json:"handle"`
	Name     string   `json:"name"`
	Users    []string `json:"users"`
	Disabled bool     `json:"disabled"`
}

// findUser returns the user of this id, or nil; the lock is held.
func (w *Workspace) findUser(id string) *user {
	i := slices.IndexFunc(w.users, func(u *user) bool { return u.ID == id })
	if i < 0 {
		return nil
	}
	return w.users[i]
}

// findGroup returns the group of this id, or nil; the lock is held.
func (w *Workspace) findGroup(id string) *group {
	i := slices.IndexFunc(w.groups, func(g *group) bool { return g.ID == id })
	if i < 0 {
		return nil
	}
	return w.groups[i]
}

// usersInfo is https://docs.slack.dev/reference/methods/users.info
func (w *Workspace) usersInfo(c call) (answer, *apiError) {
	u := w.findUser(c.text("user"))
	if u == nil {
		return nil, fail("user_not_found")
	}
	return answer{"user": w.userObject(u)}, nil
}

func (w *Workspace) userObject(u *user) answer {
	object := answer{
		"id": u.ID, "team_id": u.TeamID, "name": u.Name, "real_name": u.RealName, "deleted": u.Deleted,
		"color": "9f69e7", "tz": "Europe/Berlin", "tz_label": "Central European Time", "tz_offset": 3600,
		"is_admin": false, "is_owner": false, "is_primary_owner": false, "is_bot": u.IsBot, "is_app_user": false,
		"is_restricted": u.IsRestricted, "is_ultra_restricted": u.IsUltraRestricted, "is_email_confirmed": true,
		"updated": w.now().Unix(),
		"profile": answer{"real_name": u.RealName, "display_name": u.DisplayName, "team": u.TeamID},
	}
	if u.IsStranger {
		object["is_stranger"] = true
	}
	if u.EnterpriseID != "" {
		object["enterprise_user"] = answer{"id": cmp.Or(u.EnterpriseUser, u.ID), "enterprise_id": u.EnterpriseID, "teams": []string{u.TeamID}}
	}
	return object
}

// usergroupsList is https://docs.slack.dev/reference/methods/usergroups.list
func (w *Workspace) usergroupsList(c call) (answer, *apiError) {
	groups := []answer{}
	for _, g := range w.groups {
		if g.Disabled && !c.flag("include_disabled") {
			continue
		}
		groups = append(groups, w.groupObject(g, c.flag("include_users"), c.flag("include_count")))
	}
	return answer{"usergroups": groups}, nil
}

// groupObject is https://docs.slack.dev/reference/objects/usergroup-object. Its example has
// user_count as a string; its table, and what Slack's Java SDK recorded, as a number.
func (w *Workspace) groupObject(g *group, users, count bool) answer {
	object := answer{
		"id": g.ID, "team_id": w.identity.teamID, "is_usergroup": true, "name": g.Name, "handle": g.Handle,
		"description": "", "is_external": false, "date_create": 1700000000, "date_update": 1700000000,
		"date_delete": 0,
	}
	if g.Disabled {
		object["date_delete"] = 1700000001
	}
	if users {
		object["users"] = listed(g)
	}
	if count {
		object["user_count"] = len(g.Users)
	}
	return object
}

// usergroupsUsersList is https://docs.slack.dev/reference/methods/usergroups.users.list
func (w *Workspace) usergroupsUsersList(c call) (answer, *apiError) {
	g := w.findGroup(c.text("usergroup"))
	if g == nil || g.Disabled && !c.flag("include_disabled") {
		return nil, fail("no_such_subteam")
	}
	return answer{"users": listed(g)}, nil
}

// listed is never null: a group that nobody is in has an empty list.
func listed(g *group) []string { return append([]string{}, g.Users...) }
