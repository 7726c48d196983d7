package inquiry

import (
	"context"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
)

// Summary is one request in a list. Its JSON form is what programs read. Times are UTC.
type Summary struct {
	Ref        string             `json:"ref"`
	State      cancellation.State `json:"state"`
	Since      time.Time          `json:"since"`
	Why        string             `json:"why,omitempty"`
	WhyBy      string             `json:"why_by,omitempty"` // whose words it is, if not the program's
	Server     string             `json:"server"`
	ServerID   int64              `json:"server_id"`
	Datacenter string             `json:"data_center,omitempty"`
	Account    string             `json:"account"`
	By         Person             `json:"by"`
	AskedAt    time.Time          `json:"asked_at"`
	EndedBy    *Person            `json:"ended_by,omitempty"`
	Ticket     int64              `json:"ticket,omitempty"`
	Number     string             `json:"ticket_number,omitempty"`
	SentAt     *time.Time         `json:"sent_at,omitempty"`
	StopAsked  *time.Time         `json:"stop_asked_at,omitempty"`
}

// Person is somebody in Slack.
type Person struct {
	ID   string `json:"id"` // "TEAM/USER"
	Name string `json:"name,omitempty"`
}

func personOf(p cancellation.Person) Person { return Person{ID: p.Team + "/" + p.ID, Name: p.Name} }

// SummaryOf is a request in a list.
func SummaryOf(r cancellation.Request) Summary {
	server := r.Submission.Card.Server
	s := Summary{
		Ref: r.Ref.Short(), State: r.State, Since: r.Since.UTC(), Why: r.Why.String(), WhyBy: r.Why.By,
		Server: server.FQDN, ServerID: server.ID, Datacenter: server.Datacenter, Account: r.Submission.Card.Account.ID,
		By: personOf(r.Submission.By), AskedAt: r.CreatedAt.UTC(), Ticket: r.Ticket.ID, Number: r.Ticket.Number,
		SentAt: moment(r.SentAt), StopAsked: moment(r.StopAsked),
	}
	if r.EndedBy.ID != "" {
		by := personOf(r.EndedBy)
		s.EndedBy = &by
	}
	return s
}

// Entry is one request in the history of a server.
type Entry struct {
	Summary
	Decision  Decision   `json:"decision"`
	Approvals []Approval `json:"approvals"`
	Refusals  []Event    `json:"refusals"` // clicks that a rule refused, and others who asked meanwhile
}

// History reads every request for some servers, the oldest first.
func History(ctx context.Context, records Records, servers []int64) ([]Entry, error) {
	var all []Entry
	_, err := records.Find(ctx, Filter{Servers: servers}, 0, func(r cancellation.Request) error {
		f := newFile(r)
		err := f.readHistory(ctx, records, r)
		e := Entry{Summary: f.Summary, Decision: f.Decision, Approvals: f.Approvals, Refusals: []Event{}}
		for _, line := range f.History {
			if line.Kind == cancellation.EventRefused || line.Kind == cancellation.EventAskedAgain {
				e.Refusals = append(e.Refusals, line)
			}
		}
		all = append(all, e)
		return err
	})
	slices.Reverse(all)
	return all, err
}
