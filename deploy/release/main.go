// Command release builds what is released: for each system an archive with the bot and what goes with
// it, and SHA256SUMS. The same sources, version, commit and Go make the same bytes, in whatever folder
// they are and no matter who builds them.
//
//	go run ./deploy/release -version v1.2.3
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// order is what is to be built.
type order struct {
	version, commit string
	systems         []string // each as GOOS/GOARCH
	out             string   // the folder that gets the archives, or
	binary          string   // the path that gets nothing but the bot
}

// aVersion is how versions are written: https://semver.org with a v before it.
var aVersion = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func main() {
	o, err := parse(os.Args[1:])
	if err == nil {
		err = o.make(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func parse(args []string) (o order, err error) {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.StringVar(&o.version, "version", "", "version of the release, such as v1.2.3")
	flags.StringVar(&o.commit, "commit", "", "commit of the sources; by default git says it")
	flags.StringVar(&o.out, "out", "dist", "folder for the archives")
	flags.StringVar(&o.binary, "binary", "", "path for the bot alone, instead of archives; for one system")
	systems := flags.String("systems", "linux/amd64,linux/arm64", "comma-separated systems, each as GOOS/GOARCH")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.systems = strings.Split(*systems, ",")
	switch {
	case !aVersion.MatchString(o.version):
		return o, fmt.Errorf("-version %q is not like v1.2.3", o.version)
	case o.binary != "" && len(o.systems) != 1:
		return o, errors.New("-binary is for one system: name it with -systems")
	case o.commit == "":
		o.commit, err = commitOf()
	}
	return o, err
}

// commitOf returns the commit of the sources. It refuses changes that are in no commit: nobody could
// build the same again.
func commitOf() (string, error) {
	changed, err := exec.Command("git", "status", "--porcelain").Output()
	if err != nil {
		return "", fmt.Errorf("asking git which commit this is; say it with -commit: %w", err)
	}
	if len(changed) > 0 {
		return "", fmt.Errorf("these changes are in no commit:\n%s", changed)
	}
	commit, err := exec.Command("git", "rev-parse", "HEAD").Output()
	return strings.TrimSpace(string(commit)), err
}

// make builds everything and says what it made.
func (o order) make(said io.Writer) error {
	if o.binary != "" {
		return o.build(o.systems[0], o.binary)
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	licenses, err := licensesOfOthers()
	for _, system := range o.systems {
		if err == nil {
			err = o.archive(system, filepath.Join(work, "bot"), licenses)
		}
	}
	if err == nil {
		err = o.sum(said)
	}
	return errors.Join(err, os.RemoveAll(work))
}

// settings are what may change a build besides the sources: each is as it is here, whatever the shell says.
var settings = []string{"CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off"}

// build builds the bot for a system.
func (o order) build(system, path string) error {
	goos, goarch, _ := strings.Cut(system, "/")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.release="+o.version+" -X main.commit="+o.commit, "-o", path, "./cmd/bot")
	cmd.Env = slices.Concat(os.Environ(), settings, []string{"GOOS=" + goos, "GOARCH=" + goarch})
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building for %s: %w\n%s", system, err, said)
	}
	return nil
}
