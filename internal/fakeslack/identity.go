package fakeslack

import (
	"math/rand/v2"
	"strings"
)

// identity is what makes this workspace and its app themselves.
type identity struct {
	teamID, enterpriseID, appID, botID       string
	botToken, appToken, secret, verification string
}

const (
	teamDomain     = "acme-sandbox"
	enterpriseName = "Acme Group"
	teamName       = "Acme (sandbox)"
	botName        = "cancel-server"
	strangeTeam    = "T0STRANGER"
)

func newIdentity(r *rand.Rand) identity {
	return identity{
		teamID:       "T" + letters(r, 10),
		appID:        "A" + letters(r, 10),
		botID:        "B" + letters(r, 10),
		botToken:     "xoxb-fake-" + strings.ToLower(letters(r, 24)),
		appToken:     "xapp-fake-1-" + strings.ToLower(letters(r, 24)),
		secret:       "fakesecret" + strings.ToLower(letters(r, 22)),
		verification: "fakeverification" + strings.ToLower(letters(r, 8)),
	}
}

// letters returns n of the capitals and digits that Slack's ids are made of.
func letters(r *rand.Rand, n int) string {
	const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
	id := make([]byte, n)
	for i := range id {
		id[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(id)
}

// enterprise is the enterprise as payloads show it, null where there is none.
func (id identity) enterprise() any {
	if id.enterpriseID == "" {
		return nil
	}
	return answer{"id": id.enterpriseID, "name": enterpriseName}
}

// BotToken returns the token of the Web API, xoxb-fake-….
func (w *Workspace) BotToken() string { return w.identity.botToken }

// AppToken returns the token that opens Socket Mode connections, xapp-fake-….
func (w *Workspace) AppToken() string { return w.identity.appToken }

// SigningSecret returns the key of the signatures on HTTP deliveries.
func (w *Workspace) SigningSecret() string { return w.identity.secret }

// TeamID returns the id of this workspace.
func (w *Workspace) TeamID() string { return w.identity.teamID }

// AppID returns the id of the app that the bot is.
func (w *Workspace) AppID() string { return w.identity.appID }
