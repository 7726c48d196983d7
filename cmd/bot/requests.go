package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/policytool"
	"cancel-server/internal/store"
)

// maxListed bounds a list of requests, the newest of them.
const maxListed = 1000

// openBeside opens the database alongside bot serve. It connects to no vendor, since one may be
// down.
func openBeside(ctx context.Context) (*store.Store, error) {
	cfg, err := loadBeside()
	if err != nil {
		return nil, err
	}
	return openDatabase(ctx, cfg, store.Options{Mode: store.Beside})
}

// requests lists requests, using only the database.
func requests(ctx context.Context, args []string, stdout io.Writer) error {
	states, err := parseStates(args)
	if err != nil {
		return err
	}
	journal, err := openBeside(ctx)
	if err != nil {
		return err
	}
	listed, err := journal.List(ctx, states, maxListed)
	if err := errors.Join(err, journal.Close()); err != nil {
		return err
	}
	return printRequests(stdout, listed)
}

// parseStates reads --all or --state STATE[,STATE]. The default is the requests that have not
// ended.
func parseStates(args []string) ([]cancellation.State, error) {
	flags := flag.NewFlagSet("requests", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	all := flags.Bool("all", false, "")
	named := flags.String("state", "", "")
	switch err := flags.Parse(args); {
	case err != nil:
		return nil, fmt.Errorf("%w: requests: %w", errUsage, err)
	case flags.NArg() > 0 || *all && *named != "":
		return nil, fmt.Errorf("%w: requests [--all | --state STATE,…]", errUsage)
	case *all:
		return nil, nil
	case *named == "":
		return append(cancellation.WorkStates(), cancellation.Stuck), nil
	}
	var states []cancellation.State
	for word := range strings.SplitSeq(*named, ",") {
		state := cancellation.State(strings.TrimSpace(word))
		if !slices.Contains(cancellation.States(), state) {
			return nil, fmt.Errorf("%w: %q is not one of the states %v", errUsage, word, cancellation.States())
		}
		states = append(states, state)
	}
	return states, nil
}

func printRequests(stdout io.Writer, listed []cancellation.Request) error {
	if len(listed) == 0 {
		_, err := fmt.Fprintln(stdout, "none")
		return err
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "REF\tSTATE\tSINCE\tSERVER\tID\tASKED BY\tTICKET\tWHY")
	for _, r := range listed {
		s := r.Submission
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", r.Ref.Short(), r.State, r.Since.UTC().Format(time.DateTime),
			policytool.Printable(s.Card.Server.FQDN), s.Card.Server.ID, policytool.Printable(s.By.Name+" ("+s.By.Team+"/"+s.By.ID+")"), ticketCell(r.Ticket), policytool.Printable(r.Why.String()))
	}
	return table.Flush()
}

func ticketCell(t cancellation.TicketID) string {
	switch {
	case t.ID == 0:
		return "-"
	case caseNumber.MatchString(t.Number):
		return t.Number + " (" + strconv.FormatInt(t.ID, 10) + ")"
	}
	return strconv.FormatInt(t.ID, 10)
}
