package authz

// Principal is who asks, as Slack knows them.
type Principal struct {
	// Team is the enterprise's id if there is one, else the id of the person's own team.
	Team string
	// User is Slack's user id, "U…" or "W…".
	User string
	// Name is for people to read; no decision rests on it.
	Name string
	// Groups are the ids of the Slack user groups the person is in, as far as the policy that
	// decides names them (Policy.GroupIDs).
	Groups []string
	// GroupsKnown says that all groups which that policy names were read for Groups. Without it an
	// empty Groups means "not known".
	GroupsKnown bool
	// GroupsUnlisted are ids of Slack user groups that the policy names and Slack does not list:
	// nobody knows who is in them. The person counts as no member where that lets them do less,
	// and nothing is allowed that memberships in any of them would forbid.
	GroupsUnlisted []string
	// Guest is set for single-channel and multi-channel guests.
	Guest bool
	// Bot is set for apps and bots.
	Bot bool
	// Deactivated is set for accounts that were switched off.
	Deactivated bool
	// Stranger is set for people of another enterprise or team than the installed one.
	Stranger bool
}

// ID returns "TEAM/USER", the id of the person's User entity.
func (who Principal) ID() string { return who.Team + "/" + who.User }

// Server is the server in question, as SoftLayer describes it.
type Server struct {
	// ID is the hardware id.
	ID int64
	// Hostname, Domain and FQDN are SoftLayer's; Domain may be empty.
	Hostname, Domain, FQDN string
	// Datacenter is the short name, "fra02".
	Datacenter string
	// Tags are the names of the tag references.
	Tags []string
	// TagsKnown says that Tags was read. An answer without tagReferences means unknown tags; an
	// empty list means that there are none.
	TagsKnown bool
	// MonthlyFee is the all-in fee a month as decimal text, or "" where it is unknown. For an
	// hourly server it is what the function MonthlyFee makes of the hourly fee.
	MonthlyFee string
	// Hourly says that the server is billed by the hour.
	Hourly bool
	// Missing names what else could not be read, in words for people ("domain"); any entry refuses.
	Missing []string
}

// Context is the rest of what a policy may ask about.
type Context struct {
	// Channel is the id of the channel where the command was typed, "" where there is none.
	Channel string
	// Account is the SoftLayer account's id in digits.
	Account string
	// AssociatedItems says that associated billing items are to be cancelled too.
	AssociatedItems bool
	// StatedReason is one of SoftLayer's ten cancellation reasons, word for word.
	StatedReason string
	// Warnings are those of "gateway-member", "recently-provisioned" and "recent-transaction" that
	// the server's card shows.
	Warnings []string
	// WarningsKnown says that everything Warnings is made from was read.
	WarningsKnown bool
}
