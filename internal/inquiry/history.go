package inquiry

import (
	"cmp"
	"encoding/json"
	"fmt"

	"cancel-server/internal/cancellation"
)

// add adds an event to the history, and what it says of calls and reads.
func (f *File) add(e cancellation.Event) {
	said := e.Parsed()
	line := Event{At: e.At.UTC(), Kind: e.Kind, Actor: e.Actor, From: e.From, To: e.To, Why: said.Why, Rule: said.Rule, Policy: said.Policy}
	switch e.Kind {
	case cancellation.EventResolved, cancellation.EventEvidence, cancellation.EventFollowed, cancellation.EventWritten:
		line.Why, line.Detail = plainOf(e.Detail)
	case cancellation.EventLateAnswer:
		line.Why = "the answer to an attempt that had lost its lease"
	}
	f.addReads(e, said)
	f.addFiling(e, said)
	f.addText(e)
	f.History = append(f.History, line)
}

// plainOf returns a detail that is text as text, and one that is an object as an object.
func plainOf(detail string) (text string, whole any) {
	switch whole := object(detail).(type) {
	case string:
		return whole, nil
	default:
		return "", whole
	}
}

func (f *File) addReads(e cancellation.Event, said cancellation.EventDetail) {
	if !said.People.IsZero() {
		f.Reads = append(f.Reads, Read{At: said.People.UTC(), What: "requester and approvers, from Slack", Said: "the policy still lets this be filed, by rule " + said.Rule})
	}
	if !said.Server.IsZero() {
		f.Reads = append(f.Reads, Read{At: said.Server.UTC(), What: "server, from SoftLayer", Said: "as on the card: nothing that identifies it changed, no open ticket, no blocker, no new warning"})
	}
	if !said.Clean.IsZero() {
		f.Reads = append(f.Reads, Read{At: said.Clean.UTC(), What: "SoftLayer's records, after a lost answer", Said: "since then all reads showed no ticket"})
	}
	if said.Found != nil {
		f.Reads = append(f.Reads, Read{At: e.At.UTC(), What: "SoftLayer's records", Said: fmt.Sprintf("ticket %d carries this request's reference", said.Found.ID)})
	}
}

const filingMethod = "SoftLayer_Ticket/createCancelServerTicket"

// addFiling adds an announced POST, or the answer to the last one.
func (f *File) addFiling(e cancellation.Event, said cancellation.EventDetail) {
	older := said.Sent == nil && e.Kind == cancellation.EventMoved && e.To == cancellation.Filing && e.From != cancellation.Filing
	switch {
	case said.Sent != nil:
		f.Calls = append(f.Calls, Call{At: e.At.UTC(), Method: filingMethod, Sent: map[string]any{
			"server": said.Sent.Server, "reason": said.Sent.Reason, "content": said.Sent.Content, "associated_items": said.Sent.Associated,
		}})
	case older: // a build that did not record what it sent
		f.Calls = append(f.Calls, Call{At: e.At.UTC(), Method: filingMethod, Sent: map[string]any{"not_recorded": true}})
	case said.Answer != nil:
		f.answered(e, *said.Answer)
	}
}

// answered adds an answer to the last filing that has none. A late one may come after it was recorded
// that the answer is lost.
func (f *File) answered(e cancellation.Event, a cancellation.Answered) {
	late := e.Kind == cancellation.EventLateAnswer
	for i := len(f.Calls) - 1; i >= 0; i-- {
		c := &f.Calls[i]
		if c.Method != filingMethod || c.AnsweredAt != nil && !(late && c.Outcome == string(cancellation.AnswerLost)) {
			continue
		}
		c.AnsweredAt, c.Outcome, c.Ticket, c.Answer = moment(e.At), string(a.Kind), a.Ticket, cmp.Or(a.Raw, a.Text)
		return
	}
}

// written is what an event says of a text for the ticket.
type written struct {
	Update int64
	State  string
	Answer string
}

const updateMethod = "SoftLayer_Ticket/addUpdate"

// addText adds the announced call of a text, or the answer to it.
func (f *File) addText(e cancellation.Event) {
	var w written
	if e.Kind != cancellation.EventWritten || json.Unmarshal([]byte(e.Detail), &w) != nil || w.Update == 0 {
		return
	}
	if w.State == "sending" {
		f.unsettled[w.Update] = len(f.Calls)
		f.Calls = append(f.Calls, Call{At: e.At.UTC(), Method: updateMethod, Sent: map[string]any{"entry": f.texts[w.Update]}})
		return
	}
	at, open := f.unsettled[w.Update]
	if !open {
		return
	}
	delete(f.unsettled, w.Update)
	c := &f.Calls[at]
	c.AnsweredAt, c.Outcome, c.Answer = moment(e.At), w.State, w.Answer
}
