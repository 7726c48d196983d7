package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"sync"

	"cancel-server/internal/audit"
	"cancel-server/internal/policytool"
	"cancel-server/internal/store"
)

const auditUsage = `bot audit verify [--checkpoint FILE] [--key KEY]
bot audit export
bot audit checkpoint
bot audit keygen FILE [--name NAME]

The audit log has every event of every request, freezes, policies, starts with their settings, and what was
refused. All of them are sealed in one order, in a Merkle tree (RFC 6962). These verbs need DATABASE_URL
only, and change nothing in it. A running bot does not matter.

verify      works the trees out again from all events, and names each one that was changed, removed, moved or
            added later, each request whose row was changed, and each policy whose text was changed or removed.
            Who owns the database can forge all of it at once: only a checkpoint that was kept elsewhere shows that
  --checkpoint FILE  such a checkpoint, as bot audit checkpoint prints it or as it stands in REPORT_CHANNEL;
                     - reads it from the standard input
  --key KEY          checks its signature: the verifier key that keygen printed
export      prints all events as JSON, one a line, in their order, with the texts of policies; docs/audit.md
            says what they hold
checkpoint  prints the present checkpoint, signed if AUDIT_KEY_FILE is set
keygen      writes a new signing key for AUDIT_KEY_FILE into FILE, which must not exist, and prints the
            verifier key: give it to those who verify
  --name NAME        what signatures are called; the default is cancel-server

Exit codes: 0 all is as it was sealed, 1 something is wrong or could not be read, 2 wrong usage.

Example:
  bot audit verify --checkpoint saved.txt
`

// auditVerbs are the verbs that begin with audit, as -h lists them.
func auditVerbs() []verb {
	return []verb{
		{usage: "audit verify [--checkpoint FILE] [--key KEY]", meaning: "finds events that were changed, removed, moved or added later; audit -h says more"},
		{usage: "audit export", meaning: "prints all events as JSON, one a line"},
		{usage: "audit checkpoint", meaning: "prints the present checkpoint of the audit log, to keep it elsewhere"},
		{usage: "audit keygen FILE [--name NAME]", meaning: "makes a key that signs checkpoints, for AUDIT_KEY_FILE"},
	}
}

// errTampered says that verify found something. What it found was printed.
var errTampered = errors.New("the audit log is not as it was sealed")

// auditVerb is bot audit ….
func auditVerb(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: audit verify, export, checkpoint or keygen; bot audit -h says how", errUsage)
	}
	flags := flag.NewFlagSet("audit "+args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	switch args[0] {
	case "verify":
		return auditVerify(ctx, flags, args[1:], stdout)
	case "export", "checkpoint":
		if _, err := wordsOf(flags, args[1:], 0); err != nil {
			return err
		}
		if args[0] == "export" {
			return auditExport(ctx, stdout)
		}
		return auditCheckpoint(ctx, stdout)
	case "keygen":
		return auditKeygen(flags, args[1:], stdout)
	}
	return fmt.Errorf("%w: audit has no %q; bot audit -h says what it has", errUsage, args[0])
}

// wordsOf parses flags and returns the words between them, of which there must be so many.
func wordsOf(flags *flag.FlagSet, args []string, want int) ([]string, error) {
	given, err := parseMixed(flags, args)
	if err == nil && len(given) != want {
		err = fmt.Errorf("%w: %s: got %q; bot audit -h says how", errUsage, flags.Name(), given)
	}
	return given, err
}

func auditVerify(ctx context.Context, flags *flag.FlagSet, args []string, stdout io.Writer) error {
	file, key := flags.String("checkpoint", "", ""), flags.String("key", "", "")
	if _, err := wordsOf(flags, args, 0); err != nil {
		return err
	}
	saved, err := savedCheckpoint(*file, *key)
	if err != nil {
		return fmt.Errorf("%w: audit verify: %w", errUsage, err)
	}
	log, _, err := openAudit(ctx)
	if err != nil {
		return err
	}
	result, err := audit.Verify(ctx, log, log.Name, saved)
	if err := errors.Join(err, log.Close()); err != nil {
		return err
	}
	for _, line := range result.Lines() {
		if _, err := fmt.Fprintln(stdout, policytool.Printable(line)); err != nil {
			return err
		}
	}
	if !result.Good() {
		return errTampered
	}
	return nil
}

