package words

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

// Each refusal that sends people to those who run the bot names them if it is known who they are.
func TestRefusalsNameWhomToAsk(t *testing.T) {
	t.Parallel()
	groups, err := authz.FromGroups(authz.Groups{Home: "T1", Request: []string{"S0A"}, Approve: []string{"S0B"}, ProtectedTags: []string{"protected"}})
	require.NoError(t, err)
	protected := regexp.MustCompile(`@reason\("([^"]+)"\)`).FindStringSubmatch(groups.Text())
	require.NotEmpty(t, protected)
	for name, said := range map[string]func(w Writer) string{
		"a protected tag":       func(w Writer) string { return w.Decision(authz.Decision{Rule: "protected", Reason: protected[1]}) },
		"a rule without reason": func(w Writer) string { return w.Decision(authz.Decision{Rule: "no-friday"}) },
		"no rule": func(w Writer) string {
			return w.Decision(authz.Decision{Rule: authz.RuleDefaultDeny, Act: authz.ToAsk})
		},
		"a policy that fails": func(w Writer) string { return w.Decision(authz.Decision{Rule: authz.RuleEvaluationError}) },
		"an unlisted group": func(w Writer) string {
			return w.Decision(authz.Decision{Rule: authz.RuleUnread, Groups: []string{"S0A"}})
		},
		"a fee that is no fee": func(w Writer) string {
			return w.Decision(authz.Decision{Rule: authz.RuleUnread, Unread: []string{authz.GapFee}})
		},
		"what was not read": func(w Writer) string {
			return w.Decision(authz.Decision{Rule: authz.RuleUnread, Unread: []string{authz.GapTags}})
		},
		"too few who approve": Writer.NotEnoughPeople,
		"a broken database":   Writer.NotWritten,
		"an unknown outcome":  func(w Writer) string { return slacktest.TextIn(t, w.NotKnown(slacktest.Ref)) },
		"a missing scope":     func(w Writer) string { return w.PeopleUnread(&cancellation.MissingScopeError{Scope: "users:read"}) },
		"a click that fails":  func(w Writer) string { return w.Clicked(cancellation.Click{}, errors.New("x"), "approve").Text },
		"a text that fails":   func(w Writer) string { return w.LetterFailed(errors.New("x")) },
		"the key's right":     func(w Writer) string { return w.rejectedWhy(cancellation.Reason{Detail: noPermission}) },
		"a stuck request":     func(w Writer) string { return w.Result(slacktest.Request(cancellation.Stuck)).Text },
		"a freeze by nobody": func(w Writer) string {
			return w.OrderFailed(cancellation.FreezeClick{}, errors.New("x"), cancellation.Freeze{}, nil, nil).Text
		},
		"a button of long ago": func(w Writer) string { return w.NoneUnread().Text },
		"an unreadable ticket": func(w Writer) string { return w.TicketUnread(slacktest.Request(cancellation.Stuck), 1, nil).Text },
	} {
		w := testWords()
		assert.NotContains(t, said(w), "#infra-help", name)
		w.Contact = "#infra-help"
		text := said(w)
		assert.Contains(t, text, "#infra-help", name)
		assert.NotContains(t, strings.ToLower(text), "people who run this bot", name)
	}
}

// No sentence sends people to those who run the bot but through the two that know who they are.
func TestOnlyTheWriterSaysWhoRunsTheBot(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../*.go")
	require.NoError(t, err)
	own, err := filepath.Glob("*.go")
	require.NoError(t, err)
	sentence := regexp.MustCompile(`(?i)people who run this bot`)
	known := regexp.MustCompile(`w\.choose\("|return "the people who run this bot"|const generated = `)
	for _, file := range append(files, own...) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if !strings.HasSuffix(file, "_test.go") && sentence.MatchString(line) {
				assert.Regexp(t, known, line, file)
			}
		}
	}
}
