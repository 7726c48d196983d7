// Package words is every sentence that a person reads in Slack, and the blocks and views that
// the sentences stand in. It does no I/O, decides nothing and has no clock of its own: the same
// arguments give the same words.
//
// Host names, tags, names of people and everything else that came from people or from SoftLayer
// is foreign text. In blocks it stands in plain_text and rich_text, which Slack never parses;
// in a message's top-level text it is escaped. So it can neither mention anybody nor make a
// link. IP addresses are displayed in modals only: a channel can be shared with other companies.
package words

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"cancel-server/internal/cancellation"
)

// Writer writes the messages that people read. Its zero value works and links nothing.
type Writer struct {
	// TicketURL returns the page of a ticket, https or http to loopback; "" for none.
	TicketURL func(cancellation.TicketID) string
	// PostTimeout and SettleTime are the worker's limits; a message about a lost
	// answer names the times that follow from them. Zero leaves the times out.
	PostTimeout time.Duration
	SettleTime  time.Duration
	// PeopleResolve reports whether the policy lets anybody approve: a stuck request then
	// has buttons for what they found. nil for never.
	PeopleResolve func() bool
	// MayWrite reports whether the key is known to have the right to write into tickets: else no
	// button for that is shown. nil for never.
	MayWrite func() bool
	// GroupName returns the handle of a Slack user group, "" if it is not known; nil for never known.
	GroupName func(id string) string
	// Now returns the time, by which a button says that it may be too late; nil for never too late.
	Now func() time.Time
	// Contact is whom people can ask, in words: who runs this bot. "" for nobody.
	Contact string
	// CasesURL is the page where tickets are looked for; "" for none.
	CasesURL string
	// Workspace is the address of the Slack workspace, as auth.test gives it; "" links no message.
	Workspace string
	// Command is what people type; the flows take "/cancel-server" for "".
	Command string
}

// contact is whom to ask.
func (w Writer) contact() string {
	if w.Contact == "" {
		return "the people who run this bot"
	}
	return displayed(w.Contact)
}

// choose returns what to read where nobody is named to ask, or the text that names whom.
func (w Writer) choose(nobody, somebody string) string {
	if w.Contact == "" {
		return nobody
	}
	return fmt.Sprintf(somebody, displayed(w.Contact))
}

// named is a rule's own text. In that of the groups settings it names whom to ask.
func (w Writer) named(reason string) string {
	const generated = "; the people who run this bot can say why."
	if w.Contact == "" || !strings.HasSuffix(reason, generated) {
		return reason
	}
	return strings.TrimSuffix(reason, generated) + "; ask " + displayed(w.Contact) + " why."
}

const unseen = "not visible to this key"

// entities makes text inert in Slack's mrkdwn: the three characters that begin
// mentions and links (https://docs.slack.dev/messaging/formatting-message-text#escaping),
// and, by spaces of no width, the four that format and the URLs that Slack makes links
// of by itself, in mrkdwn alone (https://docs.slack.dev/reference/block-kit/composition-objects/text-object).
var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;",
	"://", "://\u200b", "*", "\u200b*\u200b", "_", "\u200b_\u200b", "~", "\u200b~\u200b", "`", "\u200b`\u200b")

// escaped is foreign text for a message's top-level text.
func escaped(foreign string) string { return entities.Replace(OneLine(foreign)) }

// OneLine is foreign text on one line, without the characters that have no glyph of
// their own: a right-to-left override could turn round the words next to it.
func OneLine(foreign string) string {
	if plainLine(foreign) {
		return foreign
	}
	visible := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) || (unicode.IsControl(r) && !unicode.IsSpace(r)) {
			return -1
		}
		return r
	}, foreign)
	return strings.Join(strings.Fields(visible), " ")
}

// plainLine reports whether a text is one line of printable ASCII with single spaces between its
// words, as nearly every name is.
func plainLine(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c > '~':
			return false
		case c == ' ' && (i == 0 || i == len(text)-1 || text[i+1] == ' '):
			return false
		}
	}
	return true
}

// Cut shortens text to at most limit UTF-16 units, the strictest way that Slack
// could count, and never splits a character.
func Cut(text string, limit int) string {
	if len(text) <= limit { // no character has more units than bytes
		return text
	}
	units := 0
	for _, r := range text {
		units += max(utf16.RuneLen(r), 1)
	}
	if units <= limit {
		return text
	}
	units = 1 // the ellipsis
	for i, r := range text {
		if units += max(utf16.RuneLen(r), 1); units > limit {
			return text[:i] + "…"
		}
	}
	return text
}

// maxText is what a message's top-level text may hold: chat.update takes less than
// chat.postMessage. https://docs.slack.dev/reference/methods/chat.update
const maxText = 4000

// torn is the beginning of a link, a mention or an entity whose end was cut off.
var torn = regexp.MustCompile(`(<[^>]*|&[^;]*)…$`)

// fitting cuts escaped text, which may be five times as long as what it shows, and
// leaves no part of a link or an entity at its end.
func fitting(escaped string) string {
	short := Cut(escaped, maxText)
	if short == escaped {
		return escaped
	}
	return torn.ReplaceAllString(short, "…")
}

// displayed is foreign text for plain_text and rich_text: on one line and of bounded length.
func displayed(foreign string) string { return Cut(OneLine(foreign), 300) }

