// Command sandbox runs a bot against a pretend Slack workspace and a pretend SoftLayer account,
// both on loopback, so that anyone can try it without an account. It prints one URL: a page to type
// /cancel-server on, and under /control/ a JSON API with which programs do what people do there. -h
// lists the rest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program; it returns the exit code. When ctx ends, the child is asked to end.
// Several goroutines use both writers.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	opts, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		printUsage(stdout)
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "sandbox: %v; -h explains the usage\n", err)
		return 2
	}
	p := play{
		options: opts, environ: environ, stdout: stdout, stderr: stderr,
		limits: limits{grace: 10 * time.Second, reach: time.Minute, step: 10 * time.Second, arrive: time.Minute},
	}
	code, err := p.run(ctx)
	if err != nil {
		fmt.Fprintf(stderr, "sandbox: %v\n", err)
		return max(code, 1)
	}
	return code
}
