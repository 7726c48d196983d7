//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"cancel-server/internal/cleanroom"
)

// TestMain lets this binary play the sandbox's child: the tests start it again
// with the name of a role.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "stand-in" {
		os.Exit(standIn(os.Args[2], os.Args[3:]))
	}
	cleanroom.Main(m)
}

// standInCommand is a command line that makes this binary play a role.
func standInCommand(role string, args ...string) []string {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return append([]string{self, "stand-in", role}, args...)
}

func standIn(role string, args []string) int {
	switch role {
	case "environment": // shows what it sees
		_ = json.NewEncoder(os.Stdout).Encode(os.Environ())
		return 0
	case "quitter": // complains and fails
		fmt.Fprintln(os.Stderr, "quitter: I cannot go on")
		return 3
	case "suicide": // ends by a signal
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "polite": // ends with 7 when it is asked to
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		callHome(args[0])
		<-asked
		return 7
	case "stubborn": // does not end when it is asked to, nor does its own child
		signal.Ignore(syscall.SIGTERM)
		offspring := exec.Command(os.Args[0], "stand-in", "deaf", args[0])
		offspring.Stdout, offspring.Stderr = os.Stdout, os.Stderr
		_ = offspring.Start()
		callHome(args[0])
		select {}
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		callHome(args[0])
		fmt.Println("up")
		select {}
	case "parent": // leaves a child of its own behind
		offspring := exec.Command(os.Args[0], "stand-in", "deaf", args[0])
		up, _ := offspring.StdoutPipe()
		_ = offspring.Start()
		_, _ = io.ReadFull(up, make([]byte, 1))
		return 0
	case "sandbox": // is the sandbox itself
		os.Args = append(os.Args[:1], args...)
		main()
	case "bot":
		return botStandIn(args)
	}
	return 99
}

// callHome connects to the test and keeps the connection: it ends with this process.
func callHome(address string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		os.Exit(98)
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }()
}

// home is where stand-ins call, so that a test knows that they live and when they end.
type home struct {
	t        *testing.T
	listener net.Listener
}

func newHome(t *testing.T) home {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return home{t, listener}
}

func (h home) address() string { return h.listener.Addr().String() }

// welcome waits for the next stand-in; the function it returns waits for its end.
func (h home) welcome() (awaitEnd func()) {
	h.t.Helper()
	conn, err := h.listener.Accept()
	if err != nil {
		h.t.Fatal(err)
	}
	return func() {
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
}
