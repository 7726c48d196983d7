package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// contents are what an archive holds besides the bot, as patterns of paths.
var contents = []string{
	"LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "manifest.yaml",
	"deploy/README.md", "deploy/cancel-server.service", "deploy/environment", "deploy/kubernetes.yaml", "deploy/alerts.yaml", "deploy/dashboard.json",
	"docs/*.md", "examples/policies/*.cedar",
}

// written is when everything in an archive was last changed, as it says. A clock would differ.
var written = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// archive builds the bot for a system and packs it.
func (o order) archive(system, bot string, licenses []byte) (err error) {
	if err := o.build(system, bot); err != nil {
		return err
	}
	name := "cancel-server-" + o.version + "-" + strings.ReplaceAll(system, "/", "-")
	file, err := os.Create(filepath.Join(o.out, name+".tar.gz"))
	if err != nil {
		return err
	}
	packed := gzip.NewWriter(file)
	to := &parcel{tar.NewWriter(packed), name}
	return errors.Join(to.fill(bot, licenses), to.Close(), packed.Close(), file.Close())
}

// parcel is an archive that is being written. Everything is in one folder of its name.
type parcel struct {
	*tar.Writer
	name string
}

func (p *parcel) fill(bot string, licenses []byte) error {
	if err := p.addFile(bot, "bot", 0o755); err != nil {
		return err
	}
	if err := p.add("LICENSES-OF-OTHERS", 0o644, licenses); err != nil {
		return err
	}
	for _, pattern := range contents {
		found, err := filepath.Glob(pattern) // sorted
		if err != nil {
			return err
		}
		for _, path := range found {
			if err := p.addFile(path, filepath.ToSlash(path), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *parcel) addFile(path, as string, mode int64) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return p.add(as, mode, content)
}

func (p *parcel) add(as string, mode int64, content []byte) error {
	header := &tar.Header{Name: p.name + "/" + as, Mode: mode, Size: int64(len(content)), ModTime: written, Format: tar.FormatPAX}
	if err := p.WriteHeader(header); err != nil {
		return err
	}
	_, err := p.Write(content)
	return err
}

// sum writes SHA256SUMS, which sha256sum --check reads, and says it.
func (o order) sum(said io.Writer) error {
	archives, err := filepath.Glob(filepath.Join(o.out, "cancel-server-"+o.version+"-*.tar.gz"))
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, path := range archives {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), filepath.Base(path))
	}
	if _, err := io.WriteString(said, sums.String()); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// licensesOfOthers returns the licenses of Go and of all modules that are in the bot: they ask to go with it.
func licensesOfOthers() ([]byte, error) {
	const each = `{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}|{{.Dir}}{{end}}{{end}}`
	cmd := exec.Command("go", "list", "-deps", "-f", each, "./cmd/bot")
	cmd.Env = slices.Concat(os.Environ(), settings, []string{"GOOS=linux"})
	listed, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing what is in the bot: %w", err)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("asking where Go is: %w", err)
	}
	modules := slices.Sorted(strings.Lines(string(listed) + "Go|" + string(root)))
	var all strings.Builder
	for _, module := range slices.Compact(modules) {
		name, dir, _ := strings.Cut(strings.TrimSpace(module), "|")
		if name == "" {
			continue
		}
		if err := addLicenses(&all, name, dir); err != nil {
			return nil, err
		}
	}
	return []byte(all.String()), nil
}

// addLicenses adds what a module says about its license. It is an error if that is nothing.
func addLicenses(to *strings.Builder, module, dir string) error {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return err
	}
	before := to.Len()
	for _, entry := range entries {
		name := strings.ToUpper(entry.Name())
		says := slices.ContainsFunc([]string{"LICENSE", "LICENCE", "COPYING", "NOTICE"}, func(word string) bool { return strings.HasPrefix(name, word) })
		if entry.IsDir() || !says {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(to, "==== %s: %s\n\n%s\n\n", module, entry.Name(), text)
	}
	if to.Len() == before {
		return fmt.Errorf("%s has no license", module)
	}
	return nil
}
