package cancellation

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Reference is what ties a ticket to the request that made it: 128 bits that nobody can
// guess, written as 26 characters of Crockford's base 32 (https://www.crockford.com/base32.html).
type Reference string

// ErrBadReference says that a text is not a short reference like 7F3K-2QXD.
var ErrBadReference = errors.New("not a reference: eight letters or digits like 7F3K-2QXD")

const (
	crockford     = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	referenceName = "cancel-server"
)

var (
	encoding    = base32.NewEncoding(crockford).WithPadding(base32.NoPadding)
	marker      = regexp.MustCompile(`\[` + referenceName + ` [0-9A-Z]{4}-[0-9A-Z]{4} ([0-9A-Z]{26})\]`)
	markerTyped = regexp.MustCompile(`(?i)` + referenceName)
	shortForm   = regexp.MustCompile(`^[` + crockford + `]{4}-[` + crockford + `]{4}$`)
	misread     = strings.NewReplacer("O", "0", "I", "1", "L", "1", " ", "", "-", "", "–", "", "—", "", "\u2011", "")
)

// NewReference returns a random reference.
func NewReference() Reference {
	var bits [16]byte
	_, _ = rand.Read(bits[:]) // never returns an error: https://pkg.go.dev/crypto/rand#Read
	return Reference(encoding.EncodeToString(bits[:]))
}

// ReferenceOf derives the reference of a request from its id, with the installation's key. Every
// delivery of one submission has the same reference, so that the one a person was shown is always
// the one on record.
func ReferenceOf(key []byte, id string) Reference {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("reference\n" + id))
	return Reference(encoding.EncodeToString(mac.Sum(nil)[:16]))
}

// Short returns the form that people see and type: the first 40 bits, like 7F3K-2QXD. It is unique
// in the store, but proves nothing about a ticket.
func (r Reference) Short() string {
	if len(r) < 8 {
		return string(r)
	}
	return string(r[:4] + "-" + r[4:8])
}

// Marker returns the first and last line of the ticket's content.
func (r Reference) Marker() string {
	return fmt.Sprintf("[%s %s %s]", referenceName, r.Short(), string(r))
}

// In reports whether a ticket's text carries this very reference, all 128 bits of it.
func (r Reference) In(text string) bool {
	for _, found := range marker.FindAllStringSubmatch(text, -1) {
		if found[1] == string(r) {
			return true
		}
	}
	return false
}

// ParseShort reads a short reference as people type it: any case, with or without
// the dash, O for 0 and I or L for 1.
func ParseShort(typed string) (string, error) {
	plain := misread.Replace(strings.ToUpper(strings.TrimSpace(typed)))
	if len(plain) != 8 {
		return "", fmt.Errorf("%q: %w", typed, ErrBadReference)
	}
	short := plain[:4] + "-" + plain[4:]
	if !shortForm.MatchString(short) {
		return "", fmt.Errorf("%q: %w", typed, ErrBadReference)
	}
	return short, nil
}

// withoutMarkers breaks up every text that could pass for a reference line in what a person typed,
// so that nobody can make one request's ticket look like another's.
func withoutMarkers(typed string) string {
	return markerTyped.ReplaceAllStringFunc(typed, func(found string) string {
		return found[:6] + " " + found[7:]
	})
}
