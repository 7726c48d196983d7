package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"cancel-server/internal/closing"
	"cancel-server/internal/policytool"
	"cancel-server/internal/report"
	"cancel-server/internal/store"
	"cancel-server/internal/typeahead"
)

const reportUsage = `bot report [--month 2026-11] [--by-person] [--json|--csv]
bot report --closing [--json|--csv]

Adds up what cancelled servers save: over all, by data center and by tag. It reads the database only.
With --closing: how far the servers are asked for that stand in closing data centers and pods.

  --month YYYY-MM  the month, in UTC; the default is this month so far
  --by-person      adds a line for each person who asked
  --closing        lists the places that close instead
  --json           prints one JSON object a line
  --csv            prints RFC 4180; a cell that could be a formula begins with '

requested        requests that were filed at SoftLayer in the month
gone             servers that were seen gone in the month; nothing counts before that
saved a month    what those cost a month, by the price when each was asked for (an hourly price times 730)
late             those that were billed longer because a cut-off was missed, and what that cost
left behind      what was still billed when each server was gone: volumes, subnets, VLANs, associated
                 items. Servers of which that was not read, or not all of it, are counted apart
still billed     what those cost a month, as it was then
gone this year   servers gone since 1 January, until the month's end
saved this year  what those have not cost since, each from the month on in which it was gone

A server with several tags counts in each. A cost that the key could not see is in no sum: such servers
are counted apart. Amounts are US dollars, and exact. What servers left behind is subtracted from nothing.

--closing lists a pod if SoftLayer has announced that it will close, and each place of CLOSURE_DEADLINES.
A server counts once: in its pod if the pod has a line, else in its data center. It reads the bot's list
of servers, SoftLayer's pods, and what each server in a closing place costs: one call for ten servers.

servers          that stand there
asked            for which a request or another cancellation stands
waiting          of which the request waits for approval
not asked        all others
cost a month     of those that are not asked for, as SoftLayer shows it now; an hourly price times 730
` + exitCodes + `
Example:
  bot report --month 2026-11 --csv
  bot report --closing
`

// reportAsked is what a person wants of bot report.
type reportAsked struct {
	month   string // "" for this month
	people  bool
	closing bool
	as      form
}

// reportVerb is bot report. It uses only the database, but for the places that close.
func reportVerb(ctx context.Context, args []string, stdout io.Writer) error {
	asked, err := parseReport(args)
	if err != nil {
		return err
	}
	if asked.closing {
		return reportClosing(ctx, asked.as, stdout)
	}
	return withRecords(ctx, stdout, func(records *store.Store, out *bufio.Writer) error {
		sums, err := readReport(ctx, records, asked)
		if err != nil {
			return err
		}
		return printReport(out, sums, records.Binding(), asked.as)
	})
}

func parseReport(args []string) (asked reportAsked, err error) {
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&asked.month, "month", "", "")
	flags.BoolVar(&asked.people, "by-person", false, "")
	flags.BoolVar(&asked.closing, "closing", false, "")
	inJSON, inCSV := flags.Bool("json", false, ""), flags.Bool("csv", false, "")
	if err := flags.Parse(args); err != nil {
		return asked, fmt.Errorf("%w: report: %w", errUsage, err)
	}
	if flags.NArg() > 0 {
		return asked, fmt.Errorf("%w: report takes no arguments but its flags, got %q; bot report -h lists them", errUsage, flags.Args())
	}
	if asked.closing && (asked.month != "" || asked.people) {
		return asked, fmt.Errorf("%w: report --closing goes with neither --month nor --by-person; bot report -h says more", errUsage)
	}
	if asked.month != "" {
		if _, err := report.ParseMonth(asked.month); err != nil {
			return asked, fmt.Errorf("%w: report --month: %w", errUsage, err)
		}
	}
	asked.as, err = formOf("report", *inJSON, *inCSV)
	return asked, err
}

func readReport(ctx context.Context, journal *store.Store, asked reportAsked) (*report.Report, error) {
	now, err := journal.Now(ctx)
	if err != nil {
		return nil, err
	}
	month := report.MonthOf(now)
	if asked.month != "" {
		month, _ = report.ParseMonth(asked.month) // parsed before
	}
	return report.Read(ctx, journal, month, now, asked.people)
}

