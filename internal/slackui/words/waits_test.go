package words

import (
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

func staffWrote(id int64, at time.Time, text string) cancellation.TicketEntry {
	return cancellation.TicketEntry{TicketUpdate: cancellation.TicketUpdate{ID: id, ByStaff: true}, At: at, Text: text}
}

// goldenViewsOfAnswers is what people read who press to read an answer.
func goldenViewsOfAnswers() map[string]slack.ModalViewRequest {
	w, filed := testWords(), slacktest.Request(cancellation.Filed)
	w.MayWrite = func() bool { return true }
	ours := cancellation.TicketEntry{TicketUpdate: cancellation.TicketUpdate{ID: 1, ByOther: true}, At: slacktest.Noon, Text: "Please cancel."}
	first := staffWrote(2, slacktest.Noon.Add(time.Hour), "Which contract?\nCall 555-0100, <!channel>.")
	return map[string]slack.ModalViewRequest{
		"answer-opening": AnswerOpening(),
		"answer":         w.Answer(filed, []cancellation.TicketEntry{ours, first}, 0),
		"answer-waits":   w.Answer(filed, []cancellation.TicketEntry{ours, first, staffWrote(3, slacktest.Noon.Add(2*time.Hour), "Please answer.")}, 3),
		"answer-long":    w.Answer(filed, []cancellation.TicketEntry{staffWrote(2, slacktest.Noon, strings.Repeat("long ", 6000))}, 0),
		"answer-none":    w.Answer(filed, []cancellation.TicketEntry{ours}, 0),
		"answer-unread":  w.AnswerUnread(filed),
		"answer-unknown": testWords().AnswerUnknown(cancellation.ErrPeopleUnread),
		"answer-refused": testWords().AnswerRefused(authz.Decision{Effect: authz.Refused, Rule: "no-contractors", Reason: "Contractors read no answers."}),
		"no-answer":      NoAnswerForm(filed, filed.ID+"@3"),
	}
}

func TestAnswersFitInTheirBound(t *testing.T) {
	t.Parallel()
	at := slacktest.Noon
	for name, c := range map[string]struct {
		entries []cancellation.TicketEntry
		shown   []string
		whole   bool
	}{
		"none":                          {whole: true},
		"the newest first":              {entries: []cancellation.TicketEntry{staffWrote(1, at, "old"), staffWrote(2, at.Add(time.Second), "new")}, shown: []string{"new", "old"}, whole: true},
		"the parts of one are one":      {entries: []cancellation.TicketEntry{staffWrote(1, at, "one "), staffWrote(2, at, "two")}, shown: []string{"one two"}, whole: true},
		"not over somebody else's":      {entries: []cancellation.TicketEntry{staffWrote(1, at, "one"), {Text: "other"}, staffWrote(2, at, "two")}, shown: []string{"two", "one"}, whole: true},
		"without a time they are two":   {entries: []cancellation.TicketEntry{staffWrote(1, time.Time{}, "one"), staffWrote(2, time.Time{}, "two")}, shown: []string{"two", "one"}, whole: true},
		"nothing visible is left out":   {entries: []cancellation.TicketEntry{staffWrote(1, at, " \u202e\n")}, whole: true},
		"a whole one fits":              {entries: []cancellation.TicketEntry{staffWrote(1, at, strings.Repeat("x", MaxAnswer))}, shown: []string{strings.Repeat("x", MaxAnswer)}, whole: true},
		"one more character does not":   {entries: []cancellation.TicketEntry{staffWrote(1, at, strings.Repeat("x", MaxAnswer+1))}, shown: []string{strings.Repeat("x", MaxAnswer-1) + "…"}},
		"a character is never split":    {entries: []cancellation.TicketEntry{staffWrote(1, at, "y"+strings.Repeat("😀", MaxAnswer))}, shown: []string{"y" + strings.Repeat("😀", (MaxAnswer-2)/2) + "…"}},
		"the older one has what's left": {entries: []cancellation.TicketEntry{staffWrote(1, at, strings.Repeat("o", 500)), staffWrote(2, at.Add(1), strings.Repeat("n", MaxAnswer-200))}, shown: []string{strings.Repeat("n", MaxAnswer-200), strings.Repeat("o", 199) + "…"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, whole := answers(c.entries)
			var shown []string
			total := 0
			for _, a := range found {
				shown, total = append(shown, a.Text), total+len(utf16.Encode([]rune(a.Text)))
			}
			assert.Equal(t, c.shown, shown)
			assert.Equal(t, c.whole, whole)
			assert.LessOrEqual(t, total, MaxAnswer)
		})
	}
}
