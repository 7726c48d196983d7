package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// policy returns the digest of the policy that an event names as in force or as having decided; "" if it names none.
// A build keeps a policy's text before it records such an event; the events of builds that kept no texts name none.
func (e *Event) policy(known func(digest string) bool) string {
	switch {
	case e.Source == OfDeployment && e.Kind == KindPolicy:
		return e.Subject
	case e.Source == OfDeployment:
		return ""
	}
	_, after, found := strings.Cut(e.Detail, `"Policy":"`)
	digest, _, ends := strings.Cut(after, `"`)
	if !found || !ends || known(digest) {
		return ""
	}
	var says struct{ Policy string } // what was found may be in another member
	_ = json.Unmarshal([]byte(e.Detail), &says)
	return says.Policy
}

// named adds the policy that an event names, with the first position that names it. There are few policies.
func (c *chunk) named(e *Event) {
	digest := e.policy(func(digest string) bool { at, found := c.policies[digest]; return found && at <= e.Position })
	if digest == "" {
		return
	}
	if c.policies == nil {
		c.policies = map[string]int64{}
	}
	addFirst(c.policies, digest, e.Position)
}

func addFirst(policies map[string]int64, digest string, position int64) {
	if at, found := policies[digest]; !found || position < at {
		policies[digest] = position
	}
}

// holdPolicies compares the texts of policies with their digests, and finds those that are gone. It reads them one
// at a time.
func (v *verification) holdPolicies(ctx context.Context) error {
	err := v.from.Policies(ctx, func(digest, text string) error {
		sum := sha256.Sum256([]byte(text))
		if hex.EncodeToString(sum[:]) != digest {
			v.find(Finding{Kind: Changed, From: v.policies[digest], Event: "policy " + digest, Text: "its text does not have this digest."})
		}
		delete(v.policies, digest)
		return nil
	})
	if err != nil {
		return err
	}
	var gone []Finding
	for digest, position := range v.policies {
		gone = append(gone, Finding{Kind: Missing, From: position, Event: "policy " + digest, Text: "this event names it, and its text, which was kept before, is gone."})
	}
	slices.SortFunc(gone, func(a, b Finding) int { return strings.Compare(a.Event, b.Event) })
	for _, f := range gone {
		v.find(f)
	}
	return nil
}
