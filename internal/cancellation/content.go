package cancellation

import (
	"fmt"
	"strings"
)

// TicketContent is what SoftLayer's staff read: who asked, where, why, and our
// reference on the first and the last line. It is plain text.
func TicketContent(r Request) string {
	s := r.Submission
	lines := []string{
		r.Ref.Marker(),
		fmt.Sprintf("Server: %s (id %d)", s.Card.Server.FQDN, s.Card.Server.ID),
		fmt.Sprintf("Asked by: %s (Slack user %s of %s)", oneLine(s.By.Name), s.By.ID, s.By.Team),
		"In: " + where(s.Place),
		"Approved by: " + approvedBy(r.Approvals),
		"",
		withoutMarkers(strings.TrimSpace(s.Content)),
		"",
		r.Ref.Marker(),
	}
	return strings.Join(lines, "\n")
}

func approvedBy(approvals []Approval) string {
	if len(approvals) == 0 {
		return "nobody else; the policy lets this person cancel alone"
	}
	people := make([]string, len(approvals))
	for i, a := range approvals {
		people[i] = fmt.Sprintf("%s (Slack user %s of %s)", oneLine(a.By.Name), a.By.ID, a.By.Team)
	}
	return strings.Join(people, ", ")
}

func where(p Place) string {
	if p.Channel == "" {
		return "no channel"
	}
	return fmt.Sprintf("Slack channel %s (%s)", oneLine(p.ChannelName), p.Channel)
}

// oneLine keeps a foreign name from adding lines, or a reference, to the ticket.
func oneLine(name string) string {
	return withoutMarkers(strings.Join(strings.Fields(name), " "))
}
