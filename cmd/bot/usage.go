package main

import (
	"fmt"
	"io"
	"strings"
)

// verb is one thing that the program does, as -h lists it.
type verb struct {
	usage   string // the words typed after bot, such as "resolve REF none"
	meaning string // one line
}

// writeUsage writes what -h shows: the verbs, then all settings.
func writeUsage(w io.Writer, verbs []verb) error {
	var text strings.Builder
	text.WriteString("bot files SoftLayer bare-metal cancellations asked for in Slack with /cancel-server.\n\nVerbs:\n")
	for _, verb := range verbs {
		fmt.Fprintf(&text, "  bot %s\n        %s\n", verb.usage, verb.meaning)
	}
	text.WriteString("\nSettings, read from the environment:\n")
	for _, s := range settings {
		fmt.Fprintf(&text, "  %s%s\n        %s\n", s.name, s.notes(), s.meaning)
	}
	text.WriteString("\nA setting with \"or NAME_FILE\" can be read from a file instead. An empty setting counts as not set.\n")
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("writing the usage: %w", err)
	}
	return nil
}

// notes returns the default and the file of a setting, in parentheses.
func (s setting) notes() string {
	var notes []string
	switch s.standard {
	case "":
	case required:
		notes = append(notes, required)
	default:
		notes = append(notes, "default "+s.standard)
	}
	if s.secret {
		notes = append(notes, "or "+s.name+"_FILE")
	}
	if len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes, "; ") + ")"
}

// exitCodes are those of most verbs, as -h says them.
const exitCodes = "\nExit codes: 0 done, 1 failed, 2 wrong usage or configuration.\n"

const serveUsage = `bot [serve]

Serves Slack until it is stopped; this is what bot does without a verb. bot -h lists the settings. It stops
by SIGTERM or SIGINT: it takes nothing new, and ends what it began within its deadline.
` + exitCodes + `
Example:
  bot serve
`

const resolveUsage = `bot resolve REF filed TICKET [--unseen] --why TEXT
bot resolve REF none --why TEXT
bot resolve REF drop --why TEXT

Says what became of a stuck request. REF is its short reference. It asks Slack and SoftLayer, and the running
bot sees the change within a second.

  filed TICKET  there is this ticket, by its id. It is read, and recorded if it is about this server
  none          there is no ticket: the request is sent once more, after all checks
  drop          there is no ticket, and none is wanted
  --unseen      records a ticket on your word, if this key cannot read it
  --why TEXT    why, for those who read the history
` + exitCodes + `
Example:
  bot resolve 7F3K-2QXD none --why "looked in IBM Cloud, nothing there"
`

const freezeUsage = `bot freeze --why TEXT

Stops all filing, on every replica. When it answers, nothing begins to be filed any more; it lists the requests
that may be under way. It uses the database only. A running bot announces the order in REPORT_CHANNEL, else in
NOTIFY_CHANNEL, else to at most five people who may end a freeze. Nobody in Slack ends it: bot unfreeze does.

  --why TEXT  why, for those who read it
` + exitCodes + `
Example:
  bot freeze --why "wrong account in the alerts"
`

const unfreezeUsage = `bot unfreeze --why TEXT

Lets filing go on, no matter who froze it. It uses the database only, and is announced like a freeze.

  --why TEXT  why, for those who read it
` + exitCodes + `
Example:
  bot unfreeze --why "alerts corrected"
`

const requestsUsage = `bot requests [--all] [--state STATE,…] [--server SERVER] [--by PERSON] [--since WHEN] [--until WHEN] [--json|--csv]

Lists requests, the newest first. It reads the database only, and changes nothing. Without a flag it lists
those that have not ended; with any other filter than --state those in every state.

  --all            all requests
  --state STATE,…  those in these states: pending, scheduled, filing, unknown, stuck, filed, denied, declined,
                   expired, withdrawn, rejected, duplicate, reverted, reclaimed
  --server SERVER  those for a server, by its id, full name or host name; case does not count
  --by PERSON      those of a person, by name, U… or TEAM/U…; case does not count
  --since WHEN     asked for then or later: a day in UTC, or a moment such as 2026-11-01T12:00:00Z
  --until WHEN     asked for before then; a day is included
  --json           prints one JSON object a line; times are in UTC
  --csv            prints RFC 4180; a cell that could be a formula begins with '

The table has the newest 1000; --json and --csv have all.
` + exitCodes + `
Example:
  bot requests --by ana --since 2026-11-01 --csv
`

const showUsage = `bot show REF [--json]

Shows everything on record about one request: who asked for it, when and where, what they saw, the rule and the
policy's text by which it was decided, who approved it, every message, what was read, each call to SoftLayer
that changes something with its answer, and the ticket's words. It reads the database only, and changes nothing.
Instead of REF the digest of a policy, or its first 12 digits, shows that policy's text.

  --json  prints one JSON object on one line; times are in UTC

What a build before version 24 of the database decided, sent or was answered is shown as far as it was
recorded: "text not recorded" stands for a policy's text.
` + exitCodes + `
Example:
  bot show 7F3K-2QXD
`

const historyUsage = `bot history SERVER [--json]

Shows every request ever made for one server, the oldest first: who asked, when, why, by which rule, its state
and ticket, who approved or ended it, and who was refused. SERVER is an id, a full name, or a host name, which
may be that of several servers; case does not count. It reads the database only, and changes nothing.

  --json  prints one JSON object a line; times are in UTC

By its name a server is found that was asked for since 29 November 2026; by its id always.
` + exitCodes + `
Example:
  bot history db-042.stg.example.com
`

const policyUsage = `bot policy test FILE [--policy FILE] [--team TEAM]
bot policy show [--policy FILE] [--team TEAM]
bot policy explain USER [SERVER-ID [--channel ID] [--associated] [--reason TEXT] [--count N] [--today N]]
                        [--policy FILE]
bot policy who [--policy FILE]

test     checks the policy against a table of cases, and calls nobody
show     prints the policy that the settings make, in Cedar
explain  explains what a person may do, and by which rules; asks Slack, and SoftLayer about a server
who      lists who may do what, as CSV for a review; asks Slack

  --policy FILE   this policy, instead of that of the settings
  --team TEAM     the team, or enterprise, of users that the settings name without one
  --channel ID    explain: as if asked for in this channel
  --associated    explain: as if the associated items went too
  --reason TEXT   explain: as if asked for with this one of SoftLayer's ten reasons
  --count N       explain: as if the form asked for N servers; 1 if left out
  --today N       explain: as if the person had asked for N servers in this day (UTC), with those of the form;
                  those of the form if left out
` + exitCodes + `
Example:
  bot policy test cases.json --policy policy.cedar
`

const versionUsage = `bot version

Prints the version, the commit that it was built from, and Go's version.
` + exitCodes + `
Example:
  bot version
`
