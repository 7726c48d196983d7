package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/inquiry"
	"cancel-server/internal/policytool"
	"cancel-server/internal/store"
)

// maxListed bounds the table of requests, the newest of them.
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

// withRecords opens the database for reading alone, and hands it to do with what people read. An auditor has no token:
// it needs no other setting.
func withRecords(ctx context.Context, stdout io.Writer, do func(records *store.Store, out *bufio.Writer) error) error {
	cfg, err := loadDatabase()
	if err != nil {
		return err
	}
	records, err := openDatabase(ctx, cfg, store.Options{Mode: store.Read})
	if err != nil {
		return err
	}
	out := bufio.NewWriter(stdout)
	return errors.Join(do(records, out), out.Flush(), records.Close())
}

// requestsAsked is what a person wants of bot requests.
type requestsAsked struct {
	inquiry.Filter
	server, by string
	as         form
}

// requests lists requests, using only the database.
func requests(ctx context.Context, args []string, stdout io.Writer) error {
	asked, err := parseRequests(args)
	if err != nil {
		return err
	}
	return withRecords(ctx, stdout, func(records *store.Store, out *bufio.Writer) (err error) {
		if asked.server != "" {
			asked.Servers, err = inquiry.Servers(ctx, records, asked.server)
		}
		if asked.by != "" && err == nil {
			asked.Requesters, err = inquiry.Requesters(ctx, records, asked.by)
		}
		if errors.Is(err, inquiry.ErrNoServer) || errors.Is(err, inquiry.ErrNoPerson) {
			return fmt.Errorf("listing requests: %w", err)
		}
		if err != nil {
			return err
		}
		if asked.as == asTable {
			return listRequests(ctx, records, asked.Filter, out)
		}
		return writeRequests(ctx, records, asked, out)
	})
}

