package fakeslack

import "slices"

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

// settle fills the workspace with people, groups and channels.
func (w *Workspace) settle() {
	w.settlePeople()
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

func (w *Workspace) settlePeople() {
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
