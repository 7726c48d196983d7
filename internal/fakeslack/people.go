package fakeslack

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a person's time is the same on a machine that knows no time zones
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
	TZ                string `json:"tz"` // the name of a time zone
	directMessages    string // the id of the channel between this person and the bot
}

// group is one user group, in the words of https://docs.slack.dev/reference/objects/usergroup-object
type group struct {
	ID       string   `json:"id"`
	Handle   string   `json:"handle"`
	Name     string   `json:"name"`
	Users    []string `json:"users"`
	Disabled bool     `json:"disabled"`
	Editable bool     `json:"editable"` // any member of the workspace may change it
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
func (w *Workspace) usersInfo(c call) (response, *apiError) {
	u := w.findUser(c.text("user"))
	if u == nil {
		return nil, fail("user_not_found")
	}
	return response{"user": w.userObject(u)}, nil
}

// userObject is https://docs.slack.dev/reference/objects/user-object. The offset is the one
// in force now. A deactivated person has no time zone here: nobody may rely on one.
func (w *Workspace) userObject(u *user) response {
	object := response{
		"id": u.ID, "team_id": u.TeamID, "name": u.Name, "real_name": u.RealName, "deleted": u.Deleted,
		"is_admin": false, "is_owner": false, "is_primary_owner": false, "is_bot": u.IsBot, "is_app_user": false,
		"is_restricted": u.IsRestricted, "is_ultra_restricted": u.IsUltraRestricted, "is_email_confirmed": true,
		"updated": w.now().Unix(),
		"profile": response{"real_name": u.RealName, "display_name": u.DisplayName, "team": u.TeamID},
	}
	if zone, err := time.LoadLocation(u.TZ); err == nil && !u.Deleted {
		label, offset := w.now().In(zone).Zone()
		object["color"], object["tz"], object["tz_label"], object["tz_offset"] = "9f69e7", u.TZ, label, offset
	}
	if u.IsStranger {
		object["is_stranger"] = true
	}
	if u.EnterpriseID != "" {
		object["enterprise_user"] = response{"id": cmp.Or(u.EnterpriseUser, u.ID), "enterprise_id": u.EnterpriseID, "teams": []string{u.TeamID}}
	}
	return object
}

// usergroupsList is https://docs.slack.dev/reference/methods/usergroups.list
func (w *Workspace) usergroupsList(c call) (response, *apiError) {
	groups := []response{}
	for _, g := range w.groups {
		if g.Disabled && !c.flag("include_disabled") {
			continue
		}
		groups = append(groups, w.groupObject(g, c.flag("include_users"), c.flag("include_count")))
	}
	return response{"usergroups": groups}, nil
}

// groupObject is https://docs.slack.dev/reference/objects/usergroup-object. Its example has
// user_count as a string; its table, and what Slack's Java SDK recorded, as a number.
func (w *Workspace) groupObject(g *group, users, count bool) response {
	object := response{
		"id": g.ID, "team_id": w.identity.teamID, "is_usergroup": true, "name": g.Name, "handle": g.Handle,
		"description": "", "is_external": false, "date_create": 1700000000, "date_update": 1700000000,
		"date_delete": 0, "is_editing_restricted": !g.Editable, "is_membership_locked": false, "is_idp_group": false,
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
func (w *Workspace) usergroupsUsersList(c call) (response, *apiError) {
	g := w.findGroup(c.text("usergroup"))
	if g == nil || g.Disabled && !c.flag("include_disabled") {
		return nil, fail("no_such_subteam")
	}
	return response{"users": listed(g)}, nil
}

// listed is never null: a group that nobody is in has an empty list.
func listed(g *group) []string { return append([]string{}, g.Users...) }

// Cast names who and what is in the workspace, by id, so that callers need not search.
type Cast struct {
	Channel        string `json:"channel"`         // public; the bot is a member
	PrivateChannel string `json:"private_channel"` // private; the bot is not a member
	OtherChannel   string `json:"other_channel"`   // public; the bot is not a member
	User           string `json:"user"`            // in RequestGroup and CancelGroup
	Requester      string `json:"requester"`       // in RequestGroup only
	Approver       string `json:"approver"`        // in ApproveGroup only
	Outsider       string `json:"outsider"`        // a full member in no group
	Hostile        string `json:"hostile"`         // in RequestGroup; named "<!channel> & co"
	Guest          string `json:"guest"`           // is_restricted, though in RequestGroup and CancelGroup
	Deactivated    string `json:"deactivated"`     // deleted
	BotUser        string `json:"bot_user"`        // the bot itself
	Stranger       string `json:"stranger"`        // of another workspace
	RequestGroup   string `json:"request_group"`
	ApproveGroup   string `json:"approve_group"`
	CancelGroup    string `json:"cancel_group"`
	DisabledGroup  string `json:"disabled_group"`
}

// Cast returns the ids of the people, groups and channels that New made.
func (w *Workspace) Cast() Cast { return w.cast }

// populate fills the workspace with people, groups and channels.
func (w *Workspace) populate() {
	w.populatePeople()
	c := &w.cast
	c.RequestGroup = w.addGroup("server-requesters", c.User, c.Requester, c.Hostile, c.Guest)
	c.ApproveGroup = w.addGroup("infra-leads", c.Approver)
	c.CancelGroup = w.addGroup("server-cancellers", c.User, c.Guest)
	c.DisabledGroup = w.addGroup("old-infra", c.Outsider)
	w.findGroup(c.DisabledGroup).Disabled = true

	everyone := []string{c.User, c.Requester, c.Approver, c.Outsider, c.Hostile, c.Guest, c.Stranger}
	c.Channel = w.addChannel(channel{Name: "infra-changes", BotIn: true, Members: everyone})
	c.OtherChannel = w.addChannel(channel{Name: "random", Members: slices.Clone(everyone)})
	c.PrivateChannel = w.addChannel(channel{Name: "data-team", IsPrivate: true, Members: []string{c.User, c.Requester, c.Approver}})
}

func (w *Workspace) populatePeople() {
	c := &w.cast
	c.User = w.addUser(user{Name: "ana", RealName: "Ana Costa"})
	c.Requester = w.addUser(user{Name: "ben", RealName: "Ben Ode"})
	c.Approver = w.addUser(user{Name: "raj", RealName: "Raj Patel"})
	c.Outsider = w.addUser(user{Name: "olga", RealName: "Olga Ivanova"})
	c.Hostile = w.addUser(user{Name: "hostile", RealName: "<!channel> & co", DisplayName: "<!channel> & co"})
	c.Guest = w.addUser(user{Name: "gus", RealName: "Gus Guest", IsRestricted: true})
	c.Deactivated = w.addUser(user{Name: "dora", RealName: "Dora Gone", Deleted: true})
	c.BotUser = w.addUser(user{Name: botName, RealName: botName, IsBot: true})
	c.Stranger = w.addUser(user{ID: "W" + letters(w.random, 10), TeamID: strangeTeam, Name: "sid", RealName: "Sid Stranger", IsStranger: true})
}

func (w *Workspace) addUser(u user) string {
	if u.ID == "" {
		u.ID, u.TeamID, u.EnterpriseID = "U"+letters(w.random, 10), w.identity.teamID, w.identity.enterpriseID
	}
	if u.TZ == "" {
		u.TZ = "Europe/Berlin"
	}
	if u.DisplayName == "" {
		u.DisplayName = u.Name
	}
	u.directMessages = "D" + letters(w.random, 10)
	w.users = append(w.users, &u)
	return u.ID
}

func (w *Workspace) addGroup(handle string, users ...string) string {
	g := &group{ID: "S" + letters(w.random, 10), Handle: handle, Name: handle, Users: users}
	w.groups = append(w.groups, g)
	return g.ID
}

func (w *Workspace) addChannel(c channel) string {
	c.ID = "C" + letters(w.random, 10)
	w.channels = append(w.channels, &c)
	return c.ID
}

// identity is what makes this workspace and its app themselves.
type identity struct {
	teamID, enterpriseID, appID, botID string
	verification                       string
	credentials
}

// credentials are what the bot and Slack know each other by. The last of each is the newest.
type credentials struct {
	botTokens []string
	revoked   int // of botTokens, from the first on
	appTokens []string
	secret    string
}

const (
	teamDomain     = "acme-sandbox"
	enterpriseName = "Acme Group"
	teamName       = "Acme (sandbox)"
	botName        = "cancel-server"
	strangeTeam    = "T0STRANGER"
)

func newIdentity(r *rand.Rand) identity {
	return identity{
		teamID: "T" + letters(r, 10),
		appID:  "A" + letters(r, 10),
		botID:  "B" + letters(r, 10),
		credentials: credentials{
			botTokens: []string{newBotToken(r)},
			appTokens: []string{newAppToken(r)},
			secret:    newSecret(r),
		},
		verification: "fakeverification" + strings.ToLower(letters(r, 8)),
	}
}

func newBotToken(r *rand.Rand) string { return "xoxb-fake-" + strings.ToLower(letters(r, 24)) }

func newAppToken(r *rand.Rand) string { return "xapp-fake-1-" + strings.ToLower(letters(r, 24)) }

func newSecret(r *rand.Rand) string { return "fakesecret" + strings.ToLower(letters(r, 22)) }

// letters returns n of the capitals and digits that Slack's ids are made of.
func letters(r *rand.Rand, n int) string {
	const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
	id := make([]byte, n)
	for i := range id {
		id[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(id)
}

// enterprise is the enterprise as payloads show it, null where there is none.
func (id identity) enterprise() any {
	if id.enterpriseID == "" {
		return nil
	}
	return response{"id": id.enterpriseID, "name": enterpriseName}
}

// BotToken returns the newest token of the Web API, xoxb-fake-….
func (w *Workspace) BotToken() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return newest(w.identity.botTokens)
}

// AppToken returns the newest token that opens Socket Mode connections, xapp-fake-….
func (w *Workspace) AppToken() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return newest(w.identity.appTokens)
}

// SigningSecret returns the key of the signatures on HTTP deliveries.
func (w *Workspace) SigningSecret() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.identity.secret
}

func newest(tokens []string) string { return tokens[len(tokens)-1] }

// ReplaceSigningSecret has Slack sign with another secret from now on, and with no other.
func (w *Workspace) ReplaceSigningSecret() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.identity.secret = newSecret(w.random)
}

// AddAppToken makes one more app-level token. Those before it stay valid.
func (w *Workspace) AddAppToken() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.identity.appTokens = append(w.identity.appTokens, newAppToken(w.random))
}

