package words

import (
	"fmt"
	"strconv"
	"strings"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
)

const otherServices = "Other services may stay billed: see Billing items."

// staysLines list what stays billed, in a modal: names of volumes and addresses of subnets stand there.
func staysLines(s *billed.Stays) []line {
	if s == nil {
		return []line{sentence("What stays billed was not read. " + otherServices)}
	}
	var lines []line
	switch {
	case !s.None():
		lines = append(lines, line{bold("Stays, and stays billed:"), plain(" " + staying(*s) + ".")})
		if s.Count() > 1 {
			lines = append(lines, sentence("Together: "+totalWords(*s)+"."))
		}
	case len(s.Hidden)+len(s.Unread) == 0:
		lines = append(lines, line{bold("Stays, and stays billed:"), plain(" no volume, subnet or VLAN of its own.")})
	}
	return append(append(lines, unseenKinds(*s)...), sentence(otherServices))
}

// staying names the items, each with what it costs.
func staying(s billed.Stays) string {
	listed := s.Items[:min(len(s.Items), maxItems)]
	texts := make([]string, len(listed))
	for i, item := range listed {
		texts[i] = itemName(item) + ", " + feeWords(item.Fee)
		if item.Shared {
			texts[i] += " (who else may use it is " + unseen + ")"
		}
	}
	if over := s.Count() - len(listed); over > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", over))
	}
	return strings.Join(texts, "; ")
}

// itemName is an item's kind and name. A subnet's name is an address.
func itemName(item billed.Item) string {
	name := Cut(OneLine(item.Name), 60)
	if name == "" {
		name = "with no name"
	}
	return kindWord(item.Kind, 1) + " " + name
}

func kindWord(kind billed.Kind, count int) string {
	word := map[billed.Kind]string{billed.Volume: "volume", billed.Subnet: "subnet", billed.VLAN: "VLAN", billed.Associated: "associated item"}[kind]
	if count != 1 {
		word += "s"
	}
	return word
}

// totalWords is what items cost together.
func totalWords(s billed.Stays) string {
	sum, known, unknown := s.Total()
	hidden := items(unknown) + " at a cost this key cannot see"
	switch {
	case known == 0:
		return hidden
	case unknown == 0:
		return money(sum) + " a month"
	}
	return money(sum) + " a month, and " + hidden
}

func items(count int) string {
	if count == 1 {
		return "1 item"
	}
	return strconv.Itoa(count) + " items"
}

// unseenKinds say of which kinds nothing is known. What was not read is not none.
func unseenKinds(s billed.Stays) []line {
	var lines []line
	for _, kind := range s.Hidden {
		lines = append(lines, sentence("This key may not see "+sortOf(kind)+": "+kindWord(kind, 2)+" may stay billed."))
	}
	for _, kind := range s.Unread {
		lines = append(lines, sentence(unreadKind(kind)+": "+kindWord(kind, 2)+" may stay billed."))
	}
	return lines
}

func unreadKind(kind billed.Kind) string {
	switch kind {
	case billed.Volume:
		return "Storage was not read"
	case billed.Subnet:
		return "Subnets were not read"
	}
	return "VLANs were not read"
}

func sortOf(kind billed.Kind) string {
	if kind == billed.Volume {
		return "storage"
	}
	return kindWord(kind, 2)
}

// staysSum sums up what stays billed, for a channel: it has no name and no address. It is empty if
// nothing is known to stay, and nothing was hidden.
func staysSum(s *billed.Stays) []line {
	if s == nil {
		return nil
	}
	var lines []line
	if !s.None() {
		lines = append(lines, sentence("Stays billed: "+counted(*s)+", "+totalWords(*s)+"."))
	}
	return append(lines, unseenKinds(*s)...)
}

// counted is how many items of each kind there are: "2 volumes, 1 subnet".
func counted(s billed.Stays) string {
	var texts []string
	for _, kind := range append(billed.Kinds(), billed.Associated) {
		if n := s.Of(kind); n > 0 {
			texts = append(texts, strconv.Itoa(n)+" "+kindWord(kind, n))
		}
	}
	if s.More > 0 {
		texts = append(texts, fmt.Sprintf("%d more", s.More))
	}
	return strings.Join(texts, ", ")
}

// LeftBehind tells a person, by direct message, what is still billed now that the server is gone.
// detail is that of a cancellation.NewsBilled.
func (w Writer) LeftBehind(r cancellation.Request, detail string) Message {
	return message(leftBehind(r, detail)...)
}

// leftBehind is for a direct message: it has names and addresses.
func leftBehind(r cancellation.Request, detail string) []line {
	name := ServerName(r)
	read := billed.FromDetail(detail)
	if read == nil {
		return []line{head("💸 " + name + " is gone. What is still billed without it was not read."), sentence(lookByHand)}
	}
	left := *read
	lines := []line{head("💸 " + name + " is gone. What is still billed without it is not certain.")}
	if !left.None() {
		verb := "these are"
		if left.Count() == 1 {
			verb = "this is"
		}
		lines[0] = head("💸 " + name + " is gone; " + verb + " still billed: " + leftTotal(left) + ".")
	}
	for _, item := range left.Items[:min(len(left.Items), maxItems)] {
		cost := feeWords(item.Fee)
		if item.Unread {
			cost = "whether it is still billed is " + unseen
		}
		lines = append(lines, sentence("• "+itemName(item)+": "+cost))
	}
	if over := left.Count() - min(len(left.Items), maxItems); over > 0 {
		lines = append(lines, sentence(fmt.Sprintf("• and %d more", over)))
	}
	lines = append(lines, unseenKinds(left)...)
	if left.None() {
		return append(lines, sentence(lookByHand))
	}
	return append(lines, sentence("The bot does not cancel them. Cancel what you no longer need in IBM Cloud, Billing items."))
}

const lookByHand = "Look at Billing items in IBM Cloud, and cancel there what you no longer need."

// leftTotal counts what is still billed, and what it costs.
func leftTotal(s billed.Stays) string {
	sum, known, unknown := s.Total()
	hidden := items(unknown) + " at a cost this key cannot see"
	switch {
	case known == 0:
		return hidden
	case unknown == 0:
		return items(known) + ", " + money(sum) + " a month"
	}
	return items(known) + ", " + money(sum) + " a month, and " + hidden
}