// parseRequests reads the flags. Without any the requests that have not ended are listed.
func parseRequests(args []string) (asked requestsAsked, err error) {
	flags := flag.NewFlagSet("requests", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	all, named := flags.Bool("all", false, ""), flags.String("state", "", "")
	flags.StringVar(&asked.server, "server", "", "")
	flags.StringVar(&asked.by, "by", "", "")
	since, until := flags.String("since", "", ""), flags.String("until", "", "")
	inJSON, inCSV := flags.Bool("json", false, ""), flags.Bool("csv", false, "")
	switch err := flags.Parse(args); {
	case err != nil:
		return asked, fmt.Errorf("%w: requests: %w", errUsage, err)
	case flags.NArg() > 0:
		return asked, fmt.Errorf("%w: requests takes no arguments but its flags, got %q; bot requests -h lists them", errUsage, flags.Args())
	case *all && *named != "":
		return asked, fmt.Errorf("%w: requests: give --all or --state, not both", errUsage)
	}
	if asked.States, err = parseStates(*named); err != nil {
		return asked, err
	}
	if asked.Since, asked.Until, err = parseSpan(*since, *until); err != nil {
		return asked, err
	}
	if filtered := *all || asked.server+asked.by+*since+*until+*named != ""; !filtered {
		asked.States = append(cancellation.WorkStates(), cancellation.Stuck)
	}
	asked.as, err = formOf("requests", *inJSON, *inCSV)
	return asked, err
}

// parseStates reads STATE[,STATE]; "" for any.
func parseStates(named string) (states []cancellation.State, err error) {
	if named == "" {
		return nil, nil
	}
	for word := range strings.SplitSeq(named, ",") {
		state := cancellation.State(strings.TrimSpace(word))
		if !slices.Contains(cancellation.States(), state) {
			return nil, fmt.Errorf("%w: %q is not one of the states %v", errUsage, word, cancellation.States())
		}
		states = append(states, state)
	}
	return states, nil
}

// parseSpan reads --since and --until. A day belongs to the span as a whole.
func parseSpan(since, until string) (from, to time.Time, err error) {
	if since != "" {
		if from, err = parseSince(since); err != nil {
			return from, to, fmt.Errorf("%w: requests --since: %w", errUsage, err)
		}
	}
	if until == "" {
		return from, to, nil
	}
	if to, err = parseSince(until); err != nil {
		return from, to, fmt.Errorf("%w: requests --until: %w", errUsage, err)
	}
	if len(until) == len(time.DateOnly) {
		to = to.Add(24 * time.Hour)
	}
	return from, to, nil
}

// listRequests writes a table of the newest requests.
func listRequests(ctx context.Context, records inquiry.Records, f inquiry.Filter, out io.Writer) error {
	var listed []cancellation.Request
	more, err := records.Find(ctx, f, maxListed, func(r cancellation.Request) error {
		listed = append(listed, r)
		return nil
	})
	if err != nil {
		return err
	}
	if err := printRequests(out, listed); err != nil || !more {
		return err
	}
	_, err = fmt.Fprintf(out, "\nThese are the newest %d. --until shows older ones; --json and --csv have all.\n", maxListed)
	return err
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

// writeRequests writes all requests for programs.
func writeRequests(ctx context.Context, records inquiry.Records, asked requestsAsked, out io.Writer) error {
	write, end := func(s inquiry.Summary) error { return writeLine(out, s) }, func() error { return nil }
	if asked.as == asCSV {
		rows, err := newSheet(out, asCSV, "ref", "state", "since", "why", "why_by", "server", "server_id", "data_center", "account",
			"by_id", "by_name", "asked_at", "ended_by_id", "ticket", "ticket_number", "sent_at", "stop_asked_at")
		if err != nil {
			return err
		}
		write, end = func(s inquiry.Summary) error { return rows.write(summaryRow(s)) }, rows.end
	}
	_, err := records.Find(ctx, asked.Filter, 0, func(r cancellation.Request) error { return write(inquiry.SummaryOf(r)) })
	return errors.Join(err, end())
}

func summaryRow(s inquiry.Summary) []any {
	ended := inquiry.Person{}
	if s.EndedBy != nil {
		ended = *s.EndedBy
	}
	return []any{
		s.Ref, string(s.State), s.Since.Format(time.RFC3339), orNil(s.Why), orNil(s.WhyBy), s.Server, s.ServerID, s.Datacenter, s.Account,
		s.By.ID, s.By.Name, s.AskedAt.Format(time.RFC3339), orNil(ended.ID), orNil(s.Ticket), orNil(s.Number), momentCell(s.SentAt), momentCell(s.StopAsked),
	}
}

func momentCell(at *time.Time) any {
	if at == nil {
		return nil
	}
	return at.Format(time.RFC3339)
}

// writeLine writes a value as JSON on one line.
func writeLine(out io.Writer, value any) error {
	line, err := inquiry.Line(value)
	if err != nil {
		return err
	}
	_, err = out.Write(line)
	return err
}

// policyDigest is how a person names a policy: by at least the beginning of its digest that lists show.
var policyDigest = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// show is bot show: everything on record about one request, or the text of one policy.
func show(ctx context.Context, args []string, stdout io.Writer) error {
	named, inJSON, err := parseInquiry("show", "REF", args)
	if err != nil {
		return err
	}
	ref, unread := cancellation.ParseShort(named)
	if isPolicy := policyDigest.MatchString(named); unread != nil && !isPolicy {
		return fmt.Errorf("%w: show: %w, nor the beginning of a policy's digest", errUsage, unread)
	}
	return withRecords(ctx, stdout, func(records *store.Store, out *bufio.Writer) error {
		if unread != nil {
			return showPolicy(ctx, records, named, inJSON, out)
		}
		file, err := inquiry.Show(ctx, records, ref)
		switch {
		case err != nil:
			return err
		case inJSON:
			return writeLine(out, file)
		}
		return inquiry.NewPage(out, policytool.Printable).File(file)
	})
}

func showPolicy(ctx context.Context, records inquiry.Records, digest string, inJSON bool, out io.Writer) error {
	all, err := records.Policies(ctx)
	if err != nil {
		return err
	}
	for _, policy := range all {
		switch {
		case !strings.HasPrefix(policy.Digest, digest):
		case inJSON:
			return writeLine(out, policy)
		default:
			return inquiry.NewPage(out, policytool.Printable).Policy(policy)
		}
	}
	return fmt.Errorf("the text of policy %s is not on record", digest)
}

// history is bot history: every request for one server.
func history(ctx context.Context, args []string, stdout io.Writer) error {
	named, inJSON, err := parseInquiry("history", "SERVER", args)
	if err != nil {
		return err
	}
	return withRecords(ctx, stdout, func(records *store.Store, out *bufio.Writer) error {
		servers, err := inquiry.Servers(ctx, records, named)
		if err != nil {
			return err
		}
		entries, err := inquiry.History(ctx, records, servers)
		if err != nil || !inJSON {
			return errors.Join(err, inquiry.NewPage(out, policytool.Printable).History(entries))
		}
		for _, entry := range entries {
			if err := writeLine(out, entry); err != nil {
				return err
			}
		}
		return nil
	})
}

// parseInquiry reads one word, and --json before or after it.
func parseInquiry(verb, what string, args []string) (named string, inJSON bool, err error) {
	flags := flag.NewFlagSet(verb, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&inJSON, "json", false, "")
	words, err := parseMixed(flags, args)
	if err == nil && len(words) != 1 {
		err = fmt.Errorf("%w: %s %s [--json]; bot %s -h says more", errUsage, verb, what, verb)
	}
	if err != nil {
		return "", false, err
	}
	return words[0], inJSON, nil
}
