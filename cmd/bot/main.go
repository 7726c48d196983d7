// Command bot is the Slack bot behind /cancel-server: it files SoftLayer cancellation tickets for
// bare-metal servers, for the people whom its policy allows to. This package holds the verbs, the
// environment and the wiring, and nothing else.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
)

// The exit codes of every verb.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // wrong usage or configuration
)

// errUsage marks an error of how the program was called or configured.
var errUsage = errors.New("wrong usage or configuration")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	footprint.limit()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run does what the arguments say and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	verb, rest := "serve", args
	if len(args) > 0 && args[0] != "-h" && args[0] != "--help" {
		verb, rest = args[0], args[1:]
	} else if len(args) > 0 {
		return exitCode(stderr, writeUsage(stdout, verbs()))
	}
	if slices.Contains(rest, "-h") || slices.Contains(rest, "--help") {
		return exitCode(stderr, help(verb, stdout))
	}
	do, known := runners[verb]
	if !known {
		return exitCode(stderr, fmt.Errorf("%w: %q is not a verb; bot -h lists them", errUsage, verb))
	}
	return do(ctx, rest, stdout, stderr)
}

// runner runs a verb and returns its exit code.
type runner func(ctx context.Context, args []string, stdout, stderr io.Writer) int

// printing makes a runner of a verb that only prints.
func printing(verb func(ctx context.Context, args []string, stdout io.Writer) error) runner {
	return func(ctx context.Context, args []string, stdout, stderr io.Writer) int {
		return exitCode(stderr, verb(ctx, args, stdout))
	}
}

// runners are the verbs by their first word.
var runners = map[string]runner{
	"serve": func(ctx context.Context, args []string, _, stderr io.Writer) int {
		return exitCode(stderr, serve(ctx, args, stderr))
	},
	"check":     checkVerb,
	"resolve":   printing(resolve),
	"freeze":    ordering(true),
	"unfreeze":  ordering(false),
	"requests":  printing(requests),
	"show":      printing(show),
	"history":   printing(history),
	"report":    printing(reportVerb),
	"reconcile": printing(reconcileVerb),
	"backup":    printing(backup),
	"audit":     printing(auditVerb),
	"policy":    printing(policyVerb),
	"version":   printing(func(_ context.Context, args []string, stdout io.Writer) error { return printVersion(args, stdout) }),
}

func ordering(frozen bool) runner {
	return printing(func(ctx context.Context, args []string, stdout io.Writer) error {
		return freeze(ctx, args, frozen, stdout)
	})
}

func verbs() []verb {
	return slices.Concat(workVerbs(), auditVerbs(), policyVerbs(), []verb{{usage: "version", meaning: "prints the version"}})
}

func workVerbs() []verb {
	return []verb{
		{usage: "[serve]", meaning: "serves Slack until stopped; the default"},
		{usage: "check [--json]", meaning: "looks at what the bot needs and says what to do; changes nothing; check -h says more"},
		{usage: "resolve REF filed TICKET [--unseen] --why TEXT", meaning: "ends a stuck request: TICKET is its ticket; with --unseen on your word, if this key cannot read the ticket"},
		{usage: "resolve REF none --why TEXT", meaning: "there is no ticket: sends the stuck request once more, after all checks"},
		{usage: "resolve REF drop --why TEXT", meaning: "there is no ticket and the server stays: ends the stuck request"},
		{usage: "freeze --why TEXT", meaning: "stops all filing, on every replica; lists the requests that may already be under way"},
		{usage: "unfreeze --why TEXT", meaning: "lets filing go on"},
		{usage: "requests [--all] [--state STATE,…] [--server SERVER] [--by PERSON] [--since WHEN] [--until WHEN] [--json|--csv]", meaning: "lists requests: those that have not ended, all, or some; requests -h says how"},
		{usage: "show REF [--json]", meaning: "shows everything on record about one request, with the policy's text"},
		{usage: "history SERVER [--json]", meaning: "shows every request ever made for one server, refusals too"},
		{usage: "report [--month YYYY-MM] [--by-person] [--json|--csv]", meaning: "adds up what cancelled servers save; report -h says how"},
		{usage: "reconcile [--since WHEN] [--json|--csv]", meaning: "compares SoftLayer's cancellations with what is recorded here; reconcile -h says how"},
		{usage: "backup FILE", meaning: "copies a SQLite database that bots may serve from; backup -h says how to restore it"},
	}
}

// ownUsages are what -h shows behind each verb.
var ownUsages = map[string]string{
	"serve": serveUsage, "check": checkUsage, "resolve": resolveUsage, "freeze": freezeUsage, "unfreeze": unfreezeUsage,
	"requests": requestsUsage, "show": showUsage, "history": historyUsage,
	"report": reportUsage, "reconcile": reconcileUsage, "backup": backupUsage, "audit": auditUsage, "policy": policyUsage, "version": versionUsage,
}

// help writes what -h shows behind a verb.
func help(verb string, stdout io.Writer) error {
	if text, own := ownUsages[verb]; own {
		_, err := io.WriteString(stdout, text)
		return err
	}
	return writeUsage(stdout, verbs())
}

func exitCode(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "bot:", err)
	var config *configError
	if errors.Is(err, errUsage) || errors.As(err, &config) || errors.Is(err, flag.ErrHelp) {
		return exitUsage
	}
	return exitFailed
}

func printVersion(args []string, stdout io.Writer) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: version takes no arguments, got %q", errUsage, args)
	}
	_, err := fmt.Fprintln(stdout, version())
	return err
}

// release and commit are what a release is built with: -ldflags "-X main.release=v1.2.3 -X main.commit=…".
var release, commit string

// build returns the version and the commit of this program: those of the release, or else what Go
// recorded of the module and its repository.
func build() (version, revision string) {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		info = &debug.BuildInfo{}
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			revision = setting.Value
		}
	}
	return cmp.Or(release, info.Main.Version, "unknown"), cmp.Or(commit, revision, "unknown")
}

// version says which build this is.
func version() string {
	version, revision := build()
	return "cancel-server " + version + ", commit " + revision + ", " + runtime.Version()
}
