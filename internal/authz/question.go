package authz

// Principal is a person, as Slack knows them.
type Principal struct {
	// Team is the enterprise's id if there is one, else the id of the person's own team.
	Team string
	// User is Slack's user id, "U…" or "W…".
	User string
	// Name is for people to read. No decision depends on it.
	Name string
	// Groups are the ids of the person's Slack user groups, as far as the policy that decides names
	// them (Policy.GroupIDs).
	Groups []string
	// GroupsKnown says that all groups which that policy names were read. If it is false, an empty
	// Groups means "not known".
	GroupsKnown bool
	// GroupsUnlisted are the ids of Slack user groups that the policy names and Slack does not list,
	// so that their members are unknown. A membership in them allows nothing, and nothing is allowed
	// that such a membership would forbid.
	GroupsUnlisted []string
	// Guest is set for single-channel and multi-channel guests.
	Guest bool
	// Bot is set for apps and bots.
	Bot bool
	// Deactivated is set for deactivated accounts.
	Deactivated bool
	// Stranger is set for people who do not belong to the installed enterprise or team.
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
	// MonthlyFee is the all-in fee a month as decimal text, or "" if it is unknown. For an hourly
	// server the function MonthlyFee calculates it from the hourly fee.
	MonthlyFee string
	// Hourly says that the server is billed by the hour.
	Hourly bool
	// Missing names what else was not read ("domain"). Any entry refuses.
	Missing []string
}

// Context is the rest of what a policy may ask about.
type Context struct {
	// Channel is the id of the channel where the command was typed; "" if there is none.
	Channel string
	// Account is the SoftLayer account's id in digits.
	Account string
	// AssociatedItems says that associated billing items are to be cancelled too.
	AssociatedItems bool
	// StatedReason is one of SoftLayer's ten cancellation reasons, word for word.
	StatedReason string
	// Warnings are those that the server's card shows, of "gateway-member", "recently-provisioned"
	// and "recent-transaction".
	Warnings []string
	// WarningsKnown says that every fact that Warnings depend on was read.
	WarningsKnown bool
	// Count is how many servers the form asks for, 1 for a single one; 0 if that is not known.
	Count int64
	// Today is how many servers the requester asked for in the day (UTC) in which the form was sent,
	// with those of the form; 0 if that is not known.
	Today int64
}
