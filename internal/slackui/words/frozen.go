package words

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// The commands that are no server's name.
const (
	FreezeCommand   = "freeze"
	UnfreezeCommand = "unfreeze"
	MineCommand     = "mine"
	PendingCommand  = "pending"
	StatusCommand   = "status"
	ClosingCommand  = "closing"
)

// UnfreezeAction is the button that ends one freeze. FreezeOf reads its value.
const UnfreezeAction = "unfreeze"

// AskUnfreeze shows the freeze that stands, with the button that ends it and no other.
func AskUnfreeze(stands cancellation.Freeze, why string) Message {
	if !stands.Frozen {
		return message(line{bold("Filing is not frozen."), plain(" Nothing was changed.")})
	}
	end := slack.NewButtonBlockElement(UnfreezeAction, freezeAs(stands, why), plainText("Let filing go on"))
	end.Style = slack.StylePrimary
	m := message(frozenBy(stands, displayed),
		sentence("The button ends this freeze and no other. Waiting requests are then filed within half a minute, after all checks."))
	m.Blocks = append(m.Blocks, slack.NewActionBlock("freeze", end))
	return m
}

// freezeAs names a freeze and why it ends: its number, a space, and why.
func freezeAs(stands cancellation.Freeze, why string) string {
	return strconv.FormatInt(stands.Number, 10) + " " + why
}

// FreezeOf reads what the button that ends a freeze carries: the freeze's number, and why it ends.
func FreezeOf(value string) (number int64, why string, ok bool) {
	text, why, _ := strings.Cut(value, " ")
	number, err := strconv.ParseInt(text, 10, 64)
	return number, why, err == nil && number > 0
}

func nothingChanged(why ...run) line {
	return append(line{bold("Nothing was changed.")}, why...)
}

// UnfreezeUnread says that the button that ends a freeze cannot be read.
func (w Writer) UnfreezeUnread() Message {
	return message(nothingChanged(plain(" This button cannot be read. Type " + w.Command + " " + UnfreezeCommand + " WHY again.")))
}

// FilingGoesOn says that a freeze has ended.
func FilingGoesOn() Message {
	return message(line{bold("Filing goes on."), plain(" Waiting requests are filed within half a minute, after all checks.")})
}

// Frozen says that filing is frozen now, and what may be under way.
func (w Writer) Frozen(underWay []cancellation.Request) Message {
	lines := []line{{bold("Filing is frozen."), plain(" From now on no request is sent; requests that are accepted meanwhile wait. " + w.Command + " unfreeze WHY lets filing go on.")}}
	if len(underWay) == 0 {
		return message(append(lines, sentence("No request was under way."))...)
	}
	lines = append(lines, sentence(fmt.Sprintf("Perhaps already under way, and not stopped by the freeze: %d.", len(underWay))))
	for _, r := range underWay[:min(len(underWay), mostListed)] {
		lines = append(lines, sentence(fmt.Sprintf("%s · ref %s · will not be sent after %s", ServerName(r), r.Ref.Short(), instant(r.NotAfter))))
	}
	return message(lines...)
}

// mostListed is how many requests under way are listed.
const mostListed = 20

// OrderCommand is what somebody types for an order about filing.
func OrderCommand(order cancellation.Freeze) string {
	if order.Frozen {
		return FreezeCommand
	}
	return UnfreezeCommand
}

// OrderFailed says why an order about filing changed nothing; it is empty where the order was
// carried out. users and groups are those whom the policy lets freeze.
func (w Writer) OrderFailed(click cancellation.FreezeClick, err error, order cancellation.Freeze, users, groups []string) Message {
	word := OrderCommand(order)
	switch {
	case errors.Is(err, cancellation.ErrWhyMissing):
		return message(nothingChanged(plain(" Say why: type " + w.Command + " " + word + " WHY.")))
	case errors.Is(err, cancellation.ErrPeopleUnread):
		return message(nothingChanged(plain(" " + w.whoUnread(err, "Slack did not say in time who you are and which groups you are in. Try again, or ask "+w.contact()+" to run bot "+word+"."))))
	case err != nil:
		return message(line{bold("We cannot tell whether that was recorded."), plain(" Try again, or ask " + w.contact() + " to run bot " + word + ".")})
	case click.Kind == cancellation.ClickRefused:
		return message(w.orderRefused(click, users, groups), sentence("Rule "+displayed(click.Decision.Rule)))
	case click.Kind == cancellation.ClickRepeated:
		return message(nothingChanged(plain(" This order was carried out before.")), orderStands(click.Stands))
	case click.Kind == cancellation.ClickLate:
		return message(nothingChanged(plain(" The freeze that this button ends is already over.")), orderStands(click.Stands))
	}
	return Message{}
}

