package audit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Source says what an event belongs to.
type Source string

// The sources of events.
const (
	OfRequest    Source = "request"
	OfDeployment Source = "deployment" // what belongs to no request
)

// The kinds of the deployment's events. They are stored, and never renamed.
const (
	KindStart         = "start"          // a process began to serve; its settings
	KindPolicy        = "policy"         // a policy is in force
	KindPolicyRefused = "policy-refused" // a changed policy file is not valid
	KindSegment       = "segment"        // a segment of the log begins
	KindFreeze        = "freeze"         // these four are recorded by the database itself, by a trigger
	KindUnfreeze      = "unfreeze"
	KindFreezeRefused = "freeze-refused"
	KindThawRefused   = "unfreeze-refused"
)

// Event is something that happened, as its row holds it.
type Event struct {
	Source   Source
	Request  string // the request's id; "" for the deployment
	Number   int64  // counts the events of the request, or of the deployment, from 1
	At       time.Time
	Kind     string
	From, To string // states of the request; "" for the deployment
	Subject  string // the deployment's: a rule, a policy's digest, a version, an order's or a segment's number
	Actor    string // who did it
	Detail   string // free text
	Row      string // of a request's first sealed event that is read: its request's row, see [Row]; "" if that is gone
	Seal
}

// Seal is what sealing adds to an event.
type Seal struct {
	Position int64     // in the order of all events, from 1; 0 until it is sealed
	Salt     []byte    // random; nil once the text is erased
	Hash     tlog.Hash // of the leaf
	Erased   []byte    // both digests of a text that was erased, else nil
}

// saltSize is how many random bytes are hashed with a text, so that nobody finds it by trying.
const saltSize = 16

func newSalt() []byte {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never returns an error: https://pkg.go.dev/crypto/rand#Read
	return salt
}

// Leaf returns what is hashed of an event: lines of ASCII, each a name and a value. Before a text stands
// its length in bytes. The actor and the detail are salted digests in hexadecimal.
//
// The format is a contract with everyone who keeps a checkpoint. Another one needs another first line.
func (e *Event) Leaf() []byte { return e.appendLeaf(nil) }

func (e *Event) appendLeaf(to []byte) []byte {
	to = append(to, "cancel-server event 1\nposition "...)
	to = strconv.AppendInt(to, e.Position, 10)
	to = appendText(to, "\nsource ", string(e.Source))
	to = appendText(to, "\nrequest ", e.Request)
	to = append(to, "\nnumber "...)
	to = strconv.AppendInt(to, e.Number, 10)
	to = append(to, "\nat "...)
	to = strconv.AppendInt(to, e.At.UnixMilli(), 10)
	to = appendText(to, "\nkind ", e.Kind)
	to = appendText(to, "\nfrom ", e.From)
	to = appendText(to, "\nto ", e.To)
	to = appendText(to, "\nsubject ", e.Subject)
	actor, detail := e.digests()
	to = hex.AppendEncode(append(to, "\nactor "...), actor[:])
	to = hex.AppendEncode(append(to, "\ndetail "...), detail[:])
	return append(to, '\n')
}

func appendText(to []byte, name, text string) []byte {
	to = append(to, name...)
	to = strconv.AppendInt(to, int64(len(text)), 10)
	return append(append(to, ' '), text...)
}

// digests returns the salted digests of the actor and the detail. Those of an erased text were kept.
func (e *Event) digests() (actor, detail [sha256.Size]byte) {
	if len(e.Salt) == 0 && len(e.Erased) == 2*sha256.Size {
		return [sha256.Size]byte(e.Erased[:sha256.Size]), [sha256.Size]byte(e.Erased[sha256.Size:])
	}
	return digest(e.Salt, "actor", e.Actor), digest(e.Salt, "detail", e.Detail)
}

// digest is SHA-256 of the salt, the name, a line feed and the text.
func digest(salt []byte, name, text string) [sha256.Size]byte {
	var room [512]byte
	all := append(room[:0], salt...)
	all = append(append(append(all, name...), '\n'), text...)
	return sha256.Sum256(all)
}

// seal gives an event its position, a salt and its hash.
func (e *Event) seal(position int64) {
	e.Position, e.Salt = position, newSalt()
	e.Hash = tlog.RecordHash(e.Leaf())
}
