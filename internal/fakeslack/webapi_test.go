package fakeslack_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cancel-server/internal/fakeslack"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSlackGoReadsEveryMethod(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{Scopes: append(fakeslack.DefaultScopes(), "channels:history")})
	c, cast := s.client(), s.Cast()

	me, err := c.AuthTest()
	require.NoError(t, err)
	assert.Equal(t, s.TeamID(), me.TeamID)
	assert.Equal(t, cast.BotUser, me.UserID)

	guest, err := c.GetUserInfo(cast.Guest)
	require.NoError(t, err)
	assert.True(t, guest.IsRestricted)
	stranger, err := c.GetUserInfo(cast.Stranger)
	require.NoError(t, err)
	assert.True(t, stranger.IsStranger)
	assert.NotEqual(t, s.TeamID(), stranger.TeamID)
	_, err = c.GetUserInfo("U0NOBODY")
	require.ErrorContains(t, err, "user_not_found")

	groups, err := c.GetUserGroups(slack.GetUserGroupsOptionIncludeUsers(true), slack.GetUserGroupsOptionIncludeCount(true))
	require.NoError(t, err)
	require.Len(t, groups, 3)
	assert.Contains(t, groups[0].Users, cast.Requester)
	assert.Len(t, groups[0].Users, groups[0].UserCount)
	groups, err = c.GetUserGroups()
	require.NoError(t, err)
	assert.Nil(t, groups[0].Users, "not asked for")
	assert.Zero(t, groups[0].UserCount, "not asked for")
	members, err := c.GetUserGroupMembers(cast.CancelGroup)
	require.NoError(t, err)
	assert.Contains(t, members, cast.User)

	channel, ts, err := c.PostMessage(cast.Channel, slack.MsgOptionText("filed", false),
		slack.MsgOptionBlocks(slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", "*filed*", false, false), nil, nil)),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "result", EventPayload: map[string]any{"ref": "7F3K-2QXD"}}),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl())
	require.NoError(t, err)
	assert.Equal(t, cast.Channel, channel)
	assert.Regexp(t, `^\d{10}\.\d{6}$`, ts)
	assert.False(t, s.messages(cast.Channel)[0].Unfurls)

	_, _, _, err = c.UpdateMessage(channel, ts, slack.MsgOptionText("gone", false))
	require.NoError(t, err)
	page, err := c.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: channel, IncludeAllMetadata: true})
	require.NoError(t, err)
	require.Len(t, page.Messages, 1)
	assert.Equal(t, "gone", page.Messages[0].Text)
	assert.Equal(t, "7F3K-2QXD", page.Messages[0].Metadata.EventPayload["ref"])

	direct, _, _, err := c.OpenConversation(&slack.OpenConversationParameters{Users: []string{cast.User}})
	require.NoError(t, err)
	_, _, err = c.PostMessage(direct.ID, slack.MsgOptionText("to you", false))
	require.NoError(t, err)
	assert.Equal(t, cast.User, s.messages(cast.User)[0].Channel, "a direct message's channel is the person")

	_, err = c.PostEphemeral(cast.Channel, cast.User, slack.MsgOptionText("only you", false))
	require.NoError(t, err)
	assert.Equal(t, cast.User, s.messages(cast.Channel)[1].To)
	assert.Empty(t, s.broken())
}

func TestTokensAndScopes(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	form := "application/x-www-form-urlencoded"
	for _, c := range []struct {
		says, method, contentType, authorization, body, want string
	}{
		{"a token in the form is taken", "auth.test", form, "", "token=" + s.BotToken(), ""},
		{"a token in the header is taken", "auth.test", form, "Bearer " + s.BotToken(), "", ""},
		{"a token in JSON is not", "auth.test", "application/json", "", `{"token":"` + s.BotToken() + `"}`, "not_authed"},
		{"no token", "auth.test", form, "", "", "not_authed"},
		{"a wrong token", "auth.test", form, "Bearer xoxb-wrong", "", "invalid_auth"},
		{"the app token on a bot method", "auth.test", form, "Bearer " + s.AppToken(), "", "not_allowed_token_type"},
		{"the bot token on a socket", "apps.connections.open", form, "Bearer " + s.BotToken(), "", "not_allowed_token_type"},
		{"history without its scope", "conversations.history", form, "Bearer " + s.BotToken(), "channel=" + s.Cast().Channel, "missing_scope"},
		{"a method that Slack does not have", "views.close", form, "Bearer " + s.BotToken(), "", "unknown_method"},
		{"JSON that is none", "views.open", "application/json", "Bearer " + s.BotToken(), "{", "invalid_json"},
		{"JSON that is no object", "views.open", "application/json", "Bearer " + s.BotToken(), "[]", "json_not_object"},
		{"a body of another kind", "views.open", "text/plain", "Bearer " + s.BotToken(), "x", "invalid_post_type"},
		{"JSON where only a form is read", "users.info", "application/json", "Bearer " + s.BotToken(), `{"user":"` + s.Cast().User + `"}`, "user_not_found"},
	} {
		got := s.send(c.method, c.contentType, c.authorization, c.body)
		assert.Equal(t, http.StatusOK, got.status, c.says)
		assert.Equal(t, c.want, got.Error, c.says)
		assert.Equal(t, c.want == "", got.OK, c.says)
	}
	got := s.form("conversations.history", url.Values{"token": {s.BotToken()}, "channel": {s.Cast().Channel}})
	assert.Equal(t, "channels:history", got.Needed)
	assert.Equal(t, strings.Join(fakeslack.DefaultScopes(), ","), got.header.Get("X-OAuth-Scopes"))
}

func TestReplacedTokensAreRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	says := func(method, token string) string {
		return s.send(method, "application/x-www-form-urlencoded", "Bearer "+token, "").Error
	}
	oldBot, oldApp := s.BotToken(), s.AppToken()
	s.RevokeBotToken()
	assert.Equal(t, "account_inactive", says("auth.test", oldBot))
	s.Reinstall()
	assert.Equal(t, "account_inactive", says("auth.test", oldBot))
	assert.Empty(t, says("auth.test", s.BotToken()))
	assert.Equal(t, "not_in_channel", s.call("chat.postMessage", map[string]any{"channel": s.Cast().Channel, "text": "x"}).Error, "it has to be invited again")

	s.AddAppToken()
	assert.Empty(t, says("apps.connections.open", oldApp))
	assert.Empty(t, says("apps.connections.open", s.AppToken()))
	s.RevokeOldAppTokens()
	assert.Equal(t, "invalid_auth", says("apps.connections.open", oldApp))
	assert.Empty(t, says("apps.connections.open", s.AppToken()))
}

func TestReadingTakesGETAndWritingDoesNot(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	get := func(method string) result {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/"+method+"?user="+s.Cast().User, http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+s.BotToken())
		response, err := s.http.Do(r)
		require.NoError(t, err)
		return s.read(response)
	}
	assert.True(t, get("users.info").OK)
	assert.Equal(t, http.StatusMethodNotAllowed, get("chat.postMessage").status)
}

func TestWhereTheBotMayPost(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	cast, yes := s.Cast(), true
	post := func(channel string) string {
		return s.call("chat.postMessage", map[string]any{"channel": channel, "text": "x"}).Error
	}
	assert.Equal(t, "", post(cast.Channel))
	assert.Equal(t, "", post(cast.User))
	assert.Equal(t, "not_in_channel", post(cast.OtherChannel))
	assert.Equal(t, "channel_not_found", post(cast.PrivateChannel))
	assert.Equal(t, "channel_not_found", post("C0NOWHERE"))
	assert.Equal(t, "channel_not_found", post(cast.Deactivated))
	assert.Equal(t, "no_text", s.call("chat.postMessage", map[string]any{"channel": cast.Channel}).Error)
	assert.Equal(t, "user_not_in_channel", s.call("chat.postEphemeral", map[string]any{"channel": cast.Channel, "user": cast.Deactivated, "text": "x"}).Error)

	s.SetScopes("chat:write", "chat:write.public")
	assert.Equal(t, "", post(cast.OtherChannel))
	require.NoError(t, s.PatchChannel(cast.Channel, fakeslack.ChannelPatch{IsArchived: &yes}))
	assert.Equal(t, "is_archived", post(cast.Channel))
}

func TestUpdatingAMessage(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	at := s.Cast().Channel
	section := map[string]any{"type": "section", "text": mrkdwn("before")}
	ts := s.call("chat.postMessage", map[string]any{"channel": at, "text": "before", "blocks": []any{section}}).TS
	update := func(args map[string]any) string {
		return s.call("chat.update", with(map[string]any{"channel": at, "ts": ts}, args)).Error
	}
	assert.Equal(t, "", update(map[string]any{"text": "kept blocks"}))
	assert.Len(t, s.messages(at)[0].Blocks, 1, "blocks that are not given stay")
	assert.Equal(t, "", update(map[string]any{"text": "no blocks", "blocks": []any{}}))
	assert.Empty(t, s.messages(at)[0].Blocks, "an empty array takes them away")
	assert.Equal(t, "msg_too_long", update(map[string]any{"text": strings.Repeat("x", 4001)}))
	assert.Equal(t, "message_not_found", update(map[string]any{"ts": "1.000001", "text": "x"}))
	assert.Equal(t, "no_text", update(nil))
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	post := func() result {
		return s.call("chat.postMessage", map[string]any{"channel": s.Cast().Channel, "text": "x"})
	}
	for range 10 {
		require.True(t, post().OK)
	}
	got := post()
	assert.Equal(t, http.StatusTooManyRequests, got.status)
	assert.Equal(t, "ratelimited", got.Error)
	assert.Equal(t, "1", got.header.Get("Retry-After"))
	assert.True(t, s.call("chat.postMessage", map[string]any{"channel": s.Cast().User, "text": "x"}).OK, "each channel has its own limit")

	_, _, err := s.client().PostMessage(s.Cast().Channel, slack.MsgOptionText("x", false))
	var limited *slack.RateLimitedError
	require.ErrorAs(t, err, &limited)
	assert.Equal(t, time.Second, limited.RetryAfter)

	s.Advance(2 * time.Second)
	assert.True(t, post().OK, "the limit follows the workspace's clock")
}