func printReport(stdout io.Writer, sums *report.Report, of store.Binding, as form) error {
	out := bufio.NewWriter(stdout)
	var err error
	if as == asTable {
		err = printReportTable(out, sums, of)
	} else {
		err = printReportRows(out, sums, as)
	}
	return errors.Join(err, out.Flush())
}

func printReportRows(out io.Writer, sums *report.Report, as form) error {
	rows, err := newSheet(out, as, "month", "as_of", "by", "name", "id", "requested",
		"gone", "gone_cost_unknown", "saved_a_month_usd", "late", "late_cost_unknown", "late_usd",
		"left_behind", "left_behind_servers_not_read", "still_billed_a_month_usd", "still_billed_cost_unknown",
		"gone_this_year", "gone_this_year_cost_unknown", "saved_this_year_usd")
	if err != nil {
		return err
	}
	for _, kind := range sums.Kinds() {
		for _, l := range sums.Groups(kind) {
			row := []any{
				sums.Month.String(), sums.AsOf.UTC().Format(time.RFC3339), string(l.Kind), l.Name, l.ID, l.Requested,
				l.Gone.Count, l.Gone.Unknown, l.Gone.Amount(), l.Late.Count, l.Late.Unknown, l.Late.Amount(),
			}
			row = append(append(row, leftCells(l)...), l.Year.Count, l.Year.Unknown, l.Year.Amount())
			if err := rows.write(row); err != nil {
				return err
			}
		}
	}
	return rows.end()
}

// leftCells are what servers left behind. What was not read is nil, and never 0.
func leftCells(g *report.Group) []any {
	if !g.Left.Known(g.Gone.Count) {
		return []any{nil, g.Left.NotRead, nil, nil}
	}
	return []any{g.Left.Count, g.Left.NotRead, g.Left.Amount(), g.Left.Unknown}
}

// reportHeads are what the first column of each table is called.
var reportHeads = map[report.Kind]string{
	report.All: "", report.ByDatacenter: "DATA CENTER", report.ByTag: "TAG", report.ByPerson: "ASKED BY",
}

