package cancellation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cancel-server/internal/authz"
)

// Freeze orders that nothing is filed, or ends that, and lists what may be sent all the
// same: those requests were on their way before. From then on no request is moved to
// Filing, on any replica.
func (d *Desk) Freeze(ctx context.Context, order Freeze) (underWay []Request, err error) {
	if order.Frozen && strings.TrimSpace(order.Why) == "" {
		return nil, ErrWhyMissing
	}
	if err := d.Journal.Freeze(ctx, order); err != nil {
		return nil, err
	}
	return d.Journal.UnderWay(ctx)
}

// FreezeByClick is Freeze by somebody in Slack: whoever could approve on some server. What
// an operator froze stays as it is.
func (d *Desk) FreezeByClick(ctx context.Context, by Person, may func(authz.Principal) authz.Decision, order Freeze) (Click, []Request, error) {
	waiting, cancel := context.WithTimeout(ctx, MaxPrincipalWait)
	defer cancel()
	who, err := d.Directory.Principal(waiting, by, MaxPrincipalAge)
	if err != nil {
		return Click{}, nil, fmt.Errorf("%w: %w", ErrPeopleUnread, err)
	}
	if decision := may(who); decision.Effect != authz.Allowed {
		return Click{Kind: ClickRefused, Decision: decision}, nil, nil
	}
	order.Actor = who.ID()
	underWay, err := d.Freeze(ctx, order)
	if stands, is := errors.AsType[*OperatorsFreezeError](err); is {
		return Click{Kind: ClickRefused, Decision: operatorsFreeze(stands.Order)}, nil, nil
	}
	return Click{}, underWay, err
}

// operatorsFreeze says who froze filing, since when and why: who typed freeze wants to know
// as much as who typed unfreeze.
func operatorsFreeze(stands Freeze) authz.Decision {
	return authz.Decision{Rule: "builtin-operators-freeze", Reason: fmt.Sprintf(
		"Filing is frozen since %s by %s, who runs this bot, and only bot unfreeze ends that: %s",
		stands.At.UTC().Format("2 Jan 2006 15:04 UTC"), strings.TrimPrefix(stands.Actor, OperatorPrefix), stands.Why)}
}

// errHourFull says that no more is filed in this hour.
var errHourFull = errors.New("as many were filed in this hour as the whole deployment may")

// frozen puts a request back where filing is frozen, before anything is read for it.
func (w *Worker) frozen(ctx context.Context, h *held) (handled bool, err error) {
	order, err := w.Journal.Frozen(ctx)
	if err != nil || !order.Frozen {
		return err != nil, err
	}
	return true, w.waitFrozen(ctx, h, order)
}

// mayFile takes one filing of the hour. Where there is none the request is put back with
// the reason, and waits; handled is then true.
func (w *Worker) mayFile(ctx context.Context, h *held) (handled bool, err error) {
	r := h.request()
	took, next, err := w.Journal.TakeFiling(ctx, w.Limits.FilingsPerHour)
	if err != nil {
		return true, err
	}
	if took {
		h.counted = next
		return false, nil
	}
	now, err := w.Journal.Now(ctx)
	if err != nil {
		return true, err
	}
	w.Log.Warn("no more is filed in this hour", "ref", r.Ref.Short(), "next", next, "err", errHourFull)
	return true, w.wait(ctx, h, r, Because(WhyWaiting, fmt.Sprintf("this hour's filings are used up, %d at most", w.Limits.FilingsPerHour)), next.Sub(now)+backoff(0))
}

// frozenPause is how long a request waits before it looks whether a freeze is over.
const frozenPause = 4 // of backoff's doublings: some 16 seconds

func (w *Worker) waitFrozen(ctx context.Context, h *held, order Freeze) error {
	return w.wait(ctx, h, h.request(), Because(WhyWaiting, "filing is frozen: "+order.Why), backoff(frozenPause))
}
