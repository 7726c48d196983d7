package softlayer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"cancel-server/internal/cancellation"
)

// AddUpdate writes an entry into a ticket, and classifies the answer. It makes one POST on a fresh
// connection, or none where ctx is over; ctx ends it. Anything that is not certainly the new updates,
// a refusal or nothing sent is AnswerLost.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/addUpdate/
func (w *Writer) AddUpdate(ctx context.Context, ticket int64, entry string) cancellation.Outcome {
	var raw string
	o := w.addUpdate(ctx, ticket, entry, &raw)
	o.Raw = raw
	return o
}

func (w *Writer) addUpdate(ctx context.Context, ticket int64, entry string, raw *string) cancellation.Outcome {
	k := call{
		service: "SoftLayer_Ticket", id: ticket, method: "addUpdate", filing: true,
		params: []any{tree{"entry": entry}}, mask: "mask[id]",
		raw: raw,
	}
	if ticket <= 0 || cancellation.Blank(entry) {
		return cancellation.Outcome{Kind: cancellation.NotMade, Text: "no ticket, or no text"}
	}
	if ctx.Err() != nil {
		return cancellation.Outcome{Kind: cancellation.NotMade, Text: w.client.broken(ctx, k, &trace{}, ctx.Err()).Error()}
	}
	body, err := w.client.do(ctx, k)
	if err == nil && !madeUpdates(body) {
		err = w.client.cleaned(unusable(http.StatusOK, "the answer has no update with an id"), k)
	}
	limited, isLimited := errors.AsType[*RateLimitedError](err)
	switch {
	case err == nil:
		return cancellation.Outcome{Kind: cancellation.Made}
	case readRefused(err):
		return cancellation.Outcome{Kind: cancellation.Refused, Text: err.Error()}
	case isLimited:
		return cancellation.Outcome{Kind: cancellation.NotMade, Text: err.Error(), Retry: limited.Retry}
	case errors.Is(err, ErrUnauthorized), errors.Is(err, ErrNotSent):
		return cancellation.Outcome{Kind: cancellation.NotMade, Text: err.Error()}
	}
	return cancellation.Outcome{Kind: cancellation.AnswerLost, Text: err.Error()}
}

// madeUpdates reports whether an answer is a list of updates, each with an id.
func madeUpdates(body json.RawMessage) bool {
	var rows []struct {
		ID json.Number `json:"id"`
	}
	if json.Unmarshal(body, &rows) != nil || len(rows) == 0 {
		return false
	}
	for _, row := range rows {
		if id, err := strconv.ParseInt(row.ID.String(), 10, 64); err != nil || id <= 0 {
			return false
		}
	}
	return true
}
