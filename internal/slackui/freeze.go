package slackui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// The two commands that are no server's name.
const (
	freezeWord   = "freeze"
	unfreezeWord = "unfreeze"
)

// unfreezeAction is the button that ends one freeze. Its value is the number of that freeze,
// a space, and why.
const unfreezeAction = "unfreeze"

// freezeOrder reads "freeze WHY" and "unfreeze WHY".
func freezeOrder(query string) (order cancellation.Freeze, is bool) {
	word, why, _ := strings.Cut(query, " ")
	order.Why = cut(oneLine(why), maxWhy)
	switch strings.ToLower(word) {
	case freezeWord:
		order.Frozen = true
		return order, true
	case unfreezeWord:
		return order, true
	}
	return order, false
}

// freeze carries out an order about filing for anyone who could approve on some server: freeze
// at once, since it must not wait; unfreeze asks first, since Slack may deliver it late. The
// order is on disk before it is answered.
func (a *App) freeze(ctx context.Context, c Command, order cancellation.Freeze) Reply {
	by := cancellation.Person{Team: cmp.Or(c.Enterprise, c.Team), ID: c.User, Name: cut(oneLine(c.UserName), 100)}
	order.Key = "command " + c.TriggerID
	if !order.Frozen {
		click, err := a.desk.MayUnfreeze(ctx, by, a.policy.MayFreeze, order)
		if problem := a.orderProblem(click, err, order); problem != nil {
			return ephemeral(problem...)
		}
		return a.askUnfreeze(click.Stands, order.Why)
	}
	click, err := a.desk.FreezeByClick(ctx, by, a.policy.MayFreeze, order)
	if problem := a.orderProblem(click, err, order); problem != nil {
		return ephemeral(problem...)
	}
	return ephemeral(frozenWords(click.UnderWay, a.commandName)...)
}

// askUnfreeze shows the freeze that stands, with the button that ends it and no other.
func (a *App) askUnfreeze(stands cancellation.Freeze, why string) Reply {
	if !stands.Frozen {
		return ephemeral(line{bold("Filing is not frozen."), plain(" Nothing was changed.")})
	}
	value := strconv.FormatInt(stands.Number, 10) + " " + why
	end := slack.NewButtonBlockElement(unfreezeAction, value, plainText("Let filing go on"))
	end.Style = slack.StylePrimary
	return ephemeralWith(slack.NewActionBlock("freeze", end),
		frozenBy(stands, shown), words("The button ends this freeze and no other. What waited is then filed within half a minute, with every check."))
}

// unfreeze ends the freeze that the pressed button names.
func (a *App) unfreeze(ctx context.Context, i Interaction) After {
	number, why, _ := strings.Cut(i.Action.Value, " ")
	order := cancellation.Freeze{Why: why, Key: pressKey(i)}
	var err error
	if order.Ends, err = strconv.ParseInt(number, 10, 64); err != nil || order.Ends <= 0 || order.Key == "" {
		a.log.Warn("reading the button that ends a freeze", "user", i.User, "err", err)
		return a.alone(i, line{bold("Nothing was changed."), plain(" This button cannot be read: type " + a.commandName + " " + unfreezeWord + " WHY again.")})
	}
	click, err := a.desk.FreezeByClick(ctx, clickedBy(i), a.policy.MayFreeze, order)
	if problem := a.orderProblem(click, err, order); problem != nil {
		return a.alone(i, problem...)
	}
	return a.alone(i, line{bold("Filing goes on."), plain(" What waited is filed within half a minute, with every check.")})
}

