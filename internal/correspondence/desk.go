package correspondence

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// ErrNoUpdate says that there is no such text.
var ErrNoUpdate = errors.New("no such text")

// sendTime is how long SoftLayer may take nothing before a text is given up: what it answers may be
// out of date by then.
const sendTime = 15 * time.Minute

// Desk decides who may write into a ticket, and records what they write.
type Desk struct {
	Requests *cancellation.Desk
	Ledger   Ledger
	Books    Books
	MayWrite func() bool // reports whether the key is known to have the right
	Wake     func()      // tells the Sender that there is something to send
	Log      *slog.Logger
}

// Prospect is what a person may do with a text for a request's ticket.
type Prospect struct {
	Request  cancellation.Request
	By       cancellation.Person // with their id in the whole enterprise
	Leave    Leave
	Decision authz.Decision // by which rule, or of Nothing by which not
	Closed   bool           // nothing can be written: the request is not filed, or the key has no right
	Proposal Update         // of a reply: what was proposed last, if nothing was sent since; zero for none
	Replied  int64          // number of the last reply that is, or may come to be, in the ticket; 0 for none
}

// May decides what who pressed may do with a text of a kind. A refusal is put on record. The error
// wraps cancellation.ErrNoRequest or cancellation.ErrPeopleUnread.
func (d *Desk) May(ctx context.Context, kind Kind, press cancellation.Press) (Prospect, error) {
	powers, err := d.Requests.Powers(ctx, press)
	p := Prospect{Request: powers.Request, By: powers.By}
	if err != nil {
		return p, err
	}
	if p.Leave, p.Decision = Judge(kind, powers); p.Leave == Nothing {
		d.Requests.NoteRefusal(ctx, powers, p.Decision)
		return p, nil
	}
	p.Closed = powers.Request.State != cancellation.Filed || powers.Request.Ticket.ID == 0 || !d.MayWrite()
	if kind == Reply && !p.Closed {
		d.before(ctx, &p)
	}
	return p, nil
}

// before reads what others wrote before. If it cannot be read, a form that is sent is answered with it.
func (d *Desk) before(ctx context.Context, p *Prospect) {
	last, err := d.Ledger.StandingReply(ctx, p.Request.ID)
	if p.Replied = last.Number; p.Leave == Send && (err == nil || errors.Is(err, ErrNoUpdate)) {
		p.Proposal, err = d.Ledger.LastProposal(ctx, p.Request.ID)
	}
	if err != nil && !errors.Is(err, ErrNoUpdate) {
		d.Log.Warn("reading what others wrote before a reply", "ref", p.Request.Ref.Short(), "err", err)
	}
}

// Read reads a request's ticket with all its updates. cancellation.ErrTicketHidden: the key does not see it.
func (d *Desk) Read(ctx context.Context, r cancellation.Request) (Ticket, error) {
	return read(ctx, d.Books, r.Ticket.ID)
}

// Draft is a form that a person sent.
type Draft struct {
	Kind    Kind
	Leave   Leave // what the form was for
	Press   cancellation.Press
	Text    string
	Seen    int64 // id of the last update by staff that the person was shown; 0 for none
	Replied int64 // of a reply: Prospect.Replied as the person was shown it
}

// Outcome is what became of a draft.
type Outcome int

const (
	// Taken: it is recorded.
	Taken Outcome = iota
	// Barred: this person may not do that now; Prospect.Decision says by which rule not.
	Barred
	// Shut: Prospect.Closed.
	Shut
	// ClosedTicket: the ticket is closed.
	ClosedTicket
	// Hidden: the key does not see the ticket.
	Hidden
	// Unread: SoftLayer did not say in time whether staff wrote meanwhile.
	Unread
	// News: staff wrote what the person was not shown.
	News
	// Asked: SoftLayer was, or is to be, asked to stop already.
	Asked
	// Replied: another reply was recorded that the person was not shown.
	Replied
	// Earlier: another version of this text was recorded by the same form before.
	Earlier
)

// Answer is the answer to a draft. Nothing was recorded unless it is Taken.
type Answer struct {
	Outcome Outcome
	Prospect
	Ticket   Ticket // of News and Replied
	Standing Update // of Asked, Replied and Earlier: the other text
}

