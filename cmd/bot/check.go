package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"cancel-server/internal/checkup"
	"cancel-server/internal/policytool"
)

const checkUsage = `bot check [--json]

Looks at what the bot needs, with the same settings, and prints one line for each thing: how it is, what
was found, and what to do. It takes ten seconds at most. It makes, binds and migrates nothing, opens no
connection of Socket Mode, and posts nothing; a write to the database is rolled back.

  --json  prints one JSON object a line: name, level, found, do; the last has next

OK    it is as it should be
WARN  something is missing or risky, and the main job works
FAIL  the main job does not work, or not for everybody
SKIP  nobody can tell from here; the line says why

The last line is the next thing to do. Exit codes: 0 nothing failed, 1 something failed, 2 a setting or
the policy file is wrong. Run it once a minute at most: Slack limits how often the app token is tried.

Example:
  bot check --json
`

// checkVerb is bot check. It returns the exit code by the worst finding.
func checkVerb(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	wrong, findings, err := check(ctx, args, stdout)
	switch {
	case err != nil:
		return exitCode(stderr, err)
	case wrong:
		return exitUsage
	case checkup.Failed(findings):
		return exitFailed
	}
	return exitDone
}

// check makes the checks and prints what they found. wrong reports that the settings or the policy file
// are.
func check(ctx context.Context, args []string, stdout io.Writer) (wrong bool, findings []checkup.Finding, err error) {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	inJSON := flags.Bool("json", false, "")
	if err := flags.Parse(args); err != nil {
		return false, nil, fmt.Errorf("%w: check: %w", errUsage, err)
	}
	if flags.NArg() > 0 {
		return false, nil, fmt.Errorf("%w: check takes no arguments but its flag, got %q; bot check -h says more", errUsage, flags.Args())
	}
	cfg, problems, refused := readSettings(func(string) bool { return true }, checkTogether)
	problems = append(problems, checkNames(os.Environ())...)
	asked := newAsked(cfg, problems, refused)
	findings, _ = checkup.Run(ctx, asked.subject())
	asked.close()
	return len(problems)+len(refused) > 0, findings, printFindings(stdout, findings, *inJSON)
}

func printFindings(stdout io.Writer, findings []checkup.Finding, inJSON bool) error {
	out := bufio.NewWriter(stdout)
	next := checkup.Next(findings)
	if inJSON {
		encoder := json.NewEncoder(out)
		for _, f := range findings {
			if err := encoder.Encode(f); err != nil {
				return fmt.Errorf("writing a finding: %w", err)
			}
		}
		return errors.Join(encoder.Encode(map[string]string{"next": next}), out.Flush())
	}
	for _, f := range findings {
		fmt.Fprintln(out, policytool.Printable(f.Line()))
	}
	fmt.Fprintln(out, policytool.Printable("Next: "+next))
	return out.Flush()
}
