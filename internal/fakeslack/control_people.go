package fakeslack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// done is the answer of a route that has nothing else to say.
func done() response { return response{"ok": true} }

func getWorkspace(w *Workspace, r *http.Request) (any, error) {
	connected := w.connected(r.Context())
	w.mu.Lock()
	defer w.mu.Unlock()
	// Encoded under the lock: the lists change with the next request.
	return json.RawMessage(encode(response{
		"users": w.users, "groups": w.groups, "channels": w.channels,
		"teams": []response{{"id": w.identity.teamID, "name": teamName, "domain": teamDomain}, {"id": strangeTeam, "name": "Somebody else", "domain": "elsewhere"}},
		"cast":  w.cast, "connected": connected, "commands": w.opts.Commands, "manifest": w.opts.Manifest, "since": w.since,
	})), nil
}

type closing struct {
	User string `json:"user"`
	View string `json:"view"`
}

func (w *Workspace) closeModal(ctx context.Context, c closing) (Ack, error) {
	return w.CloseView(ctx, c.User, c.View)
}

// UserPatch changes a person; what is nil stays.
type UserPatch struct {
	Deleted           *bool   `json:"deleted"`
	IsBot             *bool   `json:"is_bot"`
	IsRestricted      *bool   `json:"is_restricted"`
	IsUltraRestricted *bool   `json:"is_ultra_restricted"`
	IsStranger        *bool   `json:"is_stranger"`
	TeamID            *string `json:"team_id"`
	EnterpriseID      *string `json:"enterprise_id"`
	EnterpriseUser    *string `json:"enterprise_user"` // the id in the whole organisation
	Name              *string `json:"name"`
	RealName          *string `json:"real_name"`
	DisplayName       *string `json:"display_name"`
	TZ                *string `json:"tz"` // such as America/Chicago
}

// ChannelPatch changes a channel; what is nil stays.
type ChannelPatch struct {
	IsArchived *bool    `json:"is_archived"`
	IsPrivate  *bool    `json:"is_private"`
	IsShared   *bool    `json:"is_ext_shared"` // with another company
	BotIn      *bool    `json:"bot_in"`
	Name       *string  `json:"name"`
	Members    []string `json:"members"`
}

// GroupPatch changes a user group: its members as a whole, or one by one.
type GroupPatch struct {
	Users    []string `json:"users"`
	Add      []string `json:"add"`
	Remove   []string `json:"remove"`
	Disabled *bool    `json:"disabled"`
	Editable *bool    `json:"editable"` // any member of the workspace may change it
}

// set overwrites a field if the patch names it.
func set[T any](field, patch *T) {
	if patch != nil {
		*field = *patch
	}
}

// PatchUser changes a person. It returns an error, and changes nothing, if there is no
// such person or time zone.
func (w *Workspace) PatchUser(id string, p UserPatch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.findUser(id)
	if u == nil {
		return unknownID("user", id)
	}
	if p.TZ != nil {
		if _, err := time.LoadLocation(*p.TZ); err != nil || *p.TZ == "" {
			return fmt.Errorf("changing user %s: %q is no time zone", id, *p.TZ)
		}
	}
	set(&u.TZ, p.TZ)
	set(&u.Deleted, p.Deleted)
	set(&u.IsBot, p.IsBot)
	set(&u.IsRestricted, p.IsRestricted)
	set(&u.IsUltraRestricted, p.IsUltraRestricted)
	set(&u.IsStranger, p.IsStranger)
	set(&u.TeamID, p.TeamID)
	set(&u.EnterpriseID, p.EnterpriseID)
	set(&u.EnterpriseUser, p.EnterpriseUser)
	set(&u.Name, p.Name)
	set(&u.RealName, p.RealName)
	set(&u.DisplayName, p.DisplayName)
	w.touch()
	return nil
}

