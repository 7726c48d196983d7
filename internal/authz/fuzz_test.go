package authz_test

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"cancel-server/internal/authz"
	"cancel-server/internal/slackui/words"
)

var placed = regexp.MustCompile(`^f\.cedar:[1-9]\d*:[1-9]\d*: .`)

// FuzzParse holds that no text makes loading or deciding panic, that each refusal says where, and
// that what loads is loaded as written. The index changes no answer.
func FuzzParse(f *testing.F) {
	f.Add(teamPolicy)
	f.Add(approvalPolicy)
	f.Add("@id(\"a\")\npermit (principal, action, resource);")
	f.Add("@id(\"a\") permit (principal == ?principal, action, resource);")
	f.Add("permit (principal, action, resource) when { 99999999999999999999 == 1 };")
	f.Add("@id(\"\\u{110000}\") forbid (principal, action, resource);")
	f.Add("\xef\xbb\xbf\xff /*")
	f.Add(strings.Repeat("(", 1000))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := authz.Parse("f.cedar", []byte(text))
		if err != nil {
			for _, line := range strings.Split(err.Error(), "\n") {
				if !placed.MatchString(line) {
					t.Errorf("a problem without its position: %q", line)
				}
			}
			return
		}
		if p.Text() != text {
			t.Errorf("loaded %q, was given %q", p.Text(), text)
		}
		for _, who := range []authz.Principal{person("U0ANA", p.GroupIDs()...), {Stranger: true}, {}} {
			d := p.Decide(who, server(), context())
			indexed := answers(p, who, person("U0BEN"), server(), context())
			if whole := answers(p.WithoutIndex(), who, person("U0BEN"), server(), context()); !reflect.DeepEqual(indexed, whole) {
				t.Errorf("the index changes an answer:\n%+v\n%+v", indexed, whole)
			}
			if d.Rule == "" || len(d.Rules) == 0 || (d.Effect == authz.Allowed) != (words.DecisionWords(d) == "") {
				t.Errorf("a decision without rule or reason: %+v", d)
			}
			if at := p.MayAskAtAll(who, "C1", ""); at.Effect == authz.Refused && d.Effect != authz.Refused {
				t.Errorf("refused at the command, but not at the submission: %+v", d)
			}
			a := p.Approve(who, person("U0BEN"), server(), context(), 0)
			if a.Rule == "" || len(a.Rules) == 0 || (a.Effect == authz.Allowed) != (words.DecisionWords(a) == "") || a.Effect == authz.NeedsApproval {
				t.Errorf("an approval without rule or reason: %+v", a)
			}
			if p.MayApproveAtAll(who).Effect == authz.Refused && a.Effect != authz.Refused {
				t.Errorf("no button, but a click would do: %+v", a)
			}
			users, groups, anyone := p.Approvers()
			if a.Effect == authz.Allowed && !anyone && len(users)+len(groups) == 0 {
				t.Errorf("approved by somebody whom the policy does not name: %+v", a)
			}
		}
	})
}