// savedCheckpoint reads a checkpoint that somebody kept; nil if none was given.
func savedCheckpoint(path, key string) (*audit.Saved, error) {
	if path == "" {
		if key != "" {
			return nil, errors.New("--key checks the signature of a --checkpoint")
		}
		return nil, nil
	}
	if path == "-" {
		path = "/dev/stdin"
	}
	text, err := policytool.ReadFile(path, maxSecretFile)
	if err != nil {
		return nil, fmt.Errorf("reading the checkpoint: %w", err)
	}
	var saved audit.Saved
	saved.Checkpoint, saved.Signature, err = audit.OpenCheckpoint(string(text), strings.TrimSpace(key))
	if err != nil {
		return nil, fmt.Errorf("reading the checkpoint: %w", err)
	}
	return &saved, nil
}

func auditExport(ctx context.Context, stdout io.Writer) error {
	log, _, err := openAudit(ctx)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(stdout)
	return errors.Join(audit.Export(ctx, log, out), out.Flush(), log.Close())
}

func auditCheckpoint(ctx context.Context, stdout io.Writer) error {
	database, cfg, err := openAudit(ctx)
	if err != nil {
		return err
	}
	log, err := database.Log(ctx)
	if err := errors.Join(err, database.Close()); err != nil {
		return err
	}
	text, err := checkpointOf(cfg, log, database.Name)
	if err == nil && text == "" {
		err = errors.New("nothing is sealed yet: bot serve does it within seconds")
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, text)
	return err
}

// checkpointOf returns the log's checkpoint, signed if there is a key; "" if nothing is sealed yet.
func checkpointOf(cfg config, log audit.Log, name string) (string, error) {
	if log.Segment == 0 {
		return "", nil
	}
	var key audit.Key
	if cfg.AuditKeyFile != "" {
		var err error
		if key, err = readKey(cfg.AuditKeyFile); err != nil {
			return "", fmt.Errorf("reading the key of AUDIT_KEY_FILE: %w", err)
		}
	}
	return key.Sign(log.Head(name))
}

// heads gives the report channel its checkpoints.
type heads struct {
	cfg     config
	journal *store.Store
}

// Checkpoint implements bulletin.Checkpoints.
func (h heads) Checkpoint(ctx context.Context) (string, error) {
	log, err := h.journal.AuditLog(ctx)
	if err != nil {
		return "", err
	}
	return checkpointOf(h.cfg, log, h.journal.AuditName())
}

func auditKeygen(flags *flag.FlagSet, args []string, stdout io.Writer) error {
	name := flags.String("name", "cancel-server", "")
	given, err := wordsOf(flags, args, 1)
	if err != nil {
		return err
	}
	private, public, err := audit.NewKey(*name)
	if err != nil {
		return fmt.Errorf("%w: audit keygen: %w", errUsage, err)
	}
	file, err := os.OpenFile(given[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: audit keygen: %q is there already, and a key is never replaced", errUsage, given[0])
	}
	if err != nil {
		return fmt.Errorf("writing the key: %w", err)
	}
	_, err = fmt.Fprintln(file, private)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("writing the key: %w", err)
	}
	_, err = fmt.Fprintln(stdout, public)
	return err
}

