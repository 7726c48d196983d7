package main

import (
	"fmt"
	"io"
)

func printUsage(w io.Writer) { fmt.Fprint(w, usage) }

const usage = `sandbox runs the bot against a pretend Slack workspace and a pretend SoftLayer
account, all on loopback. No account anywhere is needed, and nothing is sent out.

  go run ./cmd/sandbox [--transport socket|http] [--servers N] [--seed S]
                       [--listen 127.0.0.1:0] [demo | -- COMMAND…]

Without arguments it builds ./cmd/bot from this checkout and runs it. Open the
printed URL and type /cancel-server.

  demo             do the main job without a browser and print each step; the exit
                   code is 0 only if the message with the ticket's link arrived
  -- COMMAND…      run this program instead of the bot, such as
                   go run ./cmd/sandbox -- ./mybot

  --transport T    how Slack reaches the bot: socket (Socket Mode) or http
                   (signed requests); default socket
  --servers N      servers in the account; default 200
  --seed S         the same seed makes the same workspace and account, with the
                   same names, ids and tokens; default 1
  --listen ADDR    a loopback address for the pages, both APIs and the control
                   calls; default 127.0.0.1:0, a free port
  -h               this text

The first line of output is "sandbox: URL". Under it are
  /                the Slack workspace, for people
  /softlayer/      the SoftLayer account and its tickets, for people; on a ticket's
                   page they can also be SoftLayer's staff
  /control/        the control API, for programs; GET it for the list of its
                   calls and faults. Changes are POSTed as application/json.
  /slack/api/      the imitation of Slack's Web API
  /softlayer/rest/v3.1/
                   the imitation of SoftLayer's REST API

The child gets the sandbox's environment without any settings of the bot. The
sandbox sets these instead:
  SLACK_BOT_TOKEN, SLACK_API_URL, with socket SLACK_APP_TOKEN, with http
  SLACK_SIGNING_SECRET and LISTEN_ADDR, SOFTLAYER_USERNAME, SOFTLAYER_API_KEY,
  SOFTLAYER_ENDPOINT_URL, TICKET_URL, POLICY_FILE, DATABASE_URL, ADMIN_ADDR, FOLLOW_EVERY,
  and LOG_FORMAT=text where the output is a terminal
and these, to play with:
  SANDBOX_URL        the printed URL
  SANDBOX_CHANNEL    a public channel that the bot is in
  SANDBOX_USER       may cancel without approval
  SANDBOX_REQUESTER  may only ask
  SANDBOX_APPROVER   may approve what others ask
  SANDBOX_GUEST      a guest of the workspace
  SANDBOX_SERVER     the id of a server that can be cancelled

A typed command waits until the bot can be reached, for at most 60 s, unless the bot
has ended. On SIGINT or SIGTERM the child gets SIGTERM, and after 10 s its process group
is killed. On Linux the child also ends when the sandbox is killed.

The page kills, stops and starts the bot, and so does POST /control/bot
{"do":"kill"}. The sandbox goes on without the bot. When the child ends by itself,
the sandbox ends with the child's exit code, or 128+n if signal n ended the child. It
goes on only
  - if the child was the bot of this checkout and could be reached before,
  - if it was a COMMAND that a signal ended and that could be reached before,
  - after any POST /control/bot.
The page then says how the bot ended.
`
