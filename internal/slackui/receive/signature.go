package receive

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// stampLife is how far a request's timestamp may be from the present, either way:
// docs.slack.dev/authentication/verifying-requests-from-slack.
const stampLife = 300 * time.Second

// errUnverified: a request did not prove that it comes from Slack. It never names which part
// of the proof was wrong.
var errUnverified = errors.New("the request is not signed by Slack")

// signature is the proof of one request; a request that comes again has the same one.
type signature [sha256.Size]byte

// verifier checks Slack's v0 signature of a raw body. Any of its secrets will do, so
// that a secret can be rotated.
type verifier struct {
	secrets [][]byte
}

func newVerifier(secrets []string) *verifier {
	v := &verifier{}
	for _, secret := range secrets {
		if secret != "" { // an empty key would let anybody sign
			v.secrets = append(v.secrets, []byte(secret))
		}
	}
	return v
}

// verify returns the signature of the body. It returns errUnverified unless Slack signed it,
// at most 300 s from now.
func (v *verifier) verify(h http.Header, body []byte, now time.Time) (signature, error) {
	stamp := h.Get("X-Slack-Request-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || seconds < now.Add(-stampLife).Unix() || seconds > now.Add(stampLife).Unix() {
		return signature{}, errUnverified
	}
	given, ok := parseSignature(h.Get("X-Slack-Signature"))
	if !ok {
		return signature{}, errUnverified
	}
	for _, secret := range v.secrets {
		if made := sign(secret, stamp, body); hmac.Equal(made[:], given[:]) {
			return made, nil
		}
	}
	return signature{}, errUnverified
}

func parseSignature(header string) (given signature, ok bool) {
	text, ok := strings.CutPrefix(header, "v0=")
	if !ok || len(text) != hex.EncodedLen(len(given)) {
		return given, false
	}
	_, err := hex.Decode(given[:], []byte(text))
	return given, err == nil
}

func sign(secret []byte, stamp string, body []byte) (made signature) {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("v0:" + stamp + ":"))
	mac.Write(body)
	mac.Sum(made[:0])
	return made
}
