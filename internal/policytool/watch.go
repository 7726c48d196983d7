package policytool

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

	"cancel-server/internal/authz"
)

// poll is how often a policy file is read. Its content is compared, not its time: a mounted
// ConfigMap is a chain of symlinks whose times say nothing.
const poll = 2 * time.Second

// Watch adopts a changed policy file, or refuses it and logs why. The file must read the same
// twice in a row: half a file may be a valid policy, one without its last forbids.
type Watch struct {
	o       WatchOptions
	last    string // the digest of what was read last
	decided string // the digest of what was adopted or refused last
	refused atomic.Pointer[[]string]
}

// WatchOptions are what a Watch needs.
type WatchOptions struct {
	Path    string
	InForce *InForce
	Keep    func(context.Context, *authz.Policy) error // keeps a policy's text before it comes into force; if it fails, it is called again
	Adopted func(context.Context)                      // is called after another policy came into force
	// Refused is called after a file was refused. digest is the file's; "" if it could not be read.
	Refused func(ctx context.Context, digest string, problems []string)
	Mended  func(context.Context) // is called when the file after a refused one is in force
	Log     *slog.Logger
}

// NewWatch returns a Watch for Run.
func NewWatch(o WatchOptions) *Watch {
	return &Watch{o: o, last: o.InForce.Policy().Digest(), decided: o.InForce.Policy().Digest()}
}

// Run reads the file every two seconds until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	tick := time.Tick(poll)
	for {
		select {
		case <-tick:
			w.look(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (w *Watch) look(ctx context.Context) {
	text, err := w.read()
	sum := sha256.Sum256(text)
	read := hex.EncodeToString(sum[:])
	if err != nil {
		read = err.Error()
	}
	steady := read == w.last
	w.last = read
	if !steady || read == w.decided {
		return
	}
	w.decided = read
	if err != nil {
		w.refuse(ctx, "", []string{"POLICY_FILE: the file cannot be read: " + err.Error()})
		return
	}
	w.decide(ctx, text)
}

// read reads the file, unless it is a pipe: opening a pipe waits for a writer, perhaps forever.
func (w *Watch) read() ([]byte, error) {
	if info, err := os.Stat(w.o.Path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		return nil, errors.New("it is a pipe")
	}
	return ReadFile(w.o.Path, authz.MaxSource)
}

func (w *Watch) decide(ctx context.Context, text []byte) {
	policy, problems := parse("POLICY_FILE", w.o.Path, text)
	if len(problems) > 0 {
		w.refuse(ctx, w.decided, problems)
		return
	}
	before := w.o.InForce.Policy().Digest()
	if err := w.o.Keep(ctx, policy); err != nil {
		w.decided = "" // it is read again
		w.o.Log.Error("the changed policy file is not in force: its text could not be recorded; trying again", "policy", before, "err", err)
		return
	}
	w.o.InForce.Take(policy)
	mended := w.refused.Swap(nil) != nil
	w.o.Log.Info("the policy file has changed and is in force", "policy", policy.Digest(), "before", before)
	LogWarnings(w.o.Log, policy)
	w.o.Adopted(ctx)
	if mended {
		w.o.Mended(ctx)
	}
}

func (w *Watch) refuse(ctx context.Context, digest string, problems []string) {
	w.refused.Store(&problems)
	w.o.Log.Error("the changed policy file is refused; the previous policy stays in force", "policy", w.o.InForce.Policy().Digest(), "problems", problems)
	w.o.Refused(ctx, digest, problems)
}

// Problems returns what is wrong with the file if it is not the policy in force. A nil Watch
// has none.
func (w *Watch) Problems() []string {
	if w == nil || w.refused.Load() == nil {
		return nil
	}
	return slices.Clone(*w.refused.Load())
}

// LogWarnings logs what operators should know about a policy.
func LogWarnings(log *slog.Logger, policy *authz.Policy) {
	for _, warning := range policy.Warnings() {
		log.Warn("the policy in force has a warning", "warning", warning)
	}
}