// RevokeOldAppTokens takes all app-level tokens back but the newest. Connections that stand stay.
func (w *Workspace) RevokeOldAppTokens() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.identity.appTokens = []string{newest(w.identity.appTokens)}
}

// RevokeBotToken takes the bot token back. The bot is in no channel then:
// https://docs.slack.dev/reference/methods/auth.revoke
func (w *Workspace) RevokeBotToken() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.identity.revoked = len(w.identity.botTokens)
	for _, c := range w.channels {
		c.BotIn = false
	}
	w.touch()
}

// Reinstall gives the app another bot token, for the same bot.
func (w *Workspace) Reinstall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.identity.botTokens = append(w.identity.botTokens, newBotToken(w.random))
}

// judge says what Slack makes of a token for a method; "" if it takes it.
// https://docs.slack.dev/reference/methods/auth.test
func (c credentials) judge(token string, app bool) (refusal string) {
	bot, isApp := slices.Index(c.botTokens, token), slices.Contains(c.appTokens, token)
	switch {
	case token == "":
		return "not_authed"
	case bot >= 0 && bot < c.revoked:
		return "account_inactive"
	case bot < 0 && !isApp:
		return "invalid_auth"
	case isApp != app:
		return "not_allowed_token_type"
	}
	return ""
}

// TeamID returns the id of this workspace.
func (w *Workspace) TeamID() string { return w.identity.teamID }

// AppID returns the id of the app that the bot is.
func (w *Workspace) AppID() string { return w.identity.appID }
