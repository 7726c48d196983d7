package audit

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Row is what a request's row says of what was asked for. It never changes, but its text may be erased.
type Row struct {
	Salt       string // random, in hexadecimal digits; "" once the text is erased, or in a row of an older build
	Short, Ref string // the reference
	Server     int64
	Requester  string
	At         time.Time
	Batch      string // "" if it came alone
	Place      int    // in the batch
	Submission string // JSON
}

// NewRowSalt returns a salt for a row.
func NewRowSalt() string { return hex.EncodeToString(newSalt()) }

// text is what is hashed of a row: its columns, each on a line.
func (r Row) text() string {
	return strings.Join([]string{
		r.Short, r.Ref, strconv.FormatInt(r.Server, 10), r.Requester, strconv.FormatInt(r.At.UnixMilli(), 10),
		r.Batch, strconv.Itoa(r.Place), r.Submission,
	}, "\n")
}

// held is what the detail of a request's first event says of its row, in the member Row. Who asked, where, and
// their words are in the digest alone: without the salt nobody finds them by trying.
type held struct {
	Ref        string // short form
	Server     int64
	Associated bool `json:",omitempty"`
	Reason     string
	Digest     string // SHA-256 of the salt, "request", a line feed and the row's text
}

// submission is what the row's JSON says of what was asked for.
type submission struct {
	Associated                  bool
	Reason                      string
	View, Content, Confirmation string
	By                          person
	Place                       struct{ Channel, ChannelName, Thread string }
	Card                        struct {
		Server   struct{ ID int64 }
		Standing *struct{ By person }
	}
}

type person struct{ Team, ID, Name string }

// text reports whether any words or names are left.
func (s *submission) text() bool {
	standing := s.Card.Standing != nil && s.Card.Standing.By != (person{})
	return s.View+s.Content+s.Confirmation+s.Place.Channel+s.Place.ChannelName+s.Place.Thread != "" || s.By != (person{}) || standing
}

// WithRow returns the detail of a request's first event, a JSON object, with the member that holds the row to the
// log. Another detail has no room for it.
func WithRow(detail string, r Row) string {
	var s submission
	if !strings.HasPrefix(detail, "{") || !strings.HasSuffix(detail, "}") || json.Unmarshal([]byte(r.Submission), &s) != nil {
		return detail
	}
	sum := digest([]byte(r.Salt), "request", r.text())
	holds, _ := json.Marshal(held{r.Short, r.Server, s.Associated, s.Reason, hex.EncodeToString(sum[:])}) // texts and a number
	begins := strings.TrimSuffix(detail, "}")
	if begins != "{" {
		begins += ","
	}
	return begins + `"Row":` + string(holds) + "}"
}

// holds returns what a first event says of its request's row; nil if it says nothing: an older build recorded it,
// or its text is erased.
func (e *Event) holds() *held {
	if !strings.Contains(e.Detail, `"Row":{`) {
		return nil
	}
	var says struct{ Row *held }
	_ = json.Unmarshal([]byte(e.Detail), &says) // a detail that is sealed and no JSON says nothing
	return says.Row
}

// compare returns what in a row is not as it was recorded; "" if all is. erased reports whether its text is
// erased. The row is its salt and its text, as [Reader.Sealed] reads it.
func (h *held) compare(row string) (wrong string, erased bool) {
	salt, text, _ := strings.Cut(row, "\n")
	if sum := digest([]byte(salt), "request", text); salt != "" && hex.EncodeToString(sum[:]) == h.Digest {
		return "", false
	}
	columns := strings.SplitN(text, "\n", 8)
	var s submission
	if len(columns) < 8 || json.Unmarshal([]byte(columns[7]), &s) != nil {
		return "it cannot be read", false
	}
	all := h.facts(columns, &s)
	switch {
	case salt == "" && (columns[3] != "" || s.text()):
		all = append(all, "its text counts as erased, and there is one")
	case salt != "" && len(all) == 0:
		all = append(all, "who asked, where, their words, the card, the batch or the whole reference was changed")
	}
	return strings.Join(all, ", "), salt == ""
}

// facts returns which facts of a row are others than the event says.
func (h *held) facts(columns []string, s *submission) []string {
	server := strconv.FormatInt(h.Server, 10)
	return slices.DeleteFunc([]string{
		instead("reference", columns[0], h.Ref),
		instead("server", columns[2], server),
		instead("server on the card", strconv.FormatInt(s.Card.Server.ID, 10), server),
		instead("reason", s.Reason, h.Reason),
		instead("associated items", strconv.FormatBool(s.Associated), strconv.FormatBool(h.Associated)),
	}, func(text string) bool { return text == "" })
}

func instead(what, is, was string) string {
	if is == was {
		return ""
	}
	return fmt.Sprintf("%s %q instead of %q", what, is, was)
}

// hold compares a request's row with what its first event says.
func (c *chunk) hold(e *Event) {
	if e.Source != OfRequest || e.Number != 1 {
		return
	}
	h := e.holds()
	if h == nil {
		c.unheld++
		return
	}
	wrong, erased := "it is gone or cannot be read", false
	if e.Row != "" {
		wrong, erased = h.compare(e.Row)
	}
	switch {
	case wrong != "":
		c.find(Finding{Kind: Changed, From: e.Position, Event: "request " + h.Ref, Text: "its row is not as it was recorded: " + wrong + "."})
	case erased:
		c.erasedRows++
	}
}
