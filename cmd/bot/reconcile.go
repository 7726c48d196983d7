package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"cancel-server/internal/bulletin"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/policytool"
	"cancel-server/internal/reconcile"
	"cancel-server/internal/store"
)

const reconcileUsage = `bot reconcile [--since 2026-11-01] [--json|--csv]

Compares the cancellations that SoftLayer shows to this key with the requests that are recorded here.

  --since WHEN  only what was made since then: a day in UTC, or a moment such as 2026-11-01T12:00:00Z
  --json        prints one JSON object a line: the sums first, then what differs
  --csv         prints the same as RFC 4180; a cell that could be a formula begins with '

by this bot          their ticket is recorded as a request's own
not by this bot      somebody cancelled in IBM Cloud, with another tool, or before a database was restored
cannot tell          the ticket is not shown to this key, or a request here does not know its ticket yet
not found            recorded here with a ticket, and not among the cancellations shown

What the key may not see is in no sum: it needs ACCOUNT_SUMMARY_VIEW, TICKET_VIEW and, for the servers'
names, HARDWARE_VIEW. It changes nothing at SoftLayer. From its first run on, a running bot looks once a
day, and posts new ones that are not by this bot once in REPORT_CHANNEL.
` + exitCodes + `
Example:
  bot reconcile --since 2026-11-01
`

// reconcileAsked is what a person wants of bot reconcile.
type reconcileAsked struct {
	since time.Time // zero for all
	as    form
}

// standsAlready is how long before its first run cancellations are kept as known, so that no
// difference of clocks makes one of them new.
const standsAlready = 48 * time.Hour

// reconcileVerb is bot reconcile.
func reconcileVerb(ctx context.Context, args []string, stdout io.Writer) error {
	asked, err := parseReconcile(args)
	if err != nil {
		return err
	}
	return withVendors(ctx, func(cfg config, v *vendors, journal *store.Store) error {
		r, first, err := v.compare(ctx, cfg, journal, asked.since)
		if err == nil {
			err = printReconciled(stdout, r, asked.as)
		}
		if err == nil && first && asked.as == asTable {
			_, err = io.WriteString(stdout, firstReconcile(cfg))
		}
		return err
	})
}

