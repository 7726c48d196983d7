package words

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// cardBlocks is the server as the person reads it before asking, or what stops them. refused is why
// they may not ask for it, nil if they may; reading says that what stays billed is being read. Block ids carry the server's id, so that another choice
// resets the fields that belong to it.
func (w Writer) cardBlocks(c cancellation.Card, refused *authz.Decision, reading bool) []slack.Block {
	id := "card:" + strconv.FormatInt(c.Server.ID, 10)
	lines := facts(c)
	if refused != nil {
		lines = append(lines, w.refusedOnCard(*refused)...)
	}
	if blockers := c.Blockers(); len(blockers) > 0 {
		for _, b := range blockers {
			if refused == nil && (b != cancellation.BlockedByTicket || !ourTicket(c)) { // else the request's line links it
				lines = append(lines, w.blockedLine(c, b))
			}
		}
		return []slack.Block{block(id+":blocked", lines...)}
	}
	if s := c.Standing; s != nil && s.State == cancellation.Pending {
		lines = append(lines, sentence(fmt.Sprintf("⏳ %s already asked; request %s is waiting for approval. If you can cancel without approval, asking here replaces that request. Otherwise nothing new is filed.", whose(s.By), s.Ref)))
	}
	lines = append(lines, consequences(c, "they stay, unless you tick below that they go too")...)
	if reading {
		lines = append(lines, sentence("What stays billed is still being read."))
	} else {
		lines = append(lines, staysLines(c.Stays)...)
	}
	return []slack.Block{block(id, lines...)}
}

// consequences say what ends when, and what becomes of associated items.
func consequences(c cancellation.Card, associated string) []line {
	return append(append(costLines(c), goesWithIt(c.Server)), associatedLines(c.Server, associated)...)
}

// askedLines are the card with what its requester asked for and confirmed on it.
func askedLines(s cancellation.Submission) []line {
	associated := "they stay"
	if s.Associated {
		associated = "they go too"
	}
	lines := facts(s.Card)
	if s.Card.Server.Billing != nil { // else it was refused, and nothing follows
		lines = append(append(lines, consequences(s.Card, associated)...), staysLines(s.Card.Stays)...)
	}
	for _, warning := range warnings(s.Card) {
		lines = append(lines, sentence("⚠ Confirmed: "+warningWords(s.Card.Server, warning)))
	}
	return lines
}

// facts identify the server, and name the facts about it that this key cannot see.
func facts(c cancellation.Card) []line {
	s := c.Server
	where := present(s.Datacenter, s.OS, prefixed("private ", s.PrivateIP), prefixed("public ", s.PublicIP))
	if s.Status != "" && s.Status != "ACTIVE" {
		where = append(where, "status "+displayed(s.Status))
	}
	tags := "tags " + unseen
	if s.TagsKnown {
		tags = "no tags"
		if len(s.Tags) > 0 {
			tags = "tags: " + displayed(strings.Join(s.Tags, " "))
		}
	}
	ordered := prefixed("ordered ", formatted(s.ProvisionDate, "2 Jan 2006"))
	lines := []line{
		{bold(displayed(s.FQDN)), plain(" · id " + strconv.FormatInt(s.ID, 10))},
		sentence(strings.Join(where, " · ")),
		sentence(strings.Join(append([]string{tags}, present(ordered)...), " · ")),
	}
	if names := hidden(c); len(names) > 0 {
		lines = append(lines, sentence(displayed(strings.Join(names, ", "))+": "+unseen))
	}
	return lines
}

// hidden names what the card would show and this key cannot see. Associated items and parts are
// left out, because they have lines of their own.
func hidden(c cancellation.Card) []string {
	names := slices.Concat(c.Server.Unread, c.Server.Hidden)
	if c.TicketsHidden && c.Server.OpenTicket == nil {
		names = append(names, "open cancellation ticket")
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return name == cancellation.FactParts || name == cancellation.FactAssociated
	})
}