// Write decides once more, and records what a person wrote. An error means that nothing was recorded;
// with cancellation.ErrUnclear nobody can tell.
func (d *Desk) Write(ctx context.Context, draft Draft, readTime time.Duration) (Answer, error) {
	id := idOf(d.Ledger.Installation(), draft.Kind, draft.Press)
	if first, err := d.Ledger.UpdateByID(ctx, id); !errors.Is(err, ErrNoUpdate) {
		return Answer{}.again(first, draft), err // the form was delivered again
	}
	may, err := d.May(ctx, draft.Kind, draft.Press)
	answer := Answer{Prospect: may}
	switch {
	case err != nil:
		return answer, err
	case may.Leave < draft.Leave: // what they meant to send would only be proposed
		answer.Outcome = Barred
		return answer, nil
	case may.Closed:
		answer.Outcome = Shut
		return answer, nil
	}
	reading, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	if answer.Outcome, answer.Ticket = d.meanwhile(reading, may.Request, draft); answer.Outcome != Taken {
		return answer, nil
	}
	return d.record(ctx, id, draft, answer)
}

// again is the answer to a form whose text is recorded. After an acknowledgement that came late people
// change what they typed and send it again: only the first version goes out.
func (a Answer) again(first Update, draft Draft) Answer {
	if first.ID != "" && first.Text != bounded(draft.Text) {
		a.Outcome, a.Standing = Earlier, first
	}
	return a
}

// meanwhile reads what has become of the ticket while the form was open. That a stop is asked for
// does not wait for SoftLayer's answer: it may be urgent, and answers nobody.
func (d *Desk) meanwhile(ctx context.Context, r cancellation.Request, draft Draft) (Outcome, Ticket) {
	ticket, err := d.Read(ctx, r)
	last := ticket.LastByStaff()
	switch {
	case errors.Is(err, cancellation.ErrTicketHidden), errors.Is(err, cancellation.ErrReadRefused):
		return Hidden, ticket
	case err != nil && draft.Kind == Stop:
		return Taken, ticket
	case err != nil:
		d.Log.Warn("reading a ticket before a reply", "ref", r.Ref.Short(), "err", err)
		return Unread, ticket
	case !ticket.Open:
		return ClosedTicket, ticket
	case draft.Kind == Reply && last != nil && last.ID != draft.Seen:
		return News, ticket
	}
	return Taken, ticket
}

func (d *Desk) record(ctx context.Context, id string, draft Draft, answer Answer) (Answer, error) {
	rec, err := d.compose(ctx, id, draft, answer)
	if err != nil {
		return answer, err
	}
	rec.Key = draft.Press.Key
	receipt, err := d.Ledger.RecordUpdate(ctx, rec)
	switch {
	case errors.Is(err, cancellation.ErrRepeated): // the form was delivered again meanwhile
		first, err := d.Ledger.UpdateByID(ctx, id)
		return answer.again(first, draft), err
	case err != nil:
		return answer, err
	}
	return d.receive(receipt, draft, answer), nil
}

// compose makes the record of a draft, with a reference of its own.
func (d *Desk) compose(ctx context.Context, id string, draft Draft, answer Answer) (Record, error) {
	r := answer.Request
	u := Update{
		ID: id, RequestID: r.ID, Kind: draft.Kind, State: Recorded, Ref: referenceOf(d.Ledger.HMACKey(), id),
		By: answer.By, Text: bounded(draft.Text), Ticket: r.Ticket.ID,
	}
	if draft.Leave == Propose {
		u.State = Proposing
	}
	u.Entry = Compose(u, r)
	now, err := d.Ledger.Now(ctx)
	u.SendBy, u.Due = now.Add(sendTime), now
	return Record{Update: u, Request: r, Rule: answer.Decision.Rule, Replied: draft.Replied}, err
}

// receive is the answer to a draft by what the store did with it.
func (d *Desk) receive(receipt Receipt, draft Draft, answer Answer) Answer {
	switch {
	case receipt.Standing != nil && draft.Kind == Stop:
		answer.Outcome, answer.Standing = Asked, *receipt.Standing
	case receipt.Standing != nil:
		answer.Outcome, answer.Standing = Replied, *receipt.Standing
	case receipt.Ended:
		answer.Outcome, answer.Closed = Shut, true
	default:
		d.Wake()
		return answer.again(receipt.Update, draft)
	}
	return answer
}

// bounded cuts a text to MaxText, whatever was delivered, and leaves out control characters.
func bounded(text string) string {
	printable := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ReplaceAll(text, "\r\n", "\n"))
	units := utf16.Encode([]rune(printable))
	return string(utf16.Decode(units[:min(len(units), MaxText)]))
}