func parseReconcile(args []string) (asked reconcileAsked, err error) {
	flags := flag.NewFlagSet("reconcile", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	since := flags.String("since", "", "")
	inJSON, inCSV := flags.Bool("json", false, ""), flags.Bool("csv", false, "")
	if err := flags.Parse(args); err != nil {
		return asked, fmt.Errorf("%w: reconcile: %w", errUsage, err)
	}
	if flags.NArg() > 0 {
		return asked, fmt.Errorf("%w: reconcile takes no arguments but its flags, got %q; bot reconcile -h lists them", errUsage, flags.Args())
	}
	if *since != "" {
		if asked.since, err = parseSince(*since); err != nil {
			return asked, fmt.Errorf("%w: reconcile --since: %w", errUsage, err)
		}
	}
	asked.as, err = formOf("reconcile", *inJSON, *inCSV)
	return asked, err
}

// parseSince reads a day in UTC, or a moment.
func parseSince(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a day such as 2026-11-01 nor a moment such as 2026-11-01T12:00:00Z", text)
}

// compare compares what SoftLayer shows with what is recorded. first is true at the first run in this
// database.
func (v *vendors) compare(ctx context.Context, cfg config, journal *store.Store, since time.Time) (r *reconcile.Result, first bool, err error) {
	now, err := journal.Now(ctx)
	if err != nil {
		return nil, false, err
	}
	recent := now.Add(-standsAlready)
	sides, err := reconcile.Read(ctx, v.softlayer, journal, earlier(since, recent), func(context.Context) error { return nil })
	if err != nil {
		return nil, false, fmt.Errorf("reading SoftLayer's cancellations: %w", err)
	}
	standing, err := bulletin.Kept(sides.Compare(recent).News(recent))
	if err != nil {
		return nil, false, err
	}
	if first, err = journal.BeginElsewhere(ctx, standing); err != nil {
		return nil, false, err
	}
	r = sides.Compare(since)
	// What was sent just now may be newer than SoftLayer's list.
	err = r.CheckRecords(ctx, journal, since, now.Add(-cfg.PostTimeout-time.Minute))
	return r, first, err
}

// earlier returns the earlier of two times. A zero since is the earliest.
func earlier(since, other time.Time) time.Time {
	if since.Before(other) {
		return since
	}
	return other
}

func firstReconcile(cfg config) string {
	if cfg.ReportChannel == "" {
		return "\nThis was its first run. REPORT_CHANNEL is not set, so new ones are posted nowhere; run it again to see them.\n"
	}
	return "\nThis was its first run. From now on the running bot posts new ones that are not by this bot once in REPORT_CHANNEL.\n"
}

func printReconciled(stdout io.Writer, r *reconcile.Result, as form) error {
	out := bufio.NewWriter(stdout)
	var err error
	if as == asTable {
		err = printReconciledTable(out, r)
	} else {
		err = printReconciledRows(out, r, as)
	}
	return errors.Join(err, out.Flush())
}

func printReconciledRows(out io.Writer, r *reconcile.Result, as form) error {
	rows, err := newSheet(out, as, "kind", "count", "cancellation", "at", "status", "user", "ticket", "ticket_number", "servers", "server_ids", "ref")
	if err != nil {
		return err
	}
	all := [][]any{
		sumRow("at SoftLayer", r.AtSoftLayer), sumRow("by this bot", r.Ours), sumRow(notByThisBot, len(r.Elsewhere)),
		sumRow(cannotTell, len(r.Unclear)), sumRow(notFound, r.MissingAll),
	}
	for _, c := range r.Elsewhere {
		all = append(all, cancellationRow(notByThisBot, c))
	}
	for _, c := range r.Unclear {
		all = append(all, cancellationRow(cannotTell, c))
	}
	for _, m := range r.Missing {
		all = append(all, missingRow(m))
	}
	for _, row := range all {
		if err := rows.write(row); err != nil {
			return err
		}
	}
	return rows.end()
}

// Kinds of rows that programs read.
const (
	notByThisBot = "not by this bot"
	cannotTell   = "cannot tell"
	notFound     = "not found"
)

func sumRow(kind string, count int) []any {
	return []any{kind, count, nil, nil, nil, nil, nil, nil, nil, nil, nil}
}

func missingRow(m cancellation.Request) []any {
	s := m.Submission.Card.Server
	return []any{
		notFound, nil, nil, sentOf(m).Format(time.RFC3339), string(m.State), nil, m.Ticket.ID, orNil(m.Ticket.Number),
		s.FQDN, strconv.FormatInt(s.ID, 10), m.Ref.Short(),
	}
}

func cancellationRow(kind string, c reconcile.Cancellation) []any {
	names, ids := serversOf(c)
	return []any{kind, nil, c.ID, c.Made.UTC().Format(time.RFC3339), c.Status, orNil(c.User), orNil(c.Ticket.ID), orNil(c.Ticket.Number), names, ids, nil}
}

// orNil returns nil for a value that the key could not see.
func orNil[T comparable](value T) any {
	if value == *new(T) {
		return nil
	}
	return value
}

func serversOf(c reconcile.Cancellation) (names, ids string) {
	var allNames, allIDs []string
	for _, s := range c.Servers {
		allNames, allIDs = append(allNames, s.Name), append(allIDs, strconv.FormatInt(s.ID, 10))
	}
	return strings.Join(allNames, " "), strings.Join(allIDs, " ")
}

func sentOf(r cancellation.Request) time.Time {
	if r.SentAt.IsZero() {
		return r.CreatedAt.UTC()
	}
	return r.SentAt.UTC()
}

func printReconciledTable(out io.Writer, r *reconcile.Result) error {
	fmt.Fprintf(out, "at SoftLayer %d, by this bot %d, not by this bot %d, recorded here but not found %d, as far as this key sees\n",
		r.AtSoftLayer, r.Ours, len(r.Elsewhere), r.MissingAll)
	if len(r.Unclear) > 0 {
		fmt.Fprintf(out, "cannot tell %d: their ticket is not shown to this key, or a request here does not know its ticket yet\n", len(r.Unclear))
	}
	if r.ShowsNothing() {
		fmt.Fprintln(out, "SoftLayer shows no cancellation at all. A key without ACCOUNT_SUMMARY_VIEW may be shown none either.")
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	printCancellations(table, "NOT BY THIS BOT", r.Elsewhere)
	printCancellations(table, "CANNOT TELL", r.Unclear)
	if len(r.Missing) > 0 {
		fmt.Fprintf(table, "\nNOT FOUND\tSENT\tSTATE\tTICKET\tSERVER\n")
	}
	for _, m := range r.Missing {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", m.Ref.Short(), sentOf(m).Format(time.DateTime), m.State, ticketCell(m.Ticket),
			policytool.Printable(m.Submission.Card.Server.FQDN))
	}
	if more := r.MissingAll - len(r.Missing); more > 0 {
		fmt.Fprintf(table, "and %d more\n", more)
	}
	return table.Flush()
}

func printCancellations(table io.Writer, head string, list []reconcile.Cancellation) {
	if len(list) > 0 {
		fmt.Fprintf(table, "\n%s\tMADE\tSTATUS\tUSER\tTICKET\tSERVER\n", head)
	}
	for _, c := range list {
		names, _ := serversOf(c)
		if names == "" {
			names = fmt.Sprintf("not shown, %d items", len(c.Items))
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\n", c.ID, c.Made.UTC().Format(time.DateTime),
			policytool.Printable(c.Status), policytool.Printable(cmp.Or(c.User, "not shown")), ticketCell(c.Ticket), policytool.Printable(names))
	}
}