var (
	// wordLike finds what could hold an address.
	wordLike = regexp.MustCompile(`[0-9A-Za-z_:.]+`)
	// dotted is an IPv4 address wherever it stands; a version of four numbers looks the same.
	dotted = regexp.MustCompile(`[0-9]+(?:\.[0-9]+){3}`)
	// colons is an IPv6 address in a word that has a digit: hexadecimal next to its :: (Class::call
	// has none), or all its groups (a time of day and a MAC address have fewer).
	colons = regexp.MustCompile(`(?:^|[_:.])[0-9A-Fa-f]{1,4}::|::[0-9A-Fa-f]{1,4}(?:[_:.]|$)|(?:[0-9A-Fa-f]{1,4}:){7}`)
)

// public is foreign text for a message: like displayed, and without the words that hold an IP
// address, as errors, answers and people may. A channel can be shared with other companies.
func public(foreign string) string {
	return Cut(wordLike.ReplaceAllStringFunc(OneLine(foreign), func(word string) string {
		if !holdsAddress(word) {
			return word
		}
		return "(address)" + word[len(strings.TrimRight(word, ".:")):]
	}), 1000)
}

func holdsAddress(word string) bool {
	return dotted.MatchString(word) || strings.ContainsAny(word, "0123456789") && colons.MatchString(word)
}

// calendar is a bill date's day in SoftLayer's own offset, whatever the reader's offset is.
// It is "" if the date cannot be read.
func calendar(date string) string { return formatted(date, "Mon 2 Jan 2006") }

func formatted(date, layout string) string {
	at, err := cancellation.ParseMoment(date)
	if err != nil {
		return ""
	}
	return at.Format(layout)
}

// moment is an instant in the reader's own time zone, with a fallback in UTC:
// https://docs.slack.dev/messaging/formatting-message-text#date-formatting
func moment(at time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short} {time}|%s>", at.Unix(), instant(at))
}

func instant(at time.Time) string { return at.UTC().Format("2 Jan 2006 15:04 UTC") }

// money is an amount as SoftLayer gives it, which is in US dollars:
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Billing_Item/
// It writes 251.5 for 251.50.
func money(amount string) string {
	if amount == "" {
		return unseen
	}
	if _, cents, _ := strings.Cut(amount, "."); len(cents) == 1 {
		amount += "0"
	}
	return displayed(amount) + " USD"
}

// monthly is what a server costs, in the words of a card and a message; short is
// the amount alone, "" where the key may not see it.
func monthly(s cancellation.Server) (words, short string) {
	b := s.Billing
	switch {
	case b == nil, !s.Knows(cancellation.FactHourly):
		return "Cost " + unseen, ""
	case s.Hourly && b.HourlyFee != "":
		short = money(b.HourlyFee) + " an hour"
		if month := aMonth(s); month != "" {
			return short + ", " + month + " a month", short
		}
		return short, short
	case !s.Hourly && b.MonthlyTotal != "":
		return money(b.MonthlyTotal) + " a month", money(b.MonthlyTotal) + " a month"
	case b.RecurringFee != "":
		return money(b.RecurringFee) + " a month for the server alone; the rest is " + unseen, ""
	}
	return "Cost " + unseen, ""
}

// aMonth is what a month of a server costs; "" where the key may not see it. For one that
// is billed by the hour it is what 730 of them cost.
func aMonth(s cancellation.Server) string {
	fee := s.MonthlyFee()
	amount, ok := new(big.Rat).SetString(fee)
	switch {
	case !ok:
		return ""
	case s.Hourly:
		return "about " + money(amount.FloatString(2))
	}
	return money(s.Billing.MonthlyTotal)
}

// sum adds the fees of associated items; "" when one of them is not known.
func sum(items []cancellation.AssociatedItem) string {
	total := new(big.Rat)
	for _, item := range items {
		fee, ok := new(big.Rat).SetString(item.Fee)
		if !ok || len(item.Fee) > 20 {
			return ""
		}
		total.Add(total, fee)
	}
	return total.FloatString(2)
}

// itemsWords counts associated items and says what they cost.
func itemsWords(items []cancellation.AssociatedItem) string {
	count := "1 item"
	if len(items) != 1 {
		count = strconv.Itoa(len(items)) + " items"
	}
	if total := sum(items); total != "" {
		return count + ", " + money(total) + " a month"
	}
	return count + ", cost " + unseen
}

// IsDirect reports whether a channel is a direct message, by its id
// (docs.slack.dev/reference/objects/im-object): its name is "directmessage" in a command, but
// so may anybody call a public channel.
func IsDirect(channel string) bool { return strings.HasPrefix(channel, "D") }

// channelWords is where the result goes. Slack calls a private channel "privategroup" in a
// command.
func channelWords(p cancellation.Place) string {
	if p.Thread != "" && IsDirect(p.Channel) {
		return "the message's thread"
	}
	if p.Thread != "" {
		channel := p
		channel.Thread = ""
		return "the message's thread in " + channelWords(channel)
	}
	switch {
	case p.Channel == "" || IsDirect(p.Channel):
		return "you"
	case p.ChannelName == "" || p.ChannelName == "privategroup":
		return "this channel"
	}
	return "#" + displayed(p.ChannelName)
}

// accountName is what the account is called, or its id.
func accountName(a cancellation.Account) string {
	if a.Name == "" {
		return a.ID
	}
	return public(a.Name)
}

func ticketName(t cancellation.TicketID) string {
	id := fmt.Sprint(t.ID)
	if t.Number == "" || t.Number == id {
		return "ticket " + id
	}
	return fmt.Sprintf("ticket %s (id %s)", displayed(t.Number), id)
}