func printReportTable(out io.Writer, sums *report.Report, of store.Binding) error {
	fmt.Fprintf(out, "%s, as of %s UTC. %s\n", sums.Month, sums.AsOf.UTC().Format(time.DateTime), of)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, kind := range sums.Kinds() {
		fmt.Fprintf(table, "\n%s\tREQUESTED\tGONE\tSAVED A MONTH\tLATE\tCOST OF LATE\tLEFT BEHIND\tSTILL BILLED\tGONE THIS YEAR\tSAVED THIS YEAR\n", reportHeads[kind])
		for _, l := range sums.Groups(kind) {
			left, still := leftText(l)
			fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%d\t%s\t%s\t%s\t%d\t%s\n", lineName(l), l.Requested, l.Gone.Count, sumCell(&l.Gone),
				l.Late.Count, sumCell(&l.Late), left, still, l.Year.Count, sumCell(&l.Year))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(out, `
US dollars, by the price when each server was asked for. A server counts once it is gone. LATE: billed
longer because a cut-off was missed. LEFT BEHIND: things that were still billed when their server was gone;
STILL BILLED: what they cost a month, subtracted from nothing. A server with several tags counts in each.
bot report -h says more.
`)
	return err
}

func lineName(l *report.Group) string {
	switch {
	case l.Kind == report.All:
		return "all"
	case l.ID != "" && l.ID != l.Name:
		return policytool.Printable(l.Name + " (" + l.ID + ")")
	}
	return policytool.Printable(l.Name)
}

// leftText says how many things servers left behind, and what those cost a month.
func leftText(g *report.Group) (count, cost string) {
	if !g.Left.Known(g.Gone.Count) {
		return "not read", "not read"
	}
	count = strconv.Itoa(g.Left.Count)
	switch {
	case g.Left.NotRead == 1:
		count += ", 1 server not read"
	case g.Left.NotRead > 1:
		count += fmt.Sprintf(", %d servers not read", g.Left.NotRead)
	}
	return count, sumCell(&g.Left.Sum)
}

// sumCell is an amount, with how many servers it leaves out.
func sumCell(s *report.Sum) string {
	if s.Unknown == 0 {
		return s.Amount()
	}
	return strings.TrimSpace(fmt.Sprintf("%s, and %d unknown", s.Amount(), s.Unknown))
}

// reportClosing prints how far the servers in closing places are asked for. It reads SoftLayer.
func reportClosing(ctx context.Context, as form, stdout io.Writer) error {
	return withVendors(ctx, func(cfg config, v *vendors, journal *store.Store) error {
		board, err := v.readClosing(ctx, cfg, journal)
		if err != nil {
			return err
		}
		out := bufio.NewWriter(stdout)
		if as == asTable {
			err = printClosingTable(out, board)
		} else {
			err = printClosingRows(out, board, as)
		}
		return errors.Join(err, out.Flush())
	})
}

func (v *vendors) readClosing(ctx context.Context, cfg config, journal *store.Store) (closing.Board, error) {
	log := slog.New(slog.DiscardHandler)
	all := typeahead.New(typeahead.Options{Keeper: journal, Log: log})
	found, err := all.TakeKept(ctx)
	if err != nil {
		return closing.Board{}, fmt.Errorf("reading the bot's list of servers: %w", err)
	}
	if !found {
		return closing.Board{}, errors.New("the bot has kept no list of all servers yet; run this again when it has read them")
	}
	return closing.New(closingOptions(cfg, v, journal, all, log)).Whole(ctx)
}

func printClosingRows(out io.Writer, b closing.Board, as form) error {
	rows, err := newSheet(out, as, "as_of", "servers_as_of", "place", "announced", "closes", "days_left", "servers",
		"asked", "waiting", "not_asked", "not_asked_a_month_usd", "not_asked_cost_unknown", "perhaps_in_it")
	if err != nil {
		return err
	}
	for _, s := range b.Places {
		row := []any{
			b.AsOf.UTC().Format(time.RFC3339), b.Listed.UTC().Format(time.RFC3339), s.Place, s.Announced, nil, nil, s.Servers,
			s.Asked, s.Waiting, s.Rest, s.Fee, s.Unknown + s.Unread, s.Unplaced,
		}
		if !s.Day.IsZero() {
			row[4], row[5] = s.Day.Format(time.DateOnly), max(0, s.DaysLeft(b.AsOf))
		}
		if err := rows.write(row); err != nil {
			return err
		}
	}
	return rows.end()
}

func printClosingTable(out io.Writer, b closing.Board) error {
	fmt.Fprintf(out, "As of %s UTC; the list of servers is of %s UTC.\n", b.AsOf.UTC().Format(time.DateTime), b.Listed.UTC().Format(time.DateTime))
	if len(b.Places) == 0 {
		_, err := io.WriteString(out, "SoftLayer has announced no closure, and CLOSURE_DEADLINES names no place.\n")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "\nPLACE\tANNOUNCED\tCLOSES\tDAYS LEFT\tSERVERS\tASKED\tWAITING\tNOT ASKED\tCOST A MONTH\n")
	perhaps := 0
	for _, s := range b.Places {
		closes, left := "no date set", ""
		if !s.Day.IsZero() {
			closes, left = s.Day.Format(time.DateOnly), strconv.Itoa(s.DaysLeft(b.AsOf))
		}
		fee := s.Fee
		if n := s.Unknown + s.Unread; n > 0 {
			fee += fmt.Sprintf(", and %d unknown", n)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\n", policytool.Printable(s.Place), yesNo(s.Announced), closes, left,
			s.Servers, s.Asked, s.Waiting, s.Rest, fee)
		perhaps += s.Unplaced
	}
	for _, s := range b.Places {
		if len(s.Sharing) > 0 {
			fmt.Fprintf(table, "\n%s shares a router with %s: their servers cannot be told apart, and count in the pod that closes first.\n",
				policytool.Printable(s.Place), policytool.Printable(strings.Join(s.Sharing, ", ")))
		}
	}
	switch {
	case perhaps == 1:
		fmt.Fprint(table, "\n1 more server may stand in a closing pod of its data center: this key does not show its pod.\n")
	case perhaps > 1:
		fmt.Fprintf(table, "\n%d more servers may stand in a closing pod of their data center: this key does not show their pod.\n", perhaps)
	}
	return table.Flush()
}

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
