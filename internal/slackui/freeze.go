package slackui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"cancel-server/internal/cancellation"
)

// The two commands that are no server's name.
const (
	freezeWord   = "freeze"
	unfreezeWord = "unfreeze"
)

// freezeOrder reads "freeze WHY" and "unfreeze WHY".
func freezeOrder(query string) (frozen bool, why string, is bool) {
	word, why, _ := strings.Cut(query, " ")
	switch strings.ToLower(word) {
	case freezeWord:
		return true, strings.TrimSpace(why), true
	case unfreezeWord:
		return false, strings.TrimSpace(why), true
	}
	return false, "", false
}

// freeze stops all filing, or lets it go on, for whoever could approve on some server.
// The order is on disk before it is answered.
func (a *App) freeze(ctx context.Context, c Command, frozen bool, why string) Reply {
	by := cancellation.Person{Team: cmp.Or(c.Enterprise, c.Team), ID: c.User, Name: cut(oneLine(c.UserName), 100)}
	order := cancellation.Freeze{Frozen: frozen, Why: cut(oneLine(why), maxWhy)}
	click, underWay, err := a.desk.FreezeByClick(ctx, by, a.policy.MayApproveAtAll, order)
	switch {
	case errors.Is(err, cancellation.ErrWhyMissing):
		return ephemeral(line{bold("Nothing was frozen."), plain(" Say why: " + a.commandName + " freeze WHY")})
	case errors.Is(err, cancellation.ErrPeopleUnread):
		return ephemeral(line{bold("Nothing was changed."), plain(" Slack did not say in time who you are: type it again, or run bot freeze.")})
	case err != nil:
		a.log.Error("ordering a freeze", "user", c.User, "err", err)
		return ephemeral(line{bold("It is not known whether that was recorded."), plain(" Type it again, or run bot freeze.")})
	case click.Kind == cancellation.ClickRefused:
		return ephemeral(line{bold("Nothing was changed."), plain(" " + ended(shown(click.Decision.Reason)) + " Rule " + shown(click.Decision.Rule))})
	}
	a.log.Warn("an order about filing", "frozen", frozen, "by", by.Team+"/"+by.ID, "why", order.Why)
	return ephemeral(frozenWords(frozen, underWay, a.commandName)...)
}

// mostListed is how many requests under way are named.
const mostListed = 20

func frozenWords(frozen bool, underWay []cancellation.Request, command string) []line {
	if !frozen {
		return []line{{bold("Filing goes on."), plain(" What waited is filed within half a minute, with every check.")}}
	}
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