// openAudit opens the sealed log of the configured database. Other settings may be missing: an auditor
// has no token.
func openAudit(ctx context.Context) (*store.Audit, config, error) {
	cfg, err := loadSettings(func(name string) bool { return name == "DATABASE_URL" || name == "AUDIT_KEY_FILE" },
		func(config, map[string]bool) []string { return nil })
	if err != nil {
		return nil, cfg, err
	}
	path, url := databaseOf(cfg.DatabaseURL)
	if _, err := os.Stat(path); path != "" && errors.Is(err, fs.ErrNotExist) {
		return nil, cfg, fmt.Errorf("%w: there is no database %q; bot serve creates it", errUsage, path)
	}
	log, err := store.OpenAudit(ctx, store.Options{Path: path, URL: url})
	return log, cfg, err
}

func readKey(path string) (audit.Key, error) {
	text, err := readSecretFile(path)
	if err != nil {
		return audit.Key{}, err
	}
	return audit.ParseKey(text)
}

func checkKeyFile(path string) string {
	if path == "" {
		return ""
	}
	if _, err := readKey(path); err != nil {
		return fmt.Sprintf("the file cannot be used: %v; name one that bot audit keygen has made", err)
	}
	return ""
}

// longestSetting bounds a value in the event of a start.
const longestSetting = 1000

// startOf is the event of this process's start, with its settings. Of secrets it says whether they are set.
func startOf(cfg config, policy string) audit.Note {
	values := map[string]string{}
	for _, s := range settings {
		switch field := s.field(&cfg).(type) {
		case *secret:
			values[s.name] = map[bool]string{true: "set", false: ""}[field.Reveal() != ""]
		case *secrets:
			values[s.name] = map[bool]string{true: fmt.Sprintf("%d set", len(*field)), false: ""}[len(*field) > 0]
		default:
			value := fmt.Sprint(reflect.ValueOf(field).Elem().Interface())
			values[s.name] = value[:min(len(value), longestSetting)]
		}
	}
	detail, _ := json.Marshal(map[string]any{"policy": policy, "settings": values}) // texts
	return audit.Note{Kind: audit.KindStart, Subject: version(), Detail: strings.ToValidUTF8(string(detail), "")}
}

// recorder records what happens to the deployment and to no request.
type recorder struct {
	journal  *store.Store
	policies *policytool.InForce
	actor    string // this process
	log      *slog.Logger
	mu       sync.Mutex
	recorded string // the digest of the policy that was recorded last
}

// policyKinds are those of which the last event says how the policy is.
var policyKinds = []string{audit.KindPolicy, audit.KindPolicyRefused}

// start records that this process begins to serve.
func (r *recorder) start(ctx context.Context, cfg config) error {
	n := startOf(cfg, r.policies.Policy().Digest())
	n.Actor = r.actor
	_, err := r.journal.NoteDeployment(ctx, n)
	r.policy(ctx)
	return err
}

// adopted records that another policy came into force, or the same one after a file that was refused.
func (r *recorder) adopted(ctx context.Context) {
	r.mu.Lock()
	r.recorded = ""
	r.mu.Unlock()
	r.policy(ctx)
}

// policy records which policy is in force, unless the last event says so. What fails is tried again with
// the next heartbeat.
func (r *recorder) policy(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	digest := r.policies.Policy().Digest()
	if r.recorded == digest {
		return
	}
	_, err := r.journal.NoteDeployment(ctx, audit.Note{Kind: audit.KindPolicy, Actor: r.actor, Subject: digest, Changes: policyKinds})
	if err != nil {
		r.log.Warn("recording the policy in force", "policy", digest, "err", err)
		return
	}
	r.recorded = digest
}

// longestProblems bounds what is recorded of a refused policy file.
const longestProblems = 8 << 10

// refused records that a changed policy file is not valid. The next policy in force is recorded after it,
// even if it is the one before.
func (r *recorder) refused(ctx context.Context, digest string, problems []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := strings.Join(problems, "\n")
	_, err := r.journal.NoteDeployment(ctx, audit.Note{
		Kind: audit.KindPolicyRefused, Actor: r.actor, Subject: digest, Detail: strings.ToValidUTF8(text[:min(len(text), longestProblems)], ""), Changes: policyKinds,
	})
	if err != nil {
		r.log.Warn("recording a refused policy file", "err", err)
	}
}
