package checkup

import (
	"context"
	"errors"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// Subject is a bot as far as the checks look at it. A part is nil if its settings are missing or wrong.
type Subject struct {
	Settings  []string // what is wrong with them, each "NAME: what is wrong; what to do"
	Slack     Slack
	People    People
	SoftLayer SoftLayer
	// Clocks are those of the vendors, as far as an answer has told.
	Clocks []Clock

	// Transport is how Slack reaches the bot.
	Transport Transport
	// Policy returns the policy. home is the team or enterprise that the bot is installed in, "" if that
	// could not be read.
	Policy func(home string) (*authz.Policy, error)
	// PolicyProblems returns what is wrong with a policy file that is not in force.
	PolicyProblems func() []string
	Channels       []Channel // by setting; one without an id is not set
	Database       func(ctx context.Context) (Database, error)
	Endpoint       string // of SoftLayer's API, to which the database is bound
	Practice       bool   // nothing is filed
	Serving        bool   // it is a running bot
}

// Slack answers what the checks ask. A refusal is a *Refusal.
type Slack interface {
	// Self reads whose the bot token is and what it may do.
	Self(ctx context.Context) (Self, error)
	// Groups reads all user groups, also those that are switched off.
	Groups(ctx context.Context) ([]Group, error)
	// Conversation reads a channel.
	Conversation(ctx context.Context, id string) (Conversation, error)
}

// People reads people, and none of their groups.
type People interface {
	Principal(ctx context.Context, person cancellation.Person, groups []string, maxAge time.Duration) (authz.Principal, error)
}

// SoftLayer answers what the checks ask. cancellation.ErrKeyRefused: it does not take the key;
// cancellation.ErrReadRefused: the key lacks a right.
type SoftLayer interface {
	// Account reads which account the key belongs to.
	Account(ctx context.Context) (cancellation.Account, error)
	// Key reads what the key may do.
	Key(ctx context.Context) (Key, error)
	// Cutoff reads the deadline for cancellations, in RFC 3339.
	Cutoff(ctx context.Context, account string) (string, error)
	// Servers lists servers from an offset on, of total that the key sees.
	Servers(ctx context.Context, offset, limit int) (servers []cancellation.Server, total int, err error)
	// Tags lists tags by id from an offset on, of total in all.
	Tags(ctx context.Context, offset, limit int) (names map[int64]string, total int, err error)
	// Tagged lists the servers that carry a tag, from an offset on, of total things that do.
	Tagged(ctx context.Context, tag int64, offset, limit int) (servers []int64, total int, err error)
}

// Refusal is Slack's definite no.
type Refusal struct {
	Code   string // such as "invalid_auth"
	Needed string // the scope that is missing
	Err    error
}

// Error returns Slack's answer.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the error as it came.
func (r *Refusal) Unwrap() error { return r.Err }

// ErrTooEarly says that Slack was not asked, because it asks to wait.
var ErrTooEarly = errors.New("Slack asks to wait before the same call")

// Self is whose the bot token is.
type Self struct {
	Bot, Name        string // the bot's id, and its name without @
	Team, Enterprise string // where it is installed; the enterprise may be ""
	Scopes           []string
}

// home returns the part of people's ids that says where they belong.
func (s Self) home() string {
	if s.Enterprise != "" {
		return s.Enterprise
	}
	return s.Team
}

// Group is a user group.
type Group struct {
	ID, Handle string
	Members    []string // nil if Slack does not list them
	Off        bool     // switched off
	// Restricted says that not every member of the workspace may edit it; nil if Slack does not say.
	Restricted *bool
}

// Conversation is a channel as Slack describes it.
type Conversation struct {
	Name      string
	Member    bool // the bot is in it
	Archived  bool
	Elsewhere bool // shared with another company, or about to be
}

// Channel is a setting that names a channel.
type Channel struct{ Setting, ID string }

// Key is the SoftLayer user that the key belongs to.
type Key struct {
	Master bool     // may do everything, and has no list of rights
	Rights []string // key names, such as "SERVER_CANCEL"
	// AllHardware says that it sees all servers, with HARDWARE_VIEW.
	AllHardware bool
}

// Clock is another host's clock. Ahead returns how far this host is ahead of it, and false before it
// has told.
type Clock struct {
	Of    string
	Ahead func() (time.Duration, bool)
}

// Transport is how Slack reaches the bot.
type Transport struct {
	// Connect asks Slack for the address of a websocket and never opens it; nil without an app token,
	// and in a running bot.
	Connect func(ctx context.Context) error
	// Sockets returns a running bot's own connections; nil without an app token, and in no running bot.
	Sockets func() (standing, wanted int)
	Signed  bool // a signing secret is set
}

// Database is the durable store as it was found.
type Database struct {
	Name string // such as "SQLite requests.db"
	// Absent says that there is none yet. All that follows but Unwritable, Lost and Free is zero then.
	Absent     bool
	Version    int64 // of its tables
	Wanted     int64 // by this build
	TooNew     bool  // this build cannot work on it
	Bound      *Binding
	BackupOf   string // the time whose backup it is, if no bot has served from it since; else ""
	Unwritable error  // of the write that was rolled back; nil if it worked
	Lost       string // why what it keeps may be lost; "" if nothing speaks for that
	Free       int64  // bytes on its disk, negative if that cannot be told
}

// Binding is what a database belongs to: a Slack app in a team, a SoftLayer account at an endpoint, and
// practice or not.
type Binding struct {
	App, Team, Account, Endpoint string
	Practice                     bool
}
