package webapi

import (
	"context"

	"github.com/slack-go/slack"
)

// User is docs.slack.dev/reference/methods/users.info.
func (w *Client) User(ctx context.Context, id string) (user *slack.User, err error) {
	err = w.limits.call("users.info", "", func() (err error) {
		user, err = w.patient.GetUserInfoContext(ctx, id)
		return err
	})
	return user, err
}

// UserGroup is what Slack says of a user group.
type UserGroup struct {
	Handle  string   // without its "@"
	Members []string // nil if Slack lists the group without them
}

// UserGroups is docs.slack.dev/reference/methods/usergroups.list: one call for all groups with their
// members, by the group's id. A group that is switched off is not in it. A group without members has an
// empty list (docs.slack.dev/reference/objects/usergroup-object).
func (w *Client) UserGroups(ctx context.Context) (all map[string]UserGroup, err error) {
	err = w.limits.call("usergroups.list", "", func() error {
		groups, err := w.patient.GetUserGroupsContext(ctx, slack.GetUserGroupsOptionIncludeUsers(true))
		all = make(map[string]UserGroup, len(groups))
		for _, g := range groups {
			all[g.ID] = UserGroup{g.Handle, g.Users}
		}
		return err
	})
	return all, err
}
