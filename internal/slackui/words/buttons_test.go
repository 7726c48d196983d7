package words

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

func TestRequesterLearnsWhyTheRequestWaitsAgain(t *testing.T) {
	t.Parallel()
	r := slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, slacktest.Because(cancellation.WhyTooFew, ""))
	for _, kind := range []cancellation.NoticeKind{cancellation.Result, cancellation.ApprovalCard, cancellation.Direct(r.Submission.By.ID)} {
		m := testWords().Live(kind, r)
		said := slacktest.TextIn(t, m.Blocks)
		assert.Contains(t, said, "The request waits again", kind)
		assert.NotContains(t, said, "could be shown this", "their message is not owed to others being out of reach: %s", kind)
		require.NoError(t, slacktest.NewJudge(t).Post(m.Text, m.Blocks))
	}
}

func TestWhoLeavesAServerIsNamed(t *testing.T) {
	t.Parallel()
	m := testWords().Result(slacktest.Request(cancellation.Withdrawn, slacktest.Because("", "looked twice"), slacktest.EndedBy("U8")))
	assert.Contains(t, m.Text, "Withdrawn by <@U8>")
	assert.Contains(t, m.Text, "They looked: there is no ticket, and none is wanted. “looked twice”")
	assert.NotContains(t, m.Text, "Somebody who runs this bot")
}

func TestTypedCodeIsQuoted(t *testing.T) {
	t.Parallel()
	r, err := slacktest.Request(cancellation.Stuck, slacktest.EndedBy("U8")).Move(cancellation.Withdrawn, cancellation.ByPerson, cancellation.Reason{Detail: string(cancellation.WhyTakenOver)})
	require.NoError(t, err)
	said := testWords().Result(r).Text
	assert.Contains(t, said, "Withdrawn by <@U8>")
	assert.Contains(t, said, "“taken-over”", "as it was typed")
	assert.NotContains(t, said, "Nothing was filed", "nobody but who looked can say so")

	r, err = slacktest.Request(cancellation.Pending, slacktest.EndedBy("U8")).Move(cancellation.Withdrawn, cancellation.BySubmission, cancellation.Reason{Code: cancellation.WhyTakenOver})
	require.NoError(t, err)
	assert.Contains(t, testWords().Result(r).Text, "Taken over by <@U8>")
}

func TestAskAgainIsOfferedOnlyAfterServerChanges(t *testing.T) {
	t.Parallel()
	for why, want := range map[cancellation.Reason]bool{
		{Code: cancellation.WhyChanged, Detail: "name"}:              true,
		{Code: cancellation.WhyBlocked, Detail: "transaction"}:       true,
		{Code: cancellation.WhyWarned, Detail: "recent-transaction"}: true,
		{Code: cancellation.WhyNotFound}:                             true,
		{Detail: "Cancellation reason must be provided."}:            false,
	} {
		blocks := fmt.Sprint(len(testWords().Live(cancellation.Result, slacktest.Request(cancellation.Rejected, slacktest.Because(why.Code, why.Detail))).Blocks))
		assert.Equal(t, map[bool]string{true: "2", false: "1"}[want], blocks, why)
	}
	assert.Len(t, testWords().Live(cancellation.Result, slacktest.Request(cancellation.Denied, slacktest.Because(cancellation.WhyNotFound, ""))).Blocks, 1)
}

func TestADirectMessageHasItsReadersButton(t *testing.T) {
	t.Parallel()
	r := slacktest.Request(cancellation.Scheduled, slacktest.ApprovedBy("U8"))
	for kind, want := range map[cancellation.NoticeKind][]string{
		cancellation.Result:                     {UndoAction, DeclineAction, AnotherAction},
		cancellation.Direct(r.Submission.By.ID): {UndoAction, AnotherAction},
		cancellation.Direct("U8"):               {DeclineAction},
	} {
		var got []string
		for _, element := range testWords().buttons(kind, r) {
			got = append(got, element.(*slack.ButtonBlockElement).ActionID)
		}
		assert.Equal(t, want, got, "%q", kind)
	}
	nobody := testWords()
	nobody.PeopleResolve = nil
	assert.Len(t, nobody.buttons(cancellation.Result, r), 2, "where nobody approves, nobody declines")
}

func TestTicketOfAnOpenRequestIsLinkedOnce(t *testing.T) {
	t.Parallel()
	ticket := cancellation.TicketID{ID: 153572280}
	server := slacktest.DBServer()
	server.OpenTicket = &ticket
	card := cancellation.Card{Server: server, ReadAt: slacktest.Noon, Standing: &cancellation.Standing{Ref: "7F3K-2QXD", State: cancellation.Filed, Ticket: ticket}}
	shown := func() string {
		blocks, err := json.Marshal(testWords().cardBlocks(card, nil, false))
		require.NoError(t, err)
		return string(blocks)
	}
	assert.Equal(t, 1, strings.Count(shown(), "⛔"))
	assert.Equal(t, 1, strings.Count(shown(), `"url":"https://cloud.ibm.com/unifiedsupport/cases"`))
	assert.Contains(t, shown(), "Request 7F3K-2QXD")
	card.Standing.Ticket.ID++
	assert.Equal(t, 2, strings.Count(shown(), "⛔"), "another ticket is told of too")
}

func TestEveryStateReadsDifferentlyBesideAServer(t *testing.T) {
	t.Parallel()
	read := map[string]cancellation.State{"Being filed": cancellation.Filing} // scheduled reads the same on purpose
	for _, state := range cancellation.States() {
		text := standingWords(state)
		if state != cancellation.Scheduled && state != cancellation.Filing {
			assert.Empty(t, read[text], "%s reads as another state", state)
		}
		assert.NotEqual(t, string(state), text, "a state is put in a person's words")
		read[text] = state
	}
}

func TestAThreadIsNamedByWhereItIs(t *testing.T) {
	t.Parallel()
	for where, p := range map[string]cancellation.Place{
		"the message's thread in #ops":         {Channel: "C1", ChannelName: "ops", Thread: "1.2"},
		"the message's thread in this channel": {Channel: "C1", ChannelName: "privategroup", Thread: "1.2"},
		"the message's thread":                 {Channel: "D1", ChannelName: "directmessage", Thread: "1.2"},
		"you":                                  {Channel: "D1", ChannelName: "directmessage"},
	} {
		assert.Equal(t, where, channelWords(p))
	}
}

func TestAChannelThatIsCalledDirectmessageIsNamed(t *testing.T) {
	t.Parallel()
	public := cancellation.Place{Channel: "C1", ChannelName: "directmessage"}
	assert.Equal(t, "#directmessage", channelWords(public), "everybody in it sees the result")
	public.Thread = "1.2"
	assert.Equal(t, "the message's thread in #directmessage", channelWords(public))
}
