//go:build linux

package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// module is where the module's files are.
const module = ".."

// patch replaces a text wherever it stands in one file, named by its path in the module
// or by one below GOROOT.
type patch struct{ file, old, new string }

// source is where a file of the module, or of Go itself, is.
func source(path string) (string, error) {
	below, is := strings.CutPrefix(path, "GOROOT/")
	if !is {
		return filepath.Abs(filepath.Join(module, path))
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	return filepath.Join(strings.TrimSpace(string(root)), below), err
}

// binary is the program, built from the sources with patches and added files.
type binary struct {
	name    string
	patches []patch
	added   map[string]string // path in the module → file to put there

	once sync.Once
	path string
	err  error
}

// workshop is the folder of all binaries; TestMain makes and removes it.
var workshop string

// built is the path of the binary, which is built once.
func (b *binary) built() (string, error) {
	b.once.Do(func() { b.path, b.err = b.build() })
	return b.path, b.err
}

func (b *binary) build() (string, error) {
	dir := filepath.Join(workshop, b.name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	overlay, err := b.overlay(dir)
	if err != nil {
		return "", fmt.Errorf("preparing the binary %s: %w", b.name, err)
	}
	path := filepath.Join(dir, "bot")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-overlay", overlay, "-o", path, "./cmd/bot")
	cmd.Dir = module
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the binary %s: %w\n%s", b.name, err, out)
	}
	return path, nil
}

// overlay writes the changed files and the list of them that go build takes:
// https://pkg.go.dev/cmd/go#hdr-Compile_packages_and_dependencies
func (b *binary) overlay(dir string) (string, error) {
	changed, err := patched(b.patches)
	if err != nil {
		return "", err
	}
	for path, from := range b.added {
		text, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		changed[path] = string(text)
	}
	replace := map[string]string{}
	for path, text := range changed {
		original, err := source(path)
		if err != nil {
			return "", err
		}
		replace[original] = filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(replace[original], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, list, 0o600)
}

// patched returns the files that the patches change, with the changes made.
func patched(patches []patch) (map[string]string, error) {
	changed := map[string]string{}
	for _, p := range patches {
		text, known := changed[p.file]
		if !known {
			at, err := source(p.file)
			if err != nil {
				return nil, fmt.Errorf("finding %s: %w", p.file, err)
			}
			read, err := os.ReadFile(at)
			if err != nil {
				return nil, err
			}
			text = string(read)
		}
		if !strings.Contains(text, p.old) {
			return nil, fmt.Errorf("%s does not hold the text that is to be replaced: the harness is out of date\n%s", p.file, p.old)
		}
		changed[p.file] = strings.ReplaceAll(text, p.old, p.new)
	}
	return changed, nil
}
