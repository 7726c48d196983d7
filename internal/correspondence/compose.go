package correspondence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"cancel-server/internal/cancellation"
)

// MaxEntry is how many characters of a text SoftLayer keeps in one update; more make another one.
// Every text that is sent is shorter.
// https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/addUpdate/
const MaxEntry = 3900

// idOf is the id of a text: the same form that is sent again has the same one.
func idOf(installation string, kind Kind, press cancellation.Press) string {
	values, _ := json.Marshal([]string{"ticket update", installation, string(kind), press.Request, press.By.Team, press.By.ID, press.Key}) // strings
	sum := sha256.Sum256(values)
	return hex.EncodeToString(sum[:])
}

// referenceOf derives a text's reference from its id, with the installation's key.
func referenceOf(key []byte, id string) cancellation.Reference {
	return cancellation.ReferenceOf(key, "ticket update\n"+id)
}

// marker finds the line by which an update of a ticket is found again. No request's marker looks like it.
var marker = regexp.MustCompile(`\[cancel-server update [0-9A-Z]{4}-[0-9A-Z]{4} ([0-9A-Z]{26})\]`)

func markerOf(ref cancellation.Reference) string {
	return fmt.Sprintf("[cancel-server update %s %s]", ref.Short(), string(ref))
}

// Carries reports whether an update of a ticket is this text: whether it has all 128 bits of its reference.
func (u Update) Carries(entry string) bool {
	for _, found := range marker.FindAllStringSubmatch(entry, -1) {
		if found[1] == string(u.Ref) {
			return true
		}
	}
	return false
}

// Compose returns what is sent for a person's text: a first line that nobody can edit, the reference,
// and who wrote it. It has at most MaxEntry characters.
func Compose(u Update, r cancellation.Request) string {
	server := r.Submission.Card.Server
	about := fmt.Sprintf("%s (id %d)", cancellation.InTicket(server.FQDN, 255), server.ID)
	first, text := "This reply is about server "+about+" only; please act on no other server or date because of it.", cancellation.TextInTicket(u.Text)
	if u.Kind == Stop {
		first = "This is about server " + about + " only; please act on no other server or date because of it."
		text = "Please stop the cancellation of this server: it is to stay. Please answer here whether you could.\n\nReason: " + text
	}
	by := fmt.Sprintf("Written by %s (Slack user %s of %s).", cancellation.InTicket(u.By.Name, 100), u.By.ID, u.By.Team)
	return strings.Join([]string{first, markerOf(u.Ref), "", text, "", by}, "\n")
}
