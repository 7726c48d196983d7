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

// UserGroups is docs.slack.dev/reference/methods/usergroups.list: one call for the members
// of all groups, by the group's id. A group that is switched off is not in it. Where Slack
// lists a group without its members they are nil; a group without members has an empty list
// (docs.slack.dev/reference/objects/usergroup-object).
func (w *Client) UserGroups(ctx context.Context) (members map[string][]string, err error) {
	err = w.limits.call("usergroups.list", "", func() error {
		groups, err := w.patient.GetUserGroupsContext(ctx, slack.GetUserGroupsOptionIncludeUsers(true))
		members = make(map[string][]string, len(groups))
		for _, g := range groups {
			members[g.ID] = g.Users
		}
		return err
	})
	return members, err
}
