package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/store"
)

// freeze stops all filing of the deployment, or resumes it, using only the database. It prints
// which deployment that is, and which requests may be under way and until when.
func freeze(ctx context.Context, args []string, frozen bool, stdout io.Writer) error {
	why, err := parseOrder(args, frozen)
	if err != nil {
		return err
	}
	journal, err := openBeside(ctx)
	if err != nil {
		return err
	}
	where, err := deployment(ctx, journal)
	if err != nil {
		return errors.Join(err, journal.Close())
	}
	desk := &cancellation.Desk{Freezes: journal, Wake: func() {}, Log: slog.New(slog.DiscardHandler)}
	underWay, err := desk.Freeze(ctx, cancellation.Freeze{Frozen: frozen, Actor: cancellation.Operator(operator()), Why: why})
	if err := errors.Join(err, journal.Close()); err != nil {
		return err
	}
	return printOrder(stdout, frozen, where, underWay)
}

// deployment returns what a database belongs to, and how many bots serve from it now. A bot that
// moved leaves behind a database that looks like its own.
func deployment(ctx context.Context, journal *store.Store) (string, error) {
	n, err := journal.Replicas(ctx, heartbeatSilence)
	if err != nil {
		return "", err
	}
	if n == 0 {
		return fmt.Sprintf("%s. No bot serves from this database now: is DATABASE_URL that of the running bot?", journal.Binding()), nil
	}
	return fmt.Sprintf("%s. Bots that serve from this database now: %d.", journal.Binding(), n), nil
}

func parseOrder(args []string, frozen bool) (why string, err error) {
	name := map[bool]string{true: "freeze", false: "unfreeze"}[frozen]
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&why, "why", "", "")
	words, err := parseMixed(flags, args)
	switch {
	case err != nil:
		return "", err
	case len(words) > 0:
		return "", fmt.Errorf("%w: %s takes no arguments but --why, got %q", errUsage, name, words)
	case strings.TrimSpace(why) == "":
		return "", fmt.Errorf("%w: %s: %w", errUsage, name, cancellation.ErrWhyMissing)
	}
	return why, nil
}

func printOrder(stdout io.Writer, frozen bool, where string, underWay []cancellation.Request) error {
	if !frozen {
		_, err := fmt.Fprintf(stdout, "Filing goes on. Waiting requests are filed within half a minute, after all checks.\nThis is %s\n", where)
		return err
	}
	text := fmt.Sprintf("Filing is frozen: no request is sent from now on.\nThis is %s\nPerhaps already under way, and not stopped by the freeze: %d\n", where, len(underWay))
	for _, r := range underWay {
		text += fmt.Sprintf("%s %s, will not be sent after %s\n", r.Ref.Short(), r.Submission.Card.Server.FQDN, r.NotAfter.UTC().Format(time.RFC3339))
	}
	_, err := io.WriteString(stdout, text)
	return err
}
