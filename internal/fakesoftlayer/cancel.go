package fakesoftlayer

import (
	"fmt"
	"slices"
	"strings"
)

// cancelPage is the vendor's page about createCancelServerTicket.
const cancelPage = "https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/createCancelServerTicket/"

// cancelReasons are the ten of cancelPage: "could be from the list below".
func cancelReasons() []string {
	return []string{
		"No longer needed", "Business closing down", "Server / Upgrade Costs", "Migrating to larger server",
		"Migrating to smaller server", "Migrating to a different SoftLayer datacenter",
		"Network performance / latency", "Support response / timing", "Sales process / upgrades",
		"Moving to competitor",
	}
}

// cancellation are the five positional parameters.
type cancellation struct {
	server          int64
	reason, content string
	associated      bool
}

// createCancelServerTicket is documented at cancelPage. The order of its checks
// is unproven: the permission first, then the parameters, the server, and a
// ticket that stands. A server that is pending, has no billing item or runs a
// transaction gets its ticket: the vendor documents no error for these.
func (a *Account) createCancelServerTicket(q *request) (any, error) {
	if !a.key.may(serverCancel) || !a.key.may(ticketAdd) {
		return nil, errPermission()
	}
	c, err := readCancellation(q)
	if err != nil {
		return nil, err
	}
	s, err := a.visibleServer(c.server)
	if err != nil {
		return nil, err
	}
	if standing := a.blocking(s); standing != 0 {
		return nil, errDuplicate(standing)
	}
	t, err := a.writeCancellation(s, c.entry(), a.key.user(), c.associated)
	if err != nil {
		return nil, err
	}
	return t.tree, nil
}

// entry is the ticket's first update.
func (c cancellation) entry() string {
	associated := "No"
	if c.associated {
		associated = "Yes"
	}
	return fmt.Sprintf("Reason: %s\nCancel associated items: %s\n\n%s", c.reason, associated, c.content)
}

func readCancellation(q *request) (cancellation, error) {
	c := cancellation{server: number(q.argument(0)), reason: q.argument(1), content: q.argument(2)}
	if len(q.arguments) != 5 {
		q.brokeRule(fmt.Sprintf("createCancelServerTicket has five positional parameters, not %d", len(q.arguments)), cancelPage)
	}
	switch {
	case c.server <= 0:
		return c, errNoAttachment()
	case strings.TrimSpace(c.reason) == "":
		return c, errNoReason()
	case strings.TrimSpace(c.content) == "":
		return c, errNoContent()
	}
	if !slices.Contains(cancelReasons(), c.reason) {
		q.brokeRule(fmt.Sprintf("the reason is one of ten, not %q", c.reason), cancelPage)
	}
	if kind := q.argument(4); kind != "HARDWARE" && len(q.arguments) > 4 {
		q.brokeRule(fmt.Sprintf("attachmentType is HARDWARE, not %q", kind), cancelPage)
		return c, exception("SoftLayer_Exception_InvalidValue", "Invalid attachment type.")
	}
	c.associated = readFlag(q, 3, "cancelAssociatedItems")
	return c, nil
}

// readFlag reads a boolean, which may have come as text.
func readFlag(q *request, at int, name string) bool {
	switch text := q.argument(at); text {
	case "true", "1":
		return true
	case "false":
		if at < len(q.arguments) && q.arguments[at] == "false" {
			q.brokeRule(`a boolean is not the text "false": whether that counts as false is unproven`,
				"https://sldn.softlayer.com/article/rest/")
		}
	case "0", "":
	default:
		q.brokeRule(fmt.Sprintf("%s is a boolean, not %q", name, text), "https://sldn.softlayer.com/article/rest/")
	}
	return false
}
