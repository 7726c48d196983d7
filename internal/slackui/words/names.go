package words

import (
	"strconv"
	"strings"

	"cancel-server/internal/cancellation"
)

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
