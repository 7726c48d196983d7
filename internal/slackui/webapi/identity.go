package webapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/slack-go/slack"
)

// Identity is who the bot is in Slack.
type Identity struct {
	Team       string   // id of the workspace it is installed in
	Enterprise string   // "" outside an Enterprise organisation
	Bot        string   // the bot's id, as its messages carry it
	URL        string   // of the workspace, such as https://acme.slack.com/
	Name       string   // the bot's name, without @
	Scopes     []string // of the token; nil if Slack does not name them
}

// AuthTest asks Slack who the token is: docs.slack.dev/reference/methods/auth.test. The scopes are in a
// header of the answer: docs.slack.dev/authentication/installing-with-oauth.
func (w *Client) AuthTest(ctx context.Context) (Identity, error) {
	answer, err := w.patient.AuthTestContext(ctx)
	if err != nil {
		err = callError("auth.test", err)
	}
	w.limits.called("auth.test", err)
	if err != nil {
		return Identity{}, err
	}
	return Identity{
		Team: answer.TeamID, Enterprise: answer.EnterpriseID, Bot: answer.BotID, URL: answer.URL, Name: answer.User,
		Scopes: scopesOf(answer.Header),
	}, nil
}

func scopesOf(answer http.Header) []string {
	var scopes []string
	for scope := range strings.SplitSeq(answer.Get("X-OAuth-Scopes"), ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// Group is a user group as far as the checks look at it: docs.slack.dev/reference/objects/usergroup-object.
type Group struct {
	ID      string   `json:"id"`
	Handle  string   `json:"handle"`
	Deleted int64    `json:"date_delete"` // not 0: it is switched off
	Users   []string `json:"users"`       // nil if Slack does not list them
	// Who may change it. Older answers have none of these.
	EditingRestricted *bool `json:"is_editing_restricted"`
	MembershipLocked  *bool `json:"is_membership_locked"`
	FromProvider      *bool `json:"is_idp_group"` // its members come from an identity provider
}

// AllGroups is docs.slack.dev/reference/methods/usergroups.list with the groups that are switched off.
// slack-go does not tell a false from a field that is not there.
func (w *Client) AllGroups(ctx context.Context) (groups []Group, err error) {
	err = w.limits.call("usergroups.list", "", func() error {
		var answer struct {
			slack.SlackResponse
			Groups []Group `json:"usergroups"`
		}
		err := w.post(ctx, "usergroups.list", url.Values{"include_users": {"true"}, "include_disabled": {"true"}}, &answer)
		if err == nil {
			err = answer.Err()
		}
		groups = answer.Groups
		return err
	})
	return groups, err
}

// post makes a call with a form and decodes its answer.
func (w *Client) post(ctx context.Context, method string, form url.Values, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, patientTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.apiURL+method, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.decode(r, answer)
}

// Conversation is what the checks read of a channel: docs.slack.dev/reference/objects/conversation-object.
type Conversation struct {
	Name     string
	Member   bool // the bot is in it
	Archived bool
	Shared   bool // with another company, or about to be
}

// Conversation is docs.slack.dev/reference/methods/conversations.info.
func (w *Client) Conversation(ctx context.Context, id string) (c Conversation, err error) {
	err = w.limits.call("conversations.info", "", func() error {
		found, err := w.patient.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: id})
		if err == nil {
			c = Conversation{
				Name: found.Name, Member: found.IsMember, Archived: found.IsArchived,
				Shared: found.IsExtShared || found.IsPendingExtShared,
			}
		}
		return err
	})
	return c, err
}
