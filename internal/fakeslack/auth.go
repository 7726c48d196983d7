package fakeslack

// authTest is https://docs.slack.dev/reference/methods/auth.test
func (w *Workspace) authTest(call) (answer, *apiError) {
	me := answer{
		"url": "https://" + teamDomain + ".slack.com/", "team": teamName, "user": botName, "team_id": w.identity.teamID,
		"user_id": w.cast.BotUser, "bot_id": w.identity.botID, "app_id": w.identity.appID, "is_enterprise_install": false,
	}
	if w.identity.enterpriseID != "" {
		me["enterprise_id"] = w.identity.enterpriseID
	}
	return me, nil
}