// orderRefused says why a rule refused an order about filing.
func (w Writer) orderRefused(click cancellation.FreezeClick, users, groups []string) line {
	if click.Decision.Rule == cancellation.RuleOperatorsFreeze {
		return nothingChanged(plain(" Filing has been frozen since " + instant(click.Stands.At) + " by " + operatorWords(click.Stands.Actor) +
			", and only bot unfreeze ends that: " + ended(displayed(click.Stands.Why)) + w.choose("", " Ask %s.")))
	}
	refused := nothingChanged(plain(" " + capital(ended(displayed(w.Decision(click.Decision))))))
	if click.Decision.Rule == authz.RuleDefaultDeny {
		refused = append(refused, w.whomToAsk(users, groups)...)
	}
	return refused
}

// orderStands says whether filing is frozen now.
func orderStands(stands cancellation.Freeze) line {
	if stands.Frozen {
		return frozenBy(stands, displayed)
	}
	return sentence("Filing is not frozen.")
}

// mostAsked is how many groups or people are mentioned as those who can do something.
const mostAsked = 3

// whomToAsk mentions who may freeze filing, for somebody whom no rule lets.
func (w Writer) whomToAsk(users, groups []string) line {
	var able line
	for _, id := range groups {
		able = append(able, run{group: id})
	}
	for _, id := range users {
		_, user, _ := strings.Cut(id, "/")
		able = append(able, person(user, ""))
	}
	if len(able) == 0 {
		return line{plain(" Ask " + w.contact() + ".")}
	}
	ask := line{plain(" Ask ")}
	for i, one := range able[:min(len(able), mostAsked)] {
		if i > 0 {
			ask = append(ask, plain(" or "))
		}
		ask = append(ask, one)
	}
	return append(ask, plain("."))
}

// frozenBy says that filing is frozen, by whom, since when and why; foreign makes text that a
// person typed fit to be displayed.
func frozenBy(stands cancellation.Freeze, foreign func(string) string) line {
	l := append(line{bold("Filing is frozen"), plain(" by ")}, actor(stands.Actor)...)
	return append(l, plain(" since "+instant(stands.At)+": "+ended(foreign(stands.Why))))
}

// actor is who did something, as the history names them.
func actor(id string) line {
	if strings.HasPrefix(id, cancellation.OperatorPrefix) {
		return line{plain(operatorWords(id))}
	}
	if _, user, _ := strings.Cut(id, "/"); userID.MatchString(user) {
		return line{person(user, "")}
	}
	return line{plain(displayed(id))}
}

// operatorWords names somebody who runs this bot, or the bot itself.
func operatorWords(actor string) string {
	if actor == cancellation.RestoreActor {
		return "the bot itself"
	}
	return displayed(strings.TrimPrefix(actor, cancellation.OperatorPrefix)) + ", who runs this bot"
}

// userID is the id of a Slack user, of which alone a mention can be made.
var userID = regexp.MustCompile(`^[UW][A-Z0-9]+$`)

// IsUser reports whether an id is that of a Slack user.
func IsUser(id string) bool { return userID.MatchString(id) }

// Ordered announces an order about filing: who gave it, where and why. ends is where the freeze that it
// ends was announced.
func (w Writer) Ordered(order cancellation.Freeze, ends cancellation.Posted) Message {
	by := append(line{}, actor(order.Actor)...)
	where := append(line{plain("Ordered ")}, w.orderedIn(order)...)
	where = append(where, plain(" on "+instant(order.At)+"."))
	said := []line{sentence("“" + public(order.Why) + "”"), where}
	if order.Actor == cancellation.RestoreActor { // nobody ordered it anywhere, and its why says when the copy was made
		said = said[:1]
	}
	if order.Frozen {
		lift := w.command() + " " + UnfreezeCommand + " WHY lets filing go on."
		if order.ByOperator() {
			lift = "Only bot unfreeze lets filing go on."
		}
		top := append(line{bold("🧊 Filing is frozen"), plain(" by ")}, append(by, plain("."))...)
		rest := sentence("No request is sent from now on; what people ask for waits. " + lift)
		return message(slices.Concat([]line{top}, said, []line{rest})...)
	}
	top := append(line{bold("▶️ Filing goes on"), plain(": ")}, by...)
	if order.ByOperator() {
		top = append(top, plain(","))
	}
	top = append(top, plain(" ended "), w.linked(ends, "the freeze"), plain("."))
	rest := sentence("Waiting requests are filed within half a minute, after all checks.")
	return message(slices.Concat([]line{top}, said, []line{rest})...)
}

// orderedIn says where an order was given, with a link to the channel.
func (w Writer) orderedIn(order cancellation.Freeze) line {
	place := order.Place
	switch {
	case place.Channel == "":
		return line{plain("on the command line")}
	case IsDirect(place.Channel):
		return line{plain("in a direct message")}
	}
	named := "#" + displayed(place.ChannelName)
	if place.ChannelName == "" || place.ChannelName == "privategroup" {
		named = "a private channel"
	}
	if w.Workspace == "" {
		return line{plain("in " + named)}
	}
	return line{plain("in "), labelled(strings.TrimSuffix(w.Workspace, "/")+"/archives/"+place.Channel, named)}
}

func (w Writer) command() string {
	if w.Command == "" {
		return "/cancel-server"
	}
	return w.Command
}
