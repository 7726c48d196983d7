package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os/user"
	"strconv"
	"strings"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/store"
)

// resolve ends a stuck request on the word of the person who runs it. A running bot sees the
// change within a second.
func resolve(ctx context.Context, args []string, stdout io.Writer) error {
	said, err := parseResolution(args)
	if err != nil {
		return err
	}
	var r cancellation.Request
	err = withVendors(ctx, func(_ config, v *vendors, journal *store.Store) error {
		desk := &cancellation.Desk{
			Requests: journal, Clock: journal, Servers: v.softlayer, Tickets: v.softlayer, Account: v.account,
			Wake: func() {}, Log: slog.New(slog.DiscardHandler),
		}
		r, err = desk.Resolve(ctx, said)
		if errors.Is(err, cancellation.ErrTicketUnseen) || errors.Is(err, cancellation.ErrSomeTicket) {
			err = fmt.Errorf("%w. Look at the ticket in IBM Cloud. If it is about this server, add --unseen: the request is then recorded on your word alone", err)
		}
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s %s is now %s\n", r.Ref.Short(), r.Submission.Card.Server.FQDN, r.State)
	return err
}

// parseResolution reads REF filed TICKET | none | drop, with --why and --unseen anywhere.
func parseResolution(args []string) (cancellation.Resolution, error) {
	flags := flag.NewFlagSet("resolve", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	why, unseen := flags.String("why", "", ""), flags.Bool("unseen", false, "")
	words, err := parseMixed(flags, args)
	if err != nil {
		return cancellation.Resolution{}, err
	}
	said, err := resolution(words, *why)
	if said.Unseen = *unseen; err == nil && said.Unseen && said.Finding != cancellation.FoundTicket {
		return said, fmt.Errorf("%w: --unseen goes only with filed TICKET", errUsage)
	}
	return said, err
}

// parseMixed reads flags before, between and after words.
func parseMixed(flags *flag.FlagSet, args []string) (words []string, err error) {
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", errUsage, flags.Name(), err)
		}
		if args = flags.Args(); len(args) > 0 {
			words, args = append(words, args[0]), args[1:]
		}
	}
	return words, nil
}

func resolution(words []string, why string) (cancellation.Resolution, error) {
	const usage = "resolve REF filed TICKET [--unseen] | none | drop --why TEXT"
	if len(words) < 2 {
		return cancellation.Resolution{}, fmt.Errorf("%w: %s", errUsage, usage)
	}
	said := cancellation.Resolution{Ref: words[0], Finding: cancellation.Finding(words[1]), Why: why, Actor: cancellation.Operator(operator())}
	if _, err := cancellation.ParseShort(said.Ref); err != nil {
		return said, fmt.Errorf("%w: %w", errUsage, err)
	}
	left := words[2:]
	if said.Finding == cancellation.FoundTicket && len(left) == 1 {
		id, err := strconv.ParseInt(left[0], 10, 64)
		if err != nil || id <= 0 {
			return said, fmt.Errorf("%w: %q is not a ticket's id", errUsage, left[0])
		}
		said.Ticket, left = id, nil
	}
	known := said.Finding == cancellation.FoundNone || said.Finding == cancellation.DropIt || said.Ticket > 0
	if !known || len(left) > 0 {
		return said, fmt.Errorf("%w: %s", errUsage, usage)
	}
	if strings.TrimSpace(why) == "" {
		return said, fmt.Errorf("%w: say why, for those who read the history: --why TEXT", errUsage)
	}
	return said, nil
}

// operator returns the user that the operating system names.
func operator() string {
	who, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return who.Username
}