func TestMentionsAreSeenOnlyWhereSlackWouldNotify(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{RateLimitsOff: true})
	rich := func(element map[string]any) []any {
		return []any{map[string]any{"type": "rich_text", "elements": []any{map[string]any{"type": "rich_text_section", "elements": []any{element}}}}}
	}
	for _, c := range []struct {
		says   string
		text   string
		blocks []any
		want   []string
	}{
		{"an unescaped broadcast notifies", "<!channel> look", nil, []string{"channel"}},
		{"an escaped one does not", "&lt;!channel&gt; look", nil, nil},
		{"a bare @here does not", "@here", nil, nil},
		{"a user group does", "<!subteam^S0123|@leads>", nil, []string{"S0123"}},
		{"people do, also with W ids", "<@U12> <@W34>", nil, []string{"U12", "W34"}},
		{"mrkdwn in blocks does", "x", []any{map[string]any{"type": "section", "text": mrkdwn("<!here>")}}, []string{"here"}},
		{"plain_text does not", "x", []any{map[string]any{"type": "section", "text": plain("<!here>")}}, nil},
		{"text in rich text does not", "x", rich(map[string]any{"type": "text", "text": "<!here>"}), nil},
		{"a broadcast in rich text does", "x", rich(map[string]any{"type": "broadcast", "range": "channel"}), []string{"channel"}},
	} {
		got := s.call("chat.postMessage", map[string]any{"channel": s.Cast().Channel, "text": c.text, "blocks": c.blocks})
		require.True(t, got.OK, c.says)
		all := s.messages(s.Cast().Channel)
		assert.Equal(t, c.want, all[len(all)-1].Mentions, c.says)
	}
}

func TestNothingSecretIsObserved(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	c := s.client()
	_, _ = c.AuthTest()
	_, url, err := c.StartSocketModeContext(t.Context())
	require.NoError(t, err)
	trigger := s.trigger(b, s.Cast().User)
	reply, _ := b.requests()[0].payload["response_url"].(string)
	verification, _ := b.requests()[0].payload["token"].(string)
	require.NoError(t, slack.PostWebhookCustomHTTPContext(t.Context(), reply, s.http, &slack.WebhookMessage{Text: reply + s.BotToken()}))
	require.NotEmpty(t, trigger)
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Len(t, s.exchanges, 4)
	for _, x := range s.exchanges {
		for _, secret := range []string{s.BotToken(), s.AppToken(), s.SigningSecret(), verification, reply, url} {
			assert.NotContains(t, string(x.Request)+string(x.Response), secret, x.Method)
		}
	}
}

func TestAnEnterpriseIsToldOfEverywhere(t *testing.T) {
	t.Parallel()
	b := newBot(t, silent)
	s := newStage(t, fakeslack.Options{Endpoint: b.url, EnterpriseID: "E0ACME"})
	me, err := s.client().AuthTest()
	require.NoError(t, err)
	assert.Equal(t, "E0ACME", me.EnterpriseID)
	ana, err := s.client().GetUserInfo(s.Cast().User)
	require.NoError(t, err)
	assert.Equal(t, "E0ACME", ana.Enterprise.EnterpriseID)
	s.open(b, modal(textInput("a", "b")))
	assert.Equal(t, "E0ACME", b.requests()[0].payload["enterprise_id"])
}

func TestWithWhomADirectMessageOpens(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	cast := s.Cast()
	open := func(users string) string { return s.call("conversations.open", map[string]any{"users": users}).Error }
	assert.Equal(t, "", open(cast.Guest))
	assert.Equal(t, "user_not_found", open("U0NOBODY"))
	assert.Equal(t, "user_disabled", open(cast.Deactivated))
	assert.Equal(t, "cannot_dm_bot", open(cast.BotUser))
	assert.Equal(t, "invalid_arguments", open(cast.User+","+cast.Guest))
	assert.Equal(t, "invalid_arguments", open(""))
}

func TestHistoryNeedsItsScopeAndMembership(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{Scopes: []string{"channels:history", "chat:write"}})
	cast := s.Cast()
	read := func(channel string) result {
		return s.form("conversations.history", url.Values{"token": {s.BotToken()}, "channel": {channel}, "limit": {"1"}})
	}
	assert.True(t, read(cast.Channel).OK)
	assert.Equal(t, "not_in_channel", read(cast.OtherChannel).Error)
	assert.Equal(t, "channel_not_found", read(cast.PrivateChannel).Error)
	assert.Equal(t, "im:history", read(cast.User).Needed)
	in := true
	require.NoError(t, s.PatchChannel(cast.PrivateChannel, fakeslack.ChannelPatch{BotIn: &in}))
	assert.Equal(t, "groups:history", read(cast.PrivateChannel).Needed)
}
