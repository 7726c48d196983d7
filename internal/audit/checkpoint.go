package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint names a tree: whose it is, how many events it holds, and its root. Anyone who keeps one can show
// later that none of these events was changed.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

// Text is the body of a note: https://c2sp.org/tlog-checkpoint.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// Head returns the checkpoint of the log as it is. name is the log's name in origins.
func (l *Log) Head(name string) Checkpoint {
	return Checkpoint{Origin(name, l.Segment, l.Nonce), l.Tree.Size, l.Tree.Root()}
}

// Key signs checkpoints. The zero Key signs nothing. It prints without its secret.
type Key struct {
	signer note.Signer
	public string
}

// ParseKey reads what [NewKey] returned as private.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	signer, err := note.NewSigner(text)
	if err != nil {
		return Key{}, errors.New("it holds no signing key as bot audit keygen makes it") // err may quote it
	}
	seed, _ := base64.StdEncoding.DecodeString(strings.SplitN(text, "+", 5)[4]) // PRIVATE+KEY+name+hash+seed, as NewSigner has found
	public := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	k := Key{signer: signer}
	k.public, err = note.NewEd25519VerifierKey(signer.Name(), public)
	return k, err
}

// NewKey makes a key of this name: private is for AUDIT_KEY_FILE, public for those who verify.
func NewKey(name string) (private, public string, err error) {
	private, public, err = note.GenerateKey(rand.Reader, name)
	if err == nil {
		if _, bad := note.NewVerifier(public); bad != nil {
			err = errors.New("its name holds white space or a plus sign, or is empty")
		}
	}
	return private, public, err
}

// Public returns the verifier key, "" if there is no key.
func (k Key) Public() string { return k.public }

// String names the key without its secret.
func (k Key) String() string { return "key " + k.public }

// Format writes String for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// Sign returns a checkpoint as a note, without a signature if there is no key.
func (k Key) Sign(c Checkpoint) (string, error) {
	if k.signer == nil {
		return c.Text(), nil
	}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, k.signer)
	if err != nil {
		return "", fmt.Errorf("signing a checkpoint: %w", err)
	}
	return string(signed), nil
}

// Signature says what is known of a saved checkpoint's signature.
type Signature int

// What is known of a signature.
const (
	Unsigned   Signature = iota // it carries none
	NotChecked                  // it carries some, and no key was given
	Valid                       // that of the given key
	NotByKey                    // it carries none of the given key
	Invalid                     // one of the given key is wrong
)

// maxNote bounds a saved checkpoint in bytes.
const maxNote = 64 << 10

// OpenCheckpoint reads a saved checkpoint, as it was printed or copied out of a message. key is a verifier
// key, or "". Signatures of others are ignored.
func OpenCheckpoint(text, key string) (c Checkpoint, s Signature, err error) {
	body, signed := splitNote(text)
	if c, err = parseCheckpoint(body); err != nil {
		return c, s, err
	}
	switch {
	case key == "" && signed == "":
		return c, Unsigned, nil
	case key == "":
		return c, NotChecked, nil
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil {
		return c, s, errors.New("the key is not a verifier key as bot audit keygen prints it")
	}
	if signed == "" {
		return c, NotByKey, nil
	}
	_, err = note.Open([]byte(body+"\n"+signed), note.VerifierList(verifier))
	if _, unknown := errors.AsType[*note.UnverifiedNoteError](err); unknown {
		return c, NotByKey, nil
	}
	if err != nil { // a wrong signature of this key, or lines that are no signatures
		return c, Invalid, nil
	}
	return c, Valid, nil
}

// splitNote returns a note's body and its signatures. It forgives what copying does: fences of a code
// block, spaces at the ends of lines, and other line ends.
func splitNote(text string) (body, signatures string) {
	var lines []string
	for line := range strings.Lines(text[:min(len(text), maxNote)]) {
		if line = strings.TrimSpace(strings.ReplaceAll(line, "```", "")); line != "" {
			lines = append(lines, line+"\n")
		}
	}
	for at, line := range lines {
		if strings.HasPrefix(line, "— ") {
			return strings.Join(lines[:at], ""), strings.Join(lines[at:], "")
		}
	}
	return strings.Join(lines, ""), ""
}

func parseCheckpoint(body string) (c Checkpoint, err error) {
	lines := strings.Split(body, "\n")
	if len(lines) < 4 {
		return c, errors.New("it is not a checkpoint: three lines with the origin, the size and the root")
	}
	c.Origin = lines[0]
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 {
		return c, errors.New("it is not a checkpoint: its second line is not a size")
	}
	if c.Root, err = tlog.ParseHash(lines[2]); err != nil {
		return c, errors.New("it is not a checkpoint: its third line is not a root")
	}
	return c, nil
}
