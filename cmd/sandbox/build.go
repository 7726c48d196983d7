package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// buildBot builds the bot of the checkout around the working directory into folder, and returns the
// command that serves. It reports on stderr that it builds.
func buildBot(ctx context.Context, folder string, stderr io.Writer) ([]string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(stderr, "sandbox: building the bot; the first build takes about a minute")
	path := filepath.Join(folder, "bot")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	build := goCommand(ctx, "build", "-buildvcs=false", "-o", path, "./cmd/bot")
	build.Dir, build.Stdout, build.Stderr = root, stderr, stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("building ./cmd/bot in %s: %w", root, err)
	}
	return []string{path, "serve"}, nil
}

// moduleRoot finds the folder of go.mod from the working directory.
func moduleRoot(ctx context.Context) (string, error) {
	var complaint bytes.Buffer
	ask := goCommand(ctx, "env", "GOMOD")
	ask.Stderr = &complaint
	answer, err := ask.Output()
	if err != nil {
		return "", fmt.Errorf("asking go for the module: %w %s", err, bytes.TrimSpace(complaint.Bytes()))
	}
	root := filepath.Dir(strings.TrimSpace(string(answer)))
	if _, err := os.Stat(filepath.Join(root, "cmd", "bot", "main.go")); err != nil {
		return "", errors.New("looking for the bot: the working directory is not in a checkout of cancel-server; go there, or name a command after --")
	}
	return root, nil
}

// goCommand runs the go tool. When ctx ends, the tool is interrupted, so that it ends its compilers
// too.
func goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second // then it is killed; Windows: at once
	return cmd
}
