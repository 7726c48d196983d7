package softlayer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"cancel-server/internal/cancellation"
)

// Writer makes the calls that change something at SoftLayer. A [Client] only reads, so a program that
// makes no Writer changes nothing.
type Writer struct{ client *Client }

var _ cancellation.TicketWriter = (*Writer)(nil)

// NewWriter returns the writer that calls with a client's key and at its rate.
func NewWriter(c *Client) *Writer { return &Writer{client: c} }

// CreateCancelServerTicket asks SoftLayer to cancel a bare-metal server on its next
// bill date, and returns the ticket that it made. associated cancels the associated
// billing items too. It makes one POST on a fresh connection, or none where a
// parameter is missing or ctx is over; ctx ends it.
//
// The error is an *[Error] and one of: [ErrAttachmentMissing], [ErrReasonMissing],
// [ErrContentMissing], [ErrPermission], *[DuplicateError] (SoftLayer's definite no);
// [ErrUnauthorized], *[RateLimitedError], [ErrNotSent] (nothing was made); anything
// else, [ErrNotFound] too: there may be a ticket.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/createCancelServerTicket/
func (w *Writer) CreateCancelServerTicket(ctx context.Context, id int64, reason, content string, associated bool) (cancellation.TicketID, error) {
	order := cancellation.Order{Server: id, Reason: reason, Content: content, Associated: associated}
	made, _, err := w.createTicket(ctx, order)
	return made, err
}

// createTicket also returns the answer as it came; "" if there was none.
func (w *Writer) createTicket(ctx context.Context, o cancellation.Order) (made cancellation.TicketID, raw string, err error) {
	k := call{
		service: "SoftLayer_Ticket", method: "createCancelServerTicket", filing: true,
		params: []any{o.Server, o.Reason, o.Content, o.Associated, "HARDWARE"},
		mask:   "mask[id,serviceProviderResourceId]",
		raw:    &raw,
	}
	if missing := missingParameter(o.Server, o.Reason, o.Content); missing != nil {
		return made, "", w.client.cleaned(missing, k)
	}
	if ctx.Err() != nil {
		return made, "", w.client.broken(ctx, k, &trace{}, ctx.Err())
	}
	body, err := w.client.do(ctx, k)
	if err != nil {
		return made, raw, err
	}
	made, ok := madeTicket(body)
	if !ok {
		return cancellation.TicketID{}, raw, w.client.cleaned(unusable(http.StatusOK, "the answer is no ticket with an id"), k)
	}
	return made, raw, nil
}

// missingParameter answers as SoftLayer would, without calling it.
func missingParameter(id int64, reason, content string) *Error {
	switch {
	case id <= 0:
		return &Error{Text: textAttachmentMissing, causes: []error{ErrAttachmentMissing}}
	case cancellation.Blank(reason):
		return &Error{Text: textReasonMissing, causes: []error{ErrReasonMissing}}
	case cancellation.Blank(content):
		return &Error{Text: textContentMissing, causes: []error{ErrContentMissing}}
	}
	return nil
}

// madeTicket reads the new ticket. Only an object whose id is a positive integer is a ticket,
// because nothing but the id is certain.
func madeTicket(body json.RawMessage) (cancellation.TicketID, bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return cancellation.TicketID{}, false
	}
	id, err := strconv.ParseInt(string(members["id"]), 10, 64)
	if err != nil || id <= 0 {
		return cancellation.TicketID{}, false
	}
	var number text
	if json.Unmarshal(members["serviceProviderResourceId"], &number) != nil {
		number = ""
	}
	return cancellation.TicketID{ID: id, Number: printable(string(number))}, true
}

// RequestCancellation makes the one call of [Writer.CreateCancelServerTicket] and returns what is
// known afterwards. Anything that is not certainly a ticket, a refusal or nothing sent is
// AnswerLost.
func (w *Writer) RequestCancellation(ctx context.Context, order cancellation.Order) cancellation.Outcome {
	made, raw, err := w.createTicket(ctx, order)
	if err == nil {
		return cancellation.Outcome{Kind: cancellation.Made, Ticket: made, Raw: raw}
	}
	o := failedOutcome(err)
	o.Raw = raw
	return o
}

func failedOutcome(err error) cancellation.Outcome {
	var failed *Error
	var standing *DuplicateError
	var limited *RateLimitedError
	switch {
	case !errors.As(err, &failed):
		return cancellation.Outcome{Kind: cancellation.AnswerLost, Text: err.Error()}
	case errors.As(err, &standing):
		open := cancellation.TicketID{ID: standing.Ticket}
		return cancellation.Outcome{Kind: cancellation.AlreadyOpen, Ticket: open, Text: failed.Text}
	case refused(err):
		return cancellation.Outcome{Kind: cancellation.Refused, Text: failed.Text}
	case errors.As(err, &limited):
		return cancellation.Outcome{Kind: cancellation.NotMade, Text: err.Error(), Retry: limited.Retry}
	case errors.Is(err, ErrUnauthorized), errors.Is(err, ErrNotSent):
		return cancellation.Outcome{Kind: cancellation.NotMade, Text: err.Error()}
	}
	return cancellation.Outcome{Kind: cancellation.AnswerLost, Text: err.Error()}
}

func refused(err error) bool {
	return errors.Is(err, ErrAttachmentMissing) || errors.Is(err, ErrReasonMissing) ||
		errors.Is(err, ErrContentMissing) || errors.Is(err, ErrPermission)
}
