package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"cancel-server/internal/fakeslack"
)

// maxServers bounds the account: each server is a whole tree in memory.
const maxServers = 100_000

// options are what the command line says.
type options struct {
	transport string   // fakeslack.TransportSocket or fakeslack.TransportHTTP
	servers   int      // of the account
	seed      uint64   // of both fakes
	listen    string   // HOST:PORT, HOST on loopback
	demo      bool     // do the main job with no browser, and end
	command   []string // runs instead of this checkout's bot; nil: the bot

	ackTimeout time.Duration // in which the bot has to acknowledge; 0 for Slack's 3 s
}

// parseOptions reads the command line: flags, then nothing, demo or -- COMMAND.
// The error is flag.ErrHelp for -h.
func parseOptions(args []string) (options, error) {
	o := options{
		transport: fakeslack.TransportSocket, servers: 200, seed: 1, listen: "127.0.0.1:0",
	}
	own := args
	if i := slices.Index(args, "--"); i >= 0 {
		own, o.command = args[:i], args[i+1:]
		if len(o.command) == 0 {
			return options{}, errors.New("reading the arguments: no command after --")
		}
	}
	rest, err := o.parseFlags(own)
	if err == nil && len(rest) > 0 && rest[0] == "demo" {
		o.demo = true
		rest, err = o.parseFlags(rest[1:])
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return options{}, err
	case err != nil:
		return options{}, fmt.Errorf("reading the arguments: %w", err)
	case len(rest) > 0:
		return options{}, fmt.Errorf("reading the arguments: %q is neither demo nor a flag; a command comes after --", rest[0])
	}
	return o, o.check()
}

// parseFlags reads the flags at the beginning of args and returns what follows.
func (o *options) parseFlags(args []string) ([]string, error) {
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller says it
	flags.StringVar(&o.transport, "transport", o.transport, "")
	flags.IntVar(&o.servers, "servers", o.servers, "")
	flags.Uint64Var(&o.seed, "seed", o.seed, "")
	flags.StringVar(&o.listen, "listen", o.listen, "")
	err := flags.Parse(args)
	return flags.Args(), err
}

func (o options) check() error {
	switch {
	case o.demo && o.command != nil:
		return errors.New("reading the arguments: demo runs the bot of this checkout, not a command")
	case o.transport != fakeslack.TransportSocket && o.transport != fakeslack.TransportHTTP:
		return fmt.Errorf("reading --transport: %q is neither socket nor http", o.transport)
	case o.servers < 1 || o.servers > maxServers:
		return fmt.Errorf("reading --servers: %d is not between 1 and %d", o.servers, maxServers)
	}
	return checkLoopback(o.listen)
}

// checkLoopback refuses an address that others could reach: anyone who reaches the
// control routes steers the sandbox.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("reading --listen: %w", err)
	}
	ip, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !ip.Unmap().IsLoopback()) {
		return fmt.Errorf("reading --listen: %q is not on loopback, such as 127.0.0.1:0", address)
	}
	return nil
}
