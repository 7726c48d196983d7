package slackui

import (
	"context"
	"errors"
	"strings"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

// freezeOrder reads "freeze WHY" and "unfreeze WHY".
func freezeOrder(query string) (order cancellation.Freeze, is bool) {
	word, why, _ := strings.Cut(query, " ")
	order.Why = words.Cut(words.OneLine(why), words.MaxWhy)
	switch strings.ToLower(word) {
	case words.FreezeCommand:
		order.Frozen = true
		return order, true
	case words.UnfreezeCommand:
		return order, true
	}
	return order, false
}

// freeze carries out an order about filing for anyone who could approve on some server. A freeze
// takes effect at once. An unfreeze asks first, since Slack may deliver it late. The order is on
// disk before it is answered.
func (a *App) freeze(ctx context.Context, c receive.Command, order cancellation.Freeze) receive.Reply {
	by := askerOf(c)
	order.Key = "command " + c.TriggerID
	order.Place = cancellation.Place{Channel: c.Channel, ChannelName: c.ChannelName}
	if !order.Frozen {
		click, err := a.desk.MayUnfreeze(ctx, by, order)
		if problem := a.orderProblem(click, err, order); !problem.Empty() {
			return ephemeral(problem)
		}
		return ephemeral(words.AskUnfreeze(click.Stands, order.Why))
	}
	click, err := a.desk.FreezeByClick(ctx, by, order)
	if problem := a.orderProblem(click, err, order); !problem.Empty() {
		return ephemeral(problem)
	}
	return ephemeral(a.words.Frozen(click.UnderWay))
}

// unfreeze ends the freeze that the pressed button carries.
func (a *App) unfreeze(ctx context.Context, i receive.Interaction) receive.After {
	number, why, ok := words.FreezeOf(i.Action.Value)
	order := cancellation.Freeze{Why: why, Key: pressKey(i), Ends: number, Place: cancellation.Place{Channel: i.Channel, ChannelName: i.ChannelName}}
	if !ok || order.Key == "" {
		a.log.Warn("reading the button that ends a freeze", "user", i.User)
		return a.whisper(i, a.words.UnfreezeUnread())
	}
	click, err := a.desk.FreezeByClick(ctx, clickedBy(i), order)
	if problem := a.orderProblem(click, err, order); !problem.Empty() {
		return a.whisper(i, problem)
	}
	return a.whisper(i, words.FilingGoesOn())
}

// orderProblem returns why an order about filing changed nothing; it is empty if the order was
// carried out. It logs errors, except a missing reason.
func (a *App) orderProblem(click cancellation.FreezeClick, err error, order cancellation.Freeze) words.Message {
	switch {
	case errors.Is(err, cancellation.ErrWhyMissing):
	case errors.Is(err, cancellation.ErrPeopleUnread):
		a.log.Warn("reading who gave an order about filing", "order", words.OrderCommand(order), "err", err)
	case err != nil:
		a.log.Error("carrying out an order about filing", "order", words.OrderCommand(order), "err", err)
	}
	var users, groups []string
	if click.Kind == cancellation.ClickRefused {
		users, groups, _ = a.policy().Approvers()
	}
	return a.words.OrderFailed(click, err, order, users, groups)
}

// frozen returns the order about filing that is in force, or none if it cannot be read. It is only
// displayed: nothing is decided by it.
func (a *App) frozen(ctx context.Context) cancellation.Freeze {
	ctx, cancel := context.WithTimeout(ctx, glanceTime)
	defer cancel()
	stands, err := a.desk.Frozen(ctx)
	if err != nil {
		a.log.Warn("reading whether filing is frozen", "err", err)
		return cancellation.Freeze{}
	}
	return stands
}
