package cancellation

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"cancel-server/internal/authz"
)

// Freeze orders or ends a freeze. It returns the requests that may still be sent, because their
// POST may be under way. After an order to freeze no replica moves a request to Filing.
func (d *Desk) Freeze(ctx context.Context, order Freeze) (underWay []Request, err error) {
	if Blank(order.Why) {
		return nil, ErrWhyMissing
	}
	if err := d.Freezes.Freeze(ctx, order); err != nil {
		return nil, err
	}
	return d.Freezes.UnderWay(ctx)
}

// Operator is the actor of a verb that an account of the host ran. It is never [RestoreActor], whatever the
// account is called.
func Operator(account string) string {
	if OperatorPrefix+account == RestoreActor {
		account += " (account)"
	}
	return OperatorPrefix + account
}

// FreezeClick is the outcome of an order about filing that was given in Slack.
type FreezeClick struct {
	Kind     ClickKind      // ClickLate: the freeze that it would end is over
	Decision authz.Decision // of ClickRefused: the rule
	UnderWay []Request      // of ClickDone: what may still be sent
	Stands   Freeze         // the order that was in force before, or that stops this one
}

// FreezeByClick is Freeze for a person in Slack, who cannot change an operator's freeze. A refusal
// is recorded with its reason.
func (d *Desk) FreezeByClick(ctx context.Context, by Person, order Freeze) (FreezeClick, error) {
	click, err := d.checkOrder(ctx, by, &order)
	if err != nil || click.Kind != ClickDone {
		return click, err
	}
	click.UnderWay, err = d.Freeze(ctx, order)
	operators, isOperators := errors.AsType[*OperatorsFreezeError](err)
	other, isOther := errors.AsType[*OtherFreezeError](err)
	switch {
	case isOperators:
		return d.refuseOrder(ctx, order, authz.Decision{Rule: RuleOperatorsFreeze}, operators.Order), nil
	case isOther:
		return FreezeClick{Kind: ClickLate, Stands: other.Order}, nil
	case errors.Is(err, ErrRepeated):
		click.Kind = ClickRepeated
		click.Stands, err = d.Freezes.Frozen(ctx)
	case err == nil:
		d.Log.Warn("received an order about filing", "frozen", order.Frozen, "by", order.Actor, "why", order.Why)
	}
	return click, err
}

// MayUnfreeze checks whether a person could end the freeze that is in force. It changes nothing
// but records a refusal.
func (d *Desk) MayUnfreeze(ctx context.Context, by Person, order Freeze) (FreezeClick, error) {
	click, err := d.checkOrder(ctx, by, &order)
	if stands := click.Stands; err == nil && click.Kind == ClickDone && stands.Frozen && stands.ByOperator() {
		click = d.refuseOrder(ctx, order, authz.Decision{Rule: RuleOperatorsFreeze}, stands)
	}
	return click, err
}

// checkOrder decides whether a person in Slack may give this order, and sets order.Actor.
func (d *Desk) checkOrder(ctx context.Context, by Person, order *Freeze) (FreezeClick, error) {
	if Blank(order.Why) {
		return FreezeClick{}, ErrWhyMissing
	}
	policy := d.authority()
	waiting, cancel := context.WithTimeout(ctx, MaxPrincipalWait)
	defer cancel()
	who, err := policy.person(waiting, by, MaxPrincipalAge)
	if err != nil {
		return FreezeClick{}, fmt.Errorf("%w: %w", ErrPeopleUnread, err)
	}
	decision := policy.MayFreeze(who)
	stands, err := d.Freezes.Frozen(ctx)
	if err != nil {
		return FreezeClick{}, err
	}
	order.Actor = who.ID()
	if decision.Effect != authz.Allowed {
		return d.refuseOrder(ctx, *order, decision, stands), nil
	}
	return FreezeClick{Stands: stands}, nil
}

// refuseOrder records a refused order. Losing that record changes nothing, so its failure is only
// logged.
func (d *Desk) refuseOrder(ctx context.Context, order Freeze, decision authz.Decision, stands Freeze) FreezeClick {
	d.Log.Warn("refused an order about filing", "frozen", order.Frozen, "by", order.Actor, "why", order.Why, "rule", decision.Rule)
	d.CountDenial(decision.Rule)
	if err := d.Freezes.NoteRefusedFreeze(ctx, order, decision.Rule); err != nil {
		d.Log.Warn("recording a refused order about filing", "by", order.Actor, "err", err)
	}
	return FreezeClick{Kind: ClickRefused, Decision: decision, Stands: stands}
}

// WhoMayFreeze returns at most mostAsked users who may freeze filing, and end a freeze.
func (d *Desk) WhoMayFreeze(ctx context.Context) ([]string, error) {
	policy := d.authority()
	named, groups, _ := policy.Approvers()
	var members []authz.Principal
	if len(groups) > 0 {
		var err error
		if members, err = d.Directory.Members(ctx, policy.GroupIDs(), MaxPrincipalAge); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPeopleUnread, err)
		}
	}
	var users []string
	for _, candidate := range candidates(named, members, authz.Principal{}) {
		if len(users) == mostAsked {
			break
		}
		who, err := policy.person(ctx, Person{Team: candidate.Team, ID: candidate.User}, MaxPrincipalAge)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPeopleUnread, err)
		}
		if policy.MayFreeze(who).Effect == authz.Allowed {
			users = append(users, candidate.User)
		}
	}
	return users, nil
}

// frozen puts the request back if filing is frozen, before anything is read for it. handled is then
// true.
func (f *Filer) frozen(ctx context.Context, h *claimedRow) (handled bool, err error) {
	order, err := f.Freezes.Frozen(ctx)
	if err != nil || !order.Frozen {
		return err != nil, err
	}
	return true, f.waitFrozen(ctx, h, order)
}

// waitForHour puts the request back until the next hour, with the reason.
func (f *Filer) waitForHour(ctx context.Context, h *claimedRow, full *HourFullError) error {
	r := h.request()
	f.Log.Warn("this hour's filings are used up", "ref", r.Ref.Short(), "next", full.Next, "err", full)
	r.Due, r.Attempts = full.Next.Add(backoff(0)), r.Attempts+1
	return f.putBack(ctx, h, r.inTurn(f.Limits.Terms), because(WhyHourFull, strconv.Itoa(f.Limits.FilingsPerHour)))
}

// frozenPause is how long a request waits before the freeze is checked again.
const frozenPause = 4 // of backoff's doublings: some 16 seconds

func (f *Filer) waitFrozen(ctx context.Context, h *claimedRow, order Freeze) error {
	return f.wait(ctx, h, h.request(), Reason{Code: WhyFrozen, Detail: order.Why, By: order.Actor}, backoff(frozenPause))
}
