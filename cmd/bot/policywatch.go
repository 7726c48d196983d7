package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// policyPoll is how often the policy file is read. Its content is compared, not its time:
// a mounted ConfigMap is a chain of symlinks whose times say nothing.
const policyPoll = 2 * time.Second

// policyWatch takes a changed policy file over, or refuses it and says so aloud. The file
// must read the same twice in a row: half a file may be a policy too, one without its
// last forbids.
type policyWatch struct {
	path    string
	inForce *inForce
	log     *slog.Logger
	taken   func(ctx context.Context)                    // after another policy came into force
	tell    func(ctx context.Context, problems []string) // after one was refused

	last    string // what was read last, by its digest
	settled string // what was taken over or refused last
	refused atomic.Pointer[[]string]
}

func newPolicyWatch(path string, f *inForce, log *slog.Logger) *policyWatch {
	return &policyWatch{path: path, inForce: f, log: log, last: f.Digest(), settled: f.Digest()}
}

// run looks at the file until ctx ends.
func (w *policyWatch) run(ctx context.Context) {
	tick := time.NewTicker(policyPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.look(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (w *policyWatch) look(ctx context.Context) {
	text, err := w.read()
	sum := sha256.Sum256(text)
	read := hex.EncodeToString(sum[:])
	if err != nil {
		read = err.Error()
	}
	steady := read == w.last
	w.last = read
	if !steady || read == w.settled {
		return
	}
	w.settled = read
	if err != nil {
		w.refuse(ctx, []string{"POLICY_FILE: the file cannot be read: " + err.Error()})
		return
	}
	w.settle(ctx, text)
}

// read reads the file, unless it is a pipe: opening one waits for whoever writes into it,
// for ever perhaps, and at the end of the program too.
func (w *policyWatch) read() ([]byte, error) {
	if info, err := os.Stat(w.path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		return nil, errors.New("it is a pipe")
	}
	return readPolicyText(w.path)
}

// settle takes a policy over or refuses it.
func (w *policyWatch) settle(ctx context.Context, text []byte) {
	policy, problems := parsePolicy("POLICY_FILE", w.path, text)
	if len(problems) > 0 {
		w.refuse(ctx, problems)
		return
	}
	before := w.inForce.Digest()
	w.inForce.take(policy)
	w.refused.Store(nil)
	w.log.Info("the policy file has changed and is in force", "policy", policy.Digest(), "before", before)
	sayWarnings(w.log, policy)
	w.taken(ctx)
}

func (w *policyWatch) refuse(ctx context.Context, problems []string) {
	w.refused.Store(&problems)
	w.log.Error("the changed policy file is refused; the policy before stays in force", "policy", w.inForce.Digest(), "problems", problems)
	w.tell(ctx, problems)
}

// problems are those of the file, where it is not the policy in force; none without a file.
func (w *policyWatch) problems() []string {
	if w == nil || w.refused.Load() == nil {
		return nil
	}
	return slices.Clone(*w.refused.Load())
}
