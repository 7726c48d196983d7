package receive

import (
	"encoding/hex"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func signedHeader(secret string, at time.Time, body []byte) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	sum := sign([]byte(secret), stamp, body)
	return http.Header{
		"X-Slack-Request-Timestamp": {stamp},
		"X-Slack-Signature":         {"v0=" + hex.EncodeToString(sum[:])},
	}
}

// The example of docs.slack.dev/authentication/verifying-requests-from-slack.
func TestVerifyAcceptsSlacksOwnExample(t *testing.T) {
	t.Parallel()
	body := "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar" +
		"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com" +
		"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	header := http.Header{}
	header.Set("X-Slack-Request-Timestamp", "1531420618")
	header.Set("X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503")
	_, err := newVerifier([]string{"8f742231b10e8888abcd99yyyzzz85a5"}).verify(header, []byte(body), time.Unix(1531420618, 0))
	require.NoError(t, err)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	body := []byte("command=%2Fcancel-server")
	good := func() http.Header { return signedHeader("new", now, body) }
	set := func(name, value string) func() http.Header {
		return func() http.Header {
			h := good()
			h.Set(name, value)
			return h
		}
	}
	for name, c := range map[string]struct {
		header func() http.Header
		body   string
		ok     bool
	}{
		"signed with the first secret":  {header: good, ok: true},
		"signed with the other secret":  {header: func() http.Header { return signedHeader("old", now, body) }, ok: true},
		"signed 300 s ago":              {header: func() http.Header { return signedHeader("new", now.Add(-300*time.Second), body) }, ok: true},
		"signed 301 s ago":              {header: func() http.Header { return signedHeader("new", now.Add(-301*time.Second), body) }},
		"signed in 301 s":               {header: func() http.Header { return signedHeader("new", now.Add(301*time.Second), body) }},
		"signed with somebody's secret": {header: func() http.Header { return signedHeader("theirs", now, body) }},
		"signed with no secret":         {header: func() http.Header { return signedHeader("", now, body) }},
		"another body":                  {header: good, body: "command=%2Fother"},
		"no headers":                    {header: func() http.Header { return http.Header{} }},
		"no signature":                  {header: set("X-Slack-Signature", "")},
		"another version": {header: func() http.Header {
			h := good()
			h.Set("X-Slack-Signature", "v1="+h.Get("X-Slack-Signature")[3:])
			return h
		}},
		"a signature that is cut":        {header: func() http.Header { h := good(); h.Set("X-Slack-Signature", h.Get("X-Slack-Signature")[:40]); return h }},
		"a signature that is not hex":    {header: set("X-Slack-Signature", "v0="+strings.Repeat("z", 64))},
		"a stamp that is no number":      {header: set("X-Slack-Request-Timestamp", "now")},
		"a stamp beyond every number":    {header: set("X-Slack-Request-Timestamp", "99999999999999999999")},
		"the smallest number as a stamp": {header: set("X-Slack-Request-Timestamp", "-9223372036854775808")},
		"a stamp whose distance overflows": {header: func() http.Header {
			return signedHeader("new", time.Unix(now.Unix()+math.MinInt64, 0), body)
		}},
		"the stamp of another good second": {header: set("X-Slack-Request-Timestamp", "1800000001")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := body
			if c.body != "" {
				sent = []byte(c.body)
			}
			_, err := newVerifier([]string{"new", "", "old"}).verify(c.header(), sent, now)
			if c.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, errUnverified)
		})
	}
}

func TestVerifyWithoutSecretsAcceptsNothing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	_, err := newVerifier([]string{""}).verify(signedHeader("", now, nil), nil, now)
	require.ErrorIs(t, err, errUnverified)
}

func TestSignatureOfARepeatIgnoresCase(t *testing.T) {
	t.Parallel()
	now, body := time.Now(), []byte("x=1")
	lower := signedHeader("s", now, body)
	upper := lower.Clone()
	upper.Set("X-Slack-Signature", "v0="+strings.ToUpper(lower.Get("X-Slack-Signature")[3:]))
	v := newVerifier([]string{"s"})
	first, err := v.verify(lower, body, now)
	require.NoError(t, err)
	second, err := v.verify(upper, body, now)
	require.NoError(t, err)
	assert.Equal(t, first, second)
}

func FuzzVerify(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	good := signedHeader("s", now, []byte("a=b"))
	f.Add(good.Get("X-Slack-Request-Timestamp"), good.Get("X-Slack-Signature"), []byte("a=b"))
	f.Add("", "", []byte(nil))
	f.Add("-1", "v0=", []byte("\x00"))
	f.Add("1800000000", "v0="+strings.Repeat("0", 64), []byte("a=b"))
	v := newVerifier([]string{"s"})
	f.Fuzz(func(t *testing.T, stamp, sig string, body []byte) {
		h := http.Header{"X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {sig}}
		made, err := v.verify(h, body, now)
		if err != nil {
			return
		}
		again := sign([]byte("s"), stamp, body)
		if made != again {
			t.Fatalf("accepted a signature that the secret does not make: stamp %q, signature %q", stamp, sig)
		}
	})
}
