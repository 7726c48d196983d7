package words

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

func TestOperatorsFreezeIsExplainedToTheRefused(t *testing.T) {
	t.Parallel()
	stands := cancellation.Freeze{Frozen: true, Actor: "operator:root", Why: "an outage", At: slacktest.Noon}
	refused := cancellation.FreezeClick{Kind: cancellation.ClickRefused, Stands: stands, Decision: authz.Decision{Rule: cancellation.RuleOperatorsFreeze}}
	got := testWords().OrderFailed(refused, nil, cancellation.Freeze{Why: "over"}, nil, nil)
	assert.Contains(t, got.Text, "by root, who runs this bot, and only bot unfreeze ends that: an outage.")
	assert.Contains(t, got.Text, instant(slacktest.Noon))
	assert.Contains(t, got.Text, "Rule builtin-operators-freeze")
}

func TestAccountCalledBotIsShownAsAnOperator(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "the bot itself", operatorWords(cancellation.RestoreActor), "also in rows of older builds")
	assert.Equal(t, "bot (account), who runs this bot", operatorWords(cancellation.Operator("bot")))
	assert.Equal(t, "root, who runs this bot", operatorWords(cancellation.Operator("root")))
}

func TestResolveErrorsAreExplained(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		cancellation.ErrNotStuck:      "Only a stuck request can be resolved.",
		cancellation.ErrOtherServer:   "That ticket is not about this server.",
		cancellation.ErrTicketClosed:  "That ticket is closed",
		cancellation.ErrTicketMade:    "SoftLayer made this ticket for the request",
		cancellation.ErrTicketMissing: "Name the ticket's id",
		errors.New("disk"):            "The bot could not do this now.",
	} {
		assert.Contains(t, testWords().Clicked(cancellation.Click{}, fmt.Errorf("ticket 7: %w", err), "resolve").Text, want)
	}
}
