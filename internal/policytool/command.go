package policytool

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"cancel-server/internal/cancellation"
)

// Command is a policy verb with its arguments.
type Command struct {
	Verb    string // test, show, explain or who
	File    string // a policy in place of that of the settings; "" for none
	Team    string // that ids without a team belong to; "" if Slack has to be asked
	Table   string // of test: the path of its cases
	User    string // of explain
	Server  int64  // of explain; 0 for none
	request cancellation.Submission
}

// Flags returns the flags of a verb, for Parse to be called after them.
func (c *Command) Flags(verb string) (*flag.FlagSet, error) {
	c.Verb = verb
	flags := flag.NewFlagSet("policy "+verb, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.File, "policy", "", "")
	switch verb {
	case "test", "show":
		flags.StringVar(&c.Team, "team", "", "")
	case "explain":
		flags.StringVar(&c.request.Place.Channel, "channel", "", "")
		flags.BoolVar(&c.request.Associated, "associated", false, "")
		flags.StringVar(&c.request.Reason, "reason", "", "")
		flags.Int64Var(&c.request.Count, "count", 0, "")
		flags.Int64Var(&c.request.Today, "today", 0, "")
	case "who":
	default:
		return nil, fmt.Errorf("policy %q is not a verb; bot -h lists them", verb)
	}
	return flags, nil
}

// Parse reads the words between the flags.
func (c *Command) Parse(words []string) error {
	switch {
	case c.Team != "" && !IsTeamID(c.Team):
		return fmt.Errorf("--team %.60q is no id of a team or an enterprise, such as T0123ABCD", c.Team)
	case c.Verb == "explain":
		return c.parseExplain(words)
	case c.Verb == "test" && len(words) != 1:
		return errors.New("policy test FILE [--policy FILE] [--team TEAM]")
	case c.Verb == "test":
		c.Table = words[0]
	case len(words) > 0:
		return fmt.Errorf("policy %s takes no arguments, got %q", c.Verb, words)
	}
	return nil
}

func (c *Command) parseExplain(words []string) (err error) {
	if len(words) < 1 || len(words) > 2 {
		return errors.New("policy explain USER [SERVER-ID [--channel ID] [--associated] [--reason TEXT] [--count N] [--today N]] [--policy FILE]")
	}
	if c.User = words[0]; !IsUserID(c.User) {
		return fmt.Errorf("%.60q is not a Slack user's id (U…, W…)", c.User)
	}
	if len(words) == 2 {
		if c.Server, err = strconv.ParseInt(words[1], 10, 64); err != nil || c.Server <= 0 {
			return fmt.Errorf("%.60q is not a server's id", words[1])
		}
	}
	return c.checkRequest()
}

// checkRequest accepts only requests that the form can make.
func (c *Command) checkRequest() error {
	r := &c.request
	described := cmp.Or(r.Place.Channel, r.Reason) != "" || r.Associated || cmp.Or(r.Count, r.Today) != 0
	problems := countProblems("--", r.Count, r.Today)
	r.Reason, r.Count, r.Today = cmp.Or(r.Reason, cancellation.Reasons()[0]), max(r.Count, 1), max(r.Count, r.Today, 1)
	switch {
	case described && c.Server == 0:
		return errors.New("--channel, --associated, --reason, --count and --today describe a request; say for which server")
	case len(problems) > 0:
		return errors.New(strings.Join(problems, "; "))
	case CheckChannel(c.request.Place.Channel) != "":
		return fmt.Errorf("--channel is %s", CheckChannel(c.request.Place.Channel))
	case !slices.Contains(cancellation.Reasons(), c.request.Reason):
		return fmt.Errorf("--reason is one of SoftLayer's ten: %s", strings.Join(cancellation.Reasons(), " | "))
	}
	return nil
}