// PatchChannel changes a channel.
func (w *Workspace) PatchChannel(id string, p ChannelPatch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.findChannel(id)
	if c == nil {
		return unknownID("channel", id)
	}
	set(&c.IsArchived, p.IsArchived)
	set(&c.IsPrivate, p.IsPrivate)
	set(&c.IsExtShared, p.IsShared)
	set(&c.BotIn, p.BotIn)
	set(&c.Name, p.Name)
	if p.Members != nil {
		c.Members = slices.Clone(p.Members)
	}
	w.touch()
	return nil
}

// PatchGroup changes a user group.
func (w *Workspace) PatchGroup(id string, p GroupPatch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := w.findGroup(id)
	if g == nil {
		return unknownID("group", id)
	}
	if p.Users != nil {
		g.Users = slices.Clone(p.Users)
	}
	members := slices.DeleteFunc(slices.Clone(g.Users), func(u string) bool {
		return slices.Contains(p.Remove, u) || slices.Contains(p.Add, u)
	})
	g.Users = append(members, p.Add...)
	set(&g.Disabled, p.Disabled)
	set(&g.Editable, p.Editable)
	w.touch()
	return nil
}

// SetScopes replaces the scopes of the bot token.
func (w *Workspace) SetScopes(scopes ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opts.Scopes = slices.Clone(scopes)
}

type userChange struct {
	ID    string    `json:"id"`
	Patch UserPatch `json:"patch"`
}

func (w *Workspace) patchUser(_ context.Context, in userChange) (user, error) {
	if err := w.PatchUser(in.ID, in.Patch); err != nil {
		return user{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return *w.findUser(in.ID), nil
}

type channelChange struct {
	ID    string       `json:"id"`
	Patch ChannelPatch `json:"patch"`
}

func (w *Workspace) patchChannel(_ context.Context, in channelChange) (channel, error) {
	if err := w.PatchChannel(in.ID, in.Patch); err != nil {
		return channel{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return *w.findChannel(in.ID), nil
}

type groupChange struct {
	ID string `json:"id"`
	GroupPatch
}

func (w *Workspace) patchGroup(_ context.Context, in groupChange) (group, error) {
	if err := w.PatchGroup(in.ID, in.GroupPatch); err != nil {
		return group{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return *w.findGroup(in.ID), nil
}

type tokenChange struct {
	Scopes []string `json:"scopes"`
	Revoke []string `json:"revoke"`
}

func (w *Workspace) patchToken(_ context.Context, in tokenChange) (response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if in.Scopes != nil {
		w.opts.Scopes = slices.Clone(in.Scopes)
	}
	w.opts.Scopes = slices.DeleteFunc(slices.Clone(w.opts.Scopes), func(s string) bool { return slices.Contains(in.Revoke, s) })
	return response{"scopes": w.opts.Scopes}, nil
}

// patchManifest replaces what the app has; what is not named it has not.
func (w *Workspace) patchManifest(_ context.Context, in Manifest) (Manifest, error) {
	w.SetManifest(in)
	w.mu.Lock()
	defer w.mu.Unlock()
	return *w.opts.Manifest, nil
}

type disturbance struct {
	Do   string `json:"do"`
	Only int    `json:"only"`
}

func (w *Workspace) disturb(_ context.Context, in disturbance) (response, error) {
	if in.Only != 0 {
		return done(), w.SocketAt(in.Only, in.Do)
	}
	return done(), w.Socket(in.Do)
}

type endpointChange struct {
	URL string `json:"url"`
}

func (w *Workspace) moveEndpoint(_ context.Context, in endpointChange) (response, error) {
	u, err := url.Parse(in.URL)
	if err != nil || u.Scheme != "http" || !isLoopback(u.Host) {
		return nil, errEndpoint
	}
	if w.opts.Transport == TransportSocket {
		return nil, errSocket
	}
	w.SetEndpoint(strings.TrimSuffix(in.URL, "/"))
	return done(), nil
}
