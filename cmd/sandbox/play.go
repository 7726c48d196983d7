package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// limits are the time limits of a play.
type limits struct {
	grace  time.Duration // from the child's SIGTERM to the end of its group
	reach  time.Duration // from the child's start until a command no longer waits for it
	step   time.Duration // of the demo: until a view is as it should be
	arrive time.Duration // of the demo: from the submission to the message
}

// play is one run of the sandbox.
type play struct {
	options        options
	environ        []string // of the sandbox itself
	stdout, stderr io.Writer
	limits         limits
}

// run opens the world, runs the child in it, and returns its exit code, or the
// demo's. An error is for people; its code is 1 unless the child gave another.
func (p play) run(ctx context.Context) (int, error) {
	w, err := openWorld(p.options, p.limits.reach, p.stderr)
	if err != nil {
		return 1, err
	}
	defer w.close()
	fmt.Fprintf(p.stdout, "sandbox: %s\n", w.url)

	folder, err := os.MkdirTemp("", "cancel-server-sandbox-")
	if err != nil {
		return 1, fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(folder)
	fmt.Fprintf(p.stderr, "sandbox: %d servers from seed %d\n", p.options.servers, p.options.seed)
	c, err := p.child(ctx, w, folder)
	if err != nil {
		return 1, err
	}
	if p.options.demo {
		return p.runDemo(ctx, w, c)
	}
	return p.runChild(ctx, w, c)
}

// child prepares what is to run: the command, or the bot built for it.
func (p play) child(ctx context.Context, w *world, folder string) (child, error) {
	command := p.options.command
	if command == nil {
		var err error
		if command, err = buildBot(ctx, folder, p.stderr); err != nil {
			return child{}, err
		}
	}
	environ, err := w.environment(p.environ, folder)
	if err != nil {
		return child{}, err
	}
	if isTerminal(p.stderr) {
		// Behind our pipe the bot cannot see the terminal that its log goes to.
		environ = append(environ, "LOG_FORMAT=text")
	}
	return child{command: command, environ: environ, stdout: p.stdout, stderr: p.stderr, grace: p.limits.grace}, nil
}

// runChild runs the child until the sandbox ends, with or without its child.
func (p play) runChild(ctx context.Context, w *world, c child) (int, error) {
	telling, stop := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		p.tellWhenReachable(telling, w)
	}()
	end, err := w.bot.live(ctx, c, func(e ending, ordered bool) bool { return p.goesOn(w, e, ordered) })
	stop()
	<-told
	switch {
	case err != nil:
		return 1, err
	case end.asked || end.code == 0:
		return end.code, nil
	}
	return end.code, errors.New(end.describe(filepath.Base(c.command[0])))
}

// goesOn decides whether the sandbox goes on after its child ended by itself, and says so. It does
// for people who try the bot: after any POST bot, and once the child could be reached if it is the
// bot of this checkout or was killed. A command that ends by itself has done its work, and its exit
// code is the sandbox's.
func (p play) goesOn(w *world, e ending, ordered bool) bool {
	triedOut := w.slack.WasReached() && (p.options.command == nil || e.bySignal)
	if !ordered && !triedOut {
		return false
	}
	fmt.Fprintf(p.stderr, "sandbox: %s\nsandbox: the pages stay; start the bot again at %s, or end with Ctrl-C\n", e.describe("the bot"), w.url)
	return true
}

// tellWhenReachable tells what to do as soon as that is possible.
func (p play) tellWhenReachable(ctx context.Context, w *world) {
	select {
	case <-w.bot.begun:
	case <-ctx.Done():
		return
	}
	limited, cancel := context.WithTimeout(ctx, p.limits.reach)
	defer cancel()
	err := w.slack.WaitReachable(limited)
	switch {
	case err == nil:
		fmt.Fprintf(p.stderr, "sandbox: the bot can be reached; open %s and type /cancel-server\n", w.url)
	case ctx.Err() == nil:
		fmt.Fprintf(p.stderr, "sandbox: the bot cannot be reached after %v\n", p.limits.reach)
	}
}

// runDemo runs the child and keeps its output back, does the demo alongside it, and ends it. It
// prints the child's output if the demo went wrong.
func (p play) runDemo(ctx context.Context, w *world, c child) (int, error) {
	c.stdout, c.stderr = io.Discard, io.Discard
	running, stop := context.WithCancel(ctx)
	defer stop()
	result := make(chan error, 1)
	go func() {
		result <- p.demo(running, w)
		stop() // the child has done its work
	}()
	w.bot.retire() // nobody steers it
	var end ending
	child, err := w.bot.begin(running, c)
	if err == nil {
		end = <-child.over
	}
	stop() // without its child the demo is over
	wrong := <-result
	switch {
	case err != nil:
		return 1, err
	case wrong == nil:
		return 0, nil
	case ctx.Err() != nil:
		return 1, errors.New("demo: stopped before the link arrived")
	case !end.asked:
		return max(end.code, 1), errors.New("demo: " + end.describe("the bot"))
	case end.last != "":
		wrong = fmt.Errorf("%w\nthe last lines that the bot wrote to stderr:\n%s", wrong, end.last)
	}
	return 1, fmt.Errorf("demo: %w", wrong)
}

// isTerminal reports whether people watch this writer.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
