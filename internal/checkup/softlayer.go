package checkup

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
)

func (r *round) softLayerKey(context.Context) []Finding {
	if r.account == nil {
		return []Finding{skip("SoftLayer key: not tried, because a setting of SoftLayer's is wrong.")}
	}
	account, err := r.account()
	switch {
	case errors.Is(err, cancellation.ErrKeyRefused):
		return []Finding{fail("Copy SOFTLAYER_API_KEY again, and check that SOFTLAYER_USERNAME goes with it: apikey for an IBM Cloud API key.", "SoftLayer key: SOFTLAYER_API_KEY was refused.")}
	case err != nil:
		return []Finding{unreachable("SoftLayer key", "SoftLayer", err)}
	}
	return []Finding{ok("SoftLayer key: SOFTLAYER_API_KEY is one of account %s, %s.", account.ID, account.Name)}
}

// right is a right of the SoftLayer key's user.
type right struct {
	name  string
	level Level
	cost  string // what does not work without it
}

// keyRights are the rights that the bot uses.
var keyRights = []right{
	{"SERVER_CANCEL", Fail, "nothing can be filed"},
	{"TICKET_ADD", Fail, "nothing can be filed"},
	{"TICKET_VIEW", Fail, "a lost answer is never settled, so that such requests need a person"},
	{"HARDWARE_VIEW", Fail, "it sees no server"},
	{"TICKET_EDIT", Warn, "no replies and no requests to stop"},
	{"ACCOUNT_SUMMARY_VIEW", Warn, "costs and end dates are not visible"},
	{"NAS_MANAGE", Warn, "volumes that stay billed are not named"},
}

func (r *round) rights(ctx context.Context) []Finding {
	if r.key == nil {
		return []Finding{skip("Rights: cannot tell without a SoftLayer key.")}
	}
	key, err := r.key()
	switch {
	case errors.Is(err, cancellation.ErrReadRefused):
		return []Finding{skip("Rights: this key may not read its own rights.")}
	case err != nil:
		return []Finding{skip("Rights: cannot tell, because SoftLayer did not answer.")}
	case key.Master:
		return []Finding{warn("Make a user of its own for the bot, with only the rights that docs/operate.md names.", "Rights: the key is a master user's, and may do everything.")}
	}
	var all []Finding
	var has []string
	for _, right := range keyRights {
		if slices.Contains(key.Rights, right.name) {
			has = append(has, right.name)
			continue
		}
		all = append(all, Finding{
			Level: right.level, Found: "The SoftLayer key lacks " + right.name + ": " + right.cost + ".",
			Do: "Give the SoftLayer key's user " + right.name + " in IBM Cloud (Access, Classic infrastructure).",
		})
	}
	if len(has) > 0 {
		all = append(all, ok("Rights: the key has %s.", strings.Join(has, ", ")))
	}
	return append(all, r.sight(ctx, key))
}

// sight says whether the key sees all servers or some.
func (r *round) sight(ctx context.Context, key Key) Finding {
	switch {
	case !slices.Contains(key.Rights, "HARDWARE_VIEW"):
		return skip("Servers: the key sees none without HARDWARE_VIEW.")
	case key.AllHardware:
		return ok("Servers: the key sees all.")
	}
	const do = "Give the SoftLayer key's user ACCESS_ALL_HARDWARE, or leave it if only these may be cancelled here."
	_, total, err := r.SoftLayer.Servers(ctx, 0, 1)
	if err != nil {
		return warn(do, "Servers: the key sees only some. One that is gone looks like one that is hidden, so such requests stay filed.")
	}
	return warn(do, "Servers: the key sees only some, %d. One that is gone looks like one that is hidden, so such requests stay filed.", total)
}

// cutoff asks for the deadline of cancellations, on which every end date depends.
func (r *round) cutoff(ctx context.Context) []Finding {
	if r.account == nil {
		return []Finding{skip("Cut-off: cannot tell without a SoftLayer key.")}
	}
	account, err := r.account()
	if err != nil {
		return []Finding{skip("Cut-off: cannot tell without the account.")}
	}
	text, err := r.SoftLayer.Cutoff(ctx, account.ID)
	switch {
	case errors.Is(err, cancellation.ErrReadRefused):
		return []Finding{warn("Give the SoftLayer key's user ACCOUNT_SUMMARY_VIEW.", "Cut-off: the key may not ask for it, so that messages name both dates on which a server may go.")}
	case err != nil:
		return []Finding{warn("Run the checks again later.", "Cut-off: SoftLayer did not name it, so that messages name both dates on which a server may go: %v.", because(err))}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return []Finding{warn("Run the checks again later.", "Cut-off: SoftLayer's answer is no time.")}
	}
	return []Finding{ok("Cut-off: the next is %s.", at.Format("Mon 2 Jan 2006 15:04 -07:00"))}
}
