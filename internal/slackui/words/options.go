package words

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
)

// ServerOptions offers servers in the typeahead.
func ServerOptions(servers []cancellation.Server) []*slack.OptionBlockObject {
	options := make([]*slack.OptionBlockObject, len(servers))
	for n, text := range optionTexts(servers) {
		options[n] = serverOption(servers[n], text)
	}
	return options
}

// serverOption offers one server by a text. Its value is the id.
func serverOption(s cancellation.Server, text string) *slack.OptionBlockObject {
	id := strconv.FormatInt(s.ID, 10)
	about := strings.Join(present("id "+id, s.Datacenter, s.PrivateIP), " · ")
	return slack.NewOptionBlockObject(id, plainText(text), plainText(Cut(about, maxOptionText)))
}

// maxOptionText is what an option's text, and its description, may hold:
// https://docs.slack.dev/reference/block-kit/composition-objects/option-object
const maxOptionText = 75

// optionText is the name of a server, or its id.
func optionText(s cancellation.Server) string {
	return cmp.Or(Cut(displayed(s.FQDN), maxOptionText), strconv.FormatInt(s.ID, 10))
}

// optionTexts are the names of servers that are offered together, each another one. Of
// long names that begin alike the beginning and the part where they differ are displayed; where
// that is not enough, and of names that are equal, the id stands at the end.
func optionTexts(servers []cancellation.Server) []string {
	texts := make([]string, len(servers))
	for n, s := range servers {
		texts[n] = optionText(s)
	}
	first := alike(texts)
	if len(first) == 0 {
		return texts
	}
	for _, alike := range first {
		same := commonStart(servers, alike)
		for _, n := range alike {
			texts[n] = around(displayed(servers[n].FQDN), same)
		}
	}
	for _, alike := range alike(texts) {
		for _, n := range alike {
			id := " · id " + strconv.FormatInt(servers[n].ID, 10)
			texts[n] = Cut(texts[n], maxOptionText-len(id)+1) + id // the middle dot is two bytes and one unit
		}
	}
	return texts
}

// alike are the positions of texts that stand at several.
func alike(texts []string) [][]int {
	if distinct(texts) {
		return nil
	}
	positions := map[string][]int{}
	for n, text := range texts {
		positions[text] = append(positions[text], n)
	}
	maps.DeleteFunc(positions, func(_ string, at []int) bool { return len(at) < 2 })
	return slices.Collect(maps.Values(positions))
}

func distinct(texts []string) bool {
	seen := make(map[string]bool, len(texts))
	for _, text := range texts {
		seen[text] = true
	}
	return len(seen) == len(texts)
}

// commonStart is how many characters are the same at the beginning of all these names.
func commonStart(servers []cancellation.Server, at []int) int {
	first := []rune(displayed(servers[at[0]].FQDN))
	same := len(first)
	for _, n := range at[1:] {
		name := []rune(displayed(servers[n].FQDN))
		for same = min(same, len(name)); same > 0 && !slices.Equal(first[:same], name[:same]); {
			same--
		}
	}
	return same
}

// around is a name that is too long, without what stands between its beginning and where it
// differs from others.
func around(name string, differs int) string {
	const head, before = 30, 8
	runes := []rune(name)
	if differs <= head+before || differs >= len(runes) {
		return Cut(name, maxOptionText)
	}
	return Cut(string(runes[:head])+"…"+string(runes[differs-before:]), maxOptionText)
}

// OffersBlock is the block of buttons that each choose one of the servers which a message
// or a command may mean. Their action ids end with the server's id.
const (
	OffersBlock = "offers"
	OfferAction = "offer:"
)

// maxOffers is how many servers have a button; the typeahead has the others.
const maxOffers = 10

// offersInput has a button for each server that is offered.
func offersInput(servers []cancellation.Server) slack.Block {
	var buttons []slack.BlockElement
	servers = servers[:min(len(servers), maxOffers)]
	for n, text := range optionTexts(servers) {
		id := strconv.FormatInt(servers[n].ID, 10)
		buttons = append(buttons, slack.NewButtonBlockElement(OfferAction+id, id, plainText(text)))
	}
	return slack.NewActionBlock(OffersBlock, buttons...)
}

// MaxNearest is how many servers are suggested for a name that nobody has.
const MaxNearest = 3

// NoServerCalled says that no server has a name, and which are close to it.
func NoServerCalled(name string, close []cancellation.Server) string {
	return suggested(ended("No server is called exactly "+displayed(name)), close)
}

// VirtualServer says that a name is a virtual server's, and which bare-metal names are close.
func VirtualServer(name string, close []cancellation.Server) string {
	return suggested(displayed(name)+" is a virtual server; this bot handles bare metal only.", close)
}

// VeryMany says that not all servers were looked at that match a name.
func VeryMany(name string, close []cancellation.Server) string {
	return suggested("Too many servers match "+displayed(name)+", so not all were checked.", close)
}

// SeveralCalled says that several servers have a name.
func SeveralCalled(name string, servers []cancellation.Server) string {
	return suggested(ended(strconv.Itoa(len(servers))+" servers are called "+displayed(name)), servers)
}

// OthersMayBeCalled says that another server may have a short name too.
func OthersMayBeCalled(name string) string {
	return "Another server may be called " + displayed(name) + " too. " + chooseOne
}

// NameUnread says that SoftLayer did not answer about a name.
func NameUnread(name string) string {
	return ended("SoftLayer did not answer about "+displayed(name)) + " Choose the server here."
}

const chooseOne = "Choose the server that you mean."

func suggested(text string, close []cancellation.Server) string {
	var names []string
	for _, s := range close[:min(len(close), MaxNearest)] {
		names = append(names, displayed(s.FQDN))
	}
	if len(names) > 0 {
		text += " Nearest: " + strings.Join(names, ", ") + "."
	}
	return text + " " + chooseOne
}

// NoneMentioned says that a message names no server.
func NoneMentioned() string { return "This message names no server. " + chooseOne }

// MentionedUnread says that SoftLayer did not answer about all names in a message, and which
// servers it did know.
func MentionedUnread(known []cancellation.Server) string {
	return "SoftLayer did not answer about all names in this message. " + listed("Servers found", known) + chooseOne
}

// TooManyMentioned says that a message has more names than are looked up, and which servers
// are among the first.
func TooManyMentioned(known []cancellation.Server) string {
	return "Not all names in this message were looked up. " + listed("Servers found", known) + chooseOne
}

// NoneCalled says that no server has any of a message's names.
func NoneCalled(names []string) string {
	return "No server has any of these names: " + displayed(strings.Join(names, ", ")) + ". " + chooseOne
}

// SeveralMentioned says that a message names several servers.
func SeveralMentioned(servers []cancellation.Server) string {
	return listed("This message names "+strconv.Itoa(len(servers))+" servers", servers) + chooseOne
}

// maxListed is how many servers of a message are listed.
const maxListed = 10

func listed(what string, servers []cancellation.Server) string {
	var names []string
	for _, s := range servers[:min(len(servers), maxListed)] {
		names = append(names, displayed(s.FQDN))
	}
	if len(names) == 0 {
		return ""
	}
	if len(servers) > len(names) {
		names = append(names, "and more")
	}
	return what + ": " + strings.Join(names, ", ") + ". "
}