// present keeps the texts that are not empty, fit to be displayed.
func present(texts ...string) []string {
	var kept []string
	for _, text := range texts {
		if text = displayed(text); text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// costLines say what the server costs, and when it goes.
func costLines(c cancellation.Card) []line {
	cost, _ := monthly(c.Server)
	first := line{bold(cost), plain(".")}
	b := c.Server.Billing
	end := c.End()
	if end.Date.IsZero() {
		return []line{first, sentence("Next bill date " + unseen + ".")}
	}
	next := calendar(b.NextBillDate)
	first = append(first, plain(" Next bill date "), bold(next), plain("."))
	if next != day(end.Date) {
		first = append(first, plain(" The cut-off for that date has passed."))
	}
	lines := append([]line{first}, goneLine(end)...)
	if end.Or.IsZero() {
		return lines
	}
	oneMore := "The later date costs one more month"
	if amount := aMonth(c.Server); amount != "" {
		oneMore += ": " + amount
	}
	return append(lines, sentence(oneMore+"."))
}

func goesWithIt(s cancellation.Server) line {
	drives := "its drives (wiped, not recoverable)"
	switch n := s.Billing.Drives; {
	case !s.Shows(cancellation.FactParts):
		drives = "its drives (wiped, not recoverable; how many is " + unseen + ")"
	case n == 1:
		drives = "1 drive (wiped, not recoverable)"
	case n > 1:
		drives = fmt.Sprintf("%d drives (wiped, not recoverable)", n)
	}
	return line{bold("Goes with it:"), plain(" " + drives + ", its primary IP addresses.")}
}

// maxItems is how many associated items a card lists; the others are summed up.
const maxItems = 10

// associatedLines list the associated items one by one, after what becomes of them.
func associatedLines(s cancellation.Server, fate string) []line {
	if !s.Shows(cancellation.FactAssociated) {
		return []line{{bold("Associated items:"), plain(" " + unseen + ". They stay.")}}
	}
	items := s.Billing.Associated
	if len(items) == 0 {
		return nil
	}
	lines := []line{{bold("Associated items"), plain(" (" + fate + "):")}}
	for _, item := range items[:min(len(items), maxItems)] {
		name := Cut(OneLine(item.Description), 100)
		if name == "" {
			name = "item " + strconv.FormatInt(item.ID, 10)
		}
		lines = append(lines, sentence("• "+name+": "+feeWords(item.Fee)))
	}
	if len(items) > maxItems {
		rest := items[maxItems:]
		lines = append(lines, sentence(fmt.Sprintf("• and %d more: %s", len(rest), feeWords(sum(rest)))))
	}
	return lines
}

// feeWords is a fee by the month.
func feeWords(fee string) string {
	if fee == "" {
		return "cost " + unseen
	}
	return money(fee) + " a month"
}

// warnings are what a person has to confirm before asking, as it was when the card
// was read.
func warnings(c cancellation.Card) []string {
	found, _ := c.Server.Warnings(c.ReadAt)
	return found
}

func warningWords(s cancellation.Server, warning string) string {
	switch warning {
	case cancellation.WarningGateway:
		gateway, partners := gatewayWords(s)
		return gateway + "; " + partners
	case cancellation.WarningProvisioned:
		return "Ordered less than a week ago."
	case cancellation.WarningTransaction:
		at := prefixed(" on ", formatted(s.LastTransactionAt, "2 Jan 2006"))
		return "Its last transaction was " + Cut(OneLine(s.LastTransaction), 34) + at + "."
	}
	return warning
}

// warningLines say in a list what to consider before one of its servers goes.
func warningLines(c cancellation.Card) (lines []line) {
	var words []string
	for _, warning := range warnings(c) {
		words = append(words, ended(warningWords(c.Server, warning)))
	}
	if len(words) > 0 {
		lines = append(lines, line{bold("⚠ " + displayed(c.Server.FQDN) + ":"), plain(" " + Cut(public(strings.Join(words, " ")), 300))})
	}
	return lines
}

// warningList says what a new warning means if the server's new state is not at hand.
func warningList(detail string) string {
	var texts []string
	for word := range strings.SplitSeq(detail, ", ") {
		switch word {
		case cancellation.WarningGateway:
			word = "it has become a member of a network gateway, or its gateway has changed"
		case cancellation.WarningProvisioned:
			word = "it was ordered less than a week ago"
		case cancellation.WarningTransaction:
			word = "a transaction has run on it"
		}
		texts = append(texts, public(word))
	}
	return strings.Join(texts, "; ")
}

// gatewayWords say which gateway a server is a member of, and which members remain.
func gatewayWords(s cancellation.Server) (gateway, partners string) {
	gateway = "Member of gateway " + Cut(OneLine(s.GatewayName), 56)
	if s.GatewayName == "" {
		gateway = "Member of a network gateway (its name is " + unseen + ")"
	}
	names := make([]string, len(s.Partners))
	for i, name := range s.Partners {
		if names[i] = Cut(OneLine(name), 60); name == "" {
			names[i] = "(" + unseen + ")"
		}
	}
	switch {
	case !s.PartnersKnown:
		partners = "its partners are " + unseen
	case len(names) == 0:
		partners = "it has no other member"
	case len(names) == 1:
		partners = "its partner " + names[0] + " stays"
	default:
		partners = "partners that stay: " + strings.Join(names, ", ")
	}
	return gateway, partners
}

// warningOption is one box to tick. Text that does not fit becomes its description.
func warningOption(s cancellation.Server, warning string) *slack.OptionBlockObject {
	text := warningWords(s, warning)
	if warning == cancellation.WarningGateway && Cut(text, maxOptionText) != text {
		gateway, partners := gatewayWords(s)
		return slack.NewOptionBlockObject(warning, plainText(gateway), plainText(Cut(partners, maxOptionText)))
	}
	return slack.NewOptionBlockObject(warning, plainText(Cut(text, maxOptionText)), nil)
}

// blockedLine is one blocker in the card's place, with its ticket's link where there is one.
func (w Writer) blockedLine(c cancellation.Card, b cancellation.Blocker) line {
	l := sentence("⛔ Cannot be cancelled here: " + blockedWords(c, b) + ".")
	ticket := c.Server.OpenTicket
	if b == cancellation.BlockedByRequest && c.Standing != nil {
		ticket = &c.Standing.Ticket
	}
	if ticket == nil || ticket.ID == 0 || (b != cancellation.BlockedByTicket && b != cancellation.BlockedByRequest) {
		return l
	}
	if url := w.ticketURL(*ticket); url != "" {
		l = append(l, plain(" "), labelled(url, "Open the ticket"))
	}
	return l
}

// ourTicket reports whether the open ticket is the one of the request that stands.
func ourTicket(c cancellation.Card) bool {
	return c.Standing != nil && c.Server.OpenTicket != nil && c.Standing.Ticket.ID == c.Server.OpenTicket.ID
}

// blockedWords says what stops a submission, for the card and for the field's error.
func blockedWords(c cancellation.Card, b cancellation.Blocker) string {
	switch {
	case b == cancellation.BlockedByTicket && c.Server.OpenTicket != nil:
		return ticketName(*c.Server.OpenTicket) + " is already open"
	case b == cancellation.BlockedByTransaction && c.Server.Transaction != "":
		return "a transaction is running (" + displayed(c.Server.Transaction) + "); try again when it has ended"
	case b == cancellation.BlockedByRequest && c.Standing != nil:
		said := fmt.Sprintf("%s already asked. Request %s: %s", whose(c.Standing.By), c.Standing.Ref, standingWords(c.Standing.State))
		if known := c.Standing.Known; !known.IsZero() {
			said += ". SoftLayer shows that this request has ended, but one look is not enough to be sure. It will be known by " + instant(known) + "; open this form again then"
		}
		return said
	case b == cancellation.BlockedByContract && c.Server.Billing != nil:
		if date := calendar(c.Server.Billing.ContractEnd); date != "" {
			return "its contract runs until " + date + ", and a server under contract cannot be cancelled"
		}
	case b == cancellation.BlockedByPending && c.Server.Billing != nil:
		if date := calendar(c.Server.Billing.CancellationDate); date != "" {
			return "SoftLayer has already recorded its cancellation, for " + date
		}
	}
	return blockerWords(b)
}

// blockerWords says what a blocker means where no card is at hand.
func blockerWords(b cancellation.Blocker) string {
	if known, is := blocking[b]; is {
		return known
	}
	return displayed(string(b))
}

// blocking says what blocks a cancellation.
var blocking = map[cancellation.Blocker]string{
	cancellation.BlockedByTicket:        "a cancellation ticket is already open",
	cancellation.BlockedByTransaction:   "a transaction is running on it",
	cancellation.BlockedByNoBilling:     "SoftLayer shows this key no billing item for the server",
	cancellation.BlockedByPending:       "SoftLayer has already recorded its cancellation",
	cancellation.BlockedByContract:      "it is under contract, and a server under contract cannot be cancelled",
	cancellation.BlockedByNotAllowed:    "SoftLayer does not let its billing item be cancelled; it may still be under contract",
	cancellation.BlockedByDisconnection: "SoftLayer blocks its cancellation because its network is disconnected",
	cancellation.BlockedByRequest:       "another request for this server is open",
}

func whose(p cancellation.Person) string {
	if p.Name == "" {
		return "somebody"
	}
	return displayed(p.Name)
}
