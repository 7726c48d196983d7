package slackui

import "github.com/slack-go/slack"

// help tells the asker alone what the command does.
func (a *App) help() Reply {
	name := a.commandName
	return ephemeral(
		line{bold("Ask SoftLayer to cancel a bare-metal server")},
		line{bold(name), plain(" opens a form: choose the server, read its card, say why, type its name.")},
		line{bold(name + " NAME"), plain(", or an id or an IP address, opens it with that server chosen.")},
		line{bold(name + " freeze WHY"), plain(" stops all filing, and "), bold(name + " unfreeze WHY"), plain(" lets it go on: for anyone who may approve.")},
		line{bold(name + " help"), plain(" shows this to you alone.")},
		line{bold("Cancel this server…"), plain(" in a message's menu looks for servers in that message, and answers in its thread. In Slack's own menu of shortcuts it opens the form anywhere, and answers you alone.")},
		words("Nothing is filed before you press the button in the form. The result, with the ticket, comes to the channel where you typed."),
		words("A server is not gone at once: it runs until its next bill date, or the one after if SoftLayer's cut-off has passed, and then its drives are wiped. To stop it, update the ticket in time."),
	)
}

// ephemeral is an answer to a command that only the asker sees.
func ephemeral(lines ...line) Reply { return ephemeralWith(nil, lines...) }

// ephemeralWith is ephemeral with buttons under it; nil for none.
func ephemeralWith(buttons *slack.ActionBlock, lines ...line) Reply {
	blocks := []slack.Block{block("", lines...)}
	if buttons != nil {
		blocks = append(blocks, buttons)
	}
	return reply(struct {
		Type   string        `json:"response_type"`
		Text   string        `json:"text"`
		Blocks []slack.Block `json:"blocks"`
	}{"ephemeral", flat(lines...), blocks})
}