// orderProblem says why an order about filing changed nothing; nil where it was carried out,
// or may be.
func (a *App) orderProblem(click cancellation.FreezeClick, err error, order cancellation.Freeze) []line {
	word := map[bool]string{true: freezeWord, false: unfreezeWord}[order.Frozen]
	nothing := bold("Nothing was changed.")
	switch {
	case errors.Is(err, cancellation.ErrWhyMissing):
		return []line{{nothing, plain(" Say why: " + a.commandName + " " + word + " WHY")}}
	case errors.Is(err, cancellation.ErrPeopleUnread):
		a.log.Warn("an order about filing by somebody whom Slack did not describe in time", "order", word, "err", err)
		return []line{{nothing, plain(" Slack did not say in time who you are and which groups you are in: try again, or run bot " + word + ".")}}
	case err != nil:
		a.log.Error("carrying out an order about filing", "order", word, "err", err)
		return []line{{bold("It is not known whether that was recorded."), plain(" Try again, or run bot " + word + ".")}}
	case click.Kind == cancellation.ClickRefused:
		return []line{append(line{nothing, plain(" " + capital(ended(shown(click.Decision.Reason))))}, a.whoFreezes(click.Decision)...), words("Rule " + shown(click.Decision.Rule))}
	case click.Kind == cancellation.ClickRepeated:
		return []line{{nothing, plain(" This was carried out before.")}, orderStands(click.Stands)}
	case click.Kind == cancellation.ClickLate:
		return []line{{nothing, plain(" The freeze that this button ends is over.")}, orderStands(click.Stands)}
	}
	return nil
}

// orderStands says whether filing is frozen now.
func orderStands(stands cancellation.Freeze) line {
	if stands.Frozen {
		return frozenBy(stands, shown)
	}
	return words("Filing is not frozen.")
}

// mostNamed is how many groups or people are named as those who can do something.
const mostNamed = 3

// whoFreezes names whom to ask, where no rule lets a person freeze filing.
func (a *App) whoFreezes(refused authz.Decision) line {
	if refused.Rule != authz.RuleDefaultDeny {
		return nil
	}
	users, groups, _ := a.desk.Policy.Approvers()
	var named line
	for _, id := range groups {
		named = append(named, run{group: id})
	}
	for _, id := range users {
		_, user, _ := strings.Cut(id, "/")
		named = append(named, person(user, ""))
	}
	if len(named) == 0 {
		return line{plain(" Ask " + a.words.contact() + ".")}
	}
	ask := line{plain(" Ask ")}
	for i, one := range named[:min(len(named), mostNamed)] {
		if i > 0 {
			ask = append(ask, plain(" or "))
		}
		ask = append(ask, one)
	}
	return append(ask, plain("."))
}

// frozenBy says that filing is frozen, by whom, since when and why; foreign makes text that a
// person typed fit to be shown.
func frozenBy(stands cancellation.Freeze, foreign func(string) string) line {
	l := append(line{bold("Filing is frozen"), plain(" by ")}, actor(stands.Actor)...)
	return append(l, plain(" since "+instant(stands.At)+": "+ended(foreign(stands.Why))))
}

// actor is who did something, as the history names them.
func actor(id string) line {
	if operator, is := strings.CutPrefix(id, cancellation.OperatorPrefix); is {
		return line{plain(shown(operator) + ", who runs this bot")}
	}
	if _, user, _ := strings.Cut(id, "/"); userID.MatchString(user) {
		return line{person(user, "")}
	}
	return line{plain(shown(id))}
}

// userID is the id of a Slack user, of which alone a mention can be made.
var userID = regexp.MustCompile(`^[UW][A-Z0-9]+$`)

// frozen is the order about filing that stands; none where it cannot be read, since nothing
// rests on what it is shown for.
func (a *App) frozen(ctx context.Context) cancellation.Freeze {
	stands, err := a.desk.Frozen(ctx)
	if err != nil {
		a.log.Warn("reading whether filing is frozen", "err", err)
		return cancellation.Freeze{}
	}
	return stands
}

// mostListed is how many requests under way are named.
const mostListed = 20

func frozenWords(underWay []cancellation.Request, command string) []line {
	lines := []line{{bold("Filing is frozen."), plain(" No request is sent from now on; what is accepted meanwhile waits. " + command + " unfreeze WHY lets it go on.")}}
	if len(underWay) == 0 {
		return append(lines, words("Nothing was under way."))
	}
	lines = append(lines, words(fmt.Sprintf("%d may be under way already, and not stopped by this:", len(underWay))))
	for _, r := range underWay[:min(len(underWay), mostListed)] {
		lines = append(lines, words(fmt.Sprintf("%s · ref %s · nothing more of it is sent after %s", name(r), r.Ref.Short(), instant(r.NotAfter))))
	}
	return lines
}
