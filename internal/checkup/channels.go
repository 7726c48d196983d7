package checkup

import (
	"context"
	"fmt"
	"slices"
)

// channels says whether the bot can post where it is to.
func (r *round) channels(ctx context.Context) []Finding {
	settings := map[string]string{}
	var ids []string
	for _, c := range r.Channels {
		switch {
		case c.ID == "":
		case settings[c.ID] != "":
			settings[c.ID] += " and " + c.Setting
		default:
			settings[c.ID], ids = c.Setting, append(ids, c.ID)
		}
	}
	if len(ids) == 0 {
		return []Finding{warn("Set REPORT_CHANNEL or NOTIFY_CHANNEL to a channel that the bot is in.",
			"Channels: neither REPORT_CHANNEL nor NOTIFY_CHANNEL is set, so what needs somebody is told in the request's thread and to five people who may approve.")}
	}
	var all []Finding
	for _, id := range ids {
		all = append(all, r.channel(ctx, settings[id], id)...)
	}
	return all
}

func (r *round) channel(ctx context.Context, setting, id string) []Finding {
	if r.Slack == nil {
		return []Finding{skip("%s: cannot tell without SLACK_BOT_TOKEN.", setting)}
	}
	self, _ := r.self() // what is not known is not said
	invite := "invite the bot to it with /invite @" + self.Name + "."
	c, err := r.Slack.Conversation(ctx, id)
	switch code := codeOf(err); {
	case code == "missing_scope":
		return []Finding{skip("%s: cannot tell whether the bot is a member without channels:read, and groups:read for private channels.", setting)}
	case code == "channel_not_found" && slices.Contains(self.Scopes, "groups:read"):
		return []Finding{fail("Copy the id of "+setting+" again, or "+invite, "%s: there is no channel %s, or it is private and the bot is not in it.", setting, id)}
	case code == "channel_not_found":
		return []Finding{warn("Copy the id of "+setting+" again, or add the scope groups:read if the channel is private.", "%s: there is no channel %s, or it is private: nobody can tell without groups:read.", setting, id)}
	case err != nil:
		return []Finding{skip("%s: cannot tell, because Slack did not answer: %v.", setting, because(err))}
	}
	return judged(setting, fmt.Sprintf("#%s (%s)", c.Name, id), "Invite the bot to #"+c.Name+" with /invite @"+self.Name+".", c)
}

func judged(setting, name, invite string, c Conversation) []Finding {
	var all []Finding
	if c.Archived {
		return []Finding{fail("Name another channel in "+setting+", or restore it in Slack.", "%s: %s is archived, so nothing can be posted there.", setting, name)}
	}
	if !c.Member {
		all = append(all, fail(invite, "%s: the bot is not in %s, so nothing can be posted there.", setting, name))
	}
	if c.Elsewhere {
		all = append(all, warn("Name a channel of your own company alone in "+setting+".", "%s: %s is shared with another company, whose people read what is posted there.", setting, name))
	}
	if len(all) == 0 {
		return []Finding{ok("%s: the bot is in %s.", setting, name)}
	}
	return all
}
