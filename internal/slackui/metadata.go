package slackui

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/review"
	"cancel-server/internal/serverlist"
	"cancel-server/internal/slackui/words"
)

// maxMetadata is Slack's limit for private_metadata in characters:
// https://docs.slack.dev/reference/views/modal-views
const maxMetadata = 3000

const (
	sealVersion = "1q" // of the sealed form
	macSize     = 16   // bytes of HMAC-SHA256 that are kept: 128 bits
)

// errNotOurs says that a modal's private_metadata was not made by this
// installation, for this person, in the form that this build reads.
var errNotOurs = errors.New("the form was not made by this bot for this person, or by another version of it")

// CardStore keeps snapshots of cards that do not fit a modal's private_metadata, for at least a
// day. The digest is both the name and the proof of a snapshot.
type CardStore interface {
	// KeepCard stores a snapshot under its digest, or a part of a list. Storing it again changes nothing.
	KeepCard(ctx context.Context, digest string, data []byte) error
	// Card returns what was stored under this digest. [cancellation.ErrNoCard]: nothing is kept under it.
	Card(ctx context.Context, digest string) ([]byte, error)
}

// metadata is what a modal carries from one interaction to the next. People can
// read theirs and cannot change it.
type metadata struct {
	Channel     string              `json:"c,omitempty"`
	ChannelName string              `json:"n,omitempty"`
	Thread      string              `json:"h,omitempty"` // ts of the thread's root
	ResponseURL string              `json:"u,omitempty"`
	Until       time.Time           `json:"t,omitzero"` // end of the response_url's life
	By          cancellation.Person `json:"b"`
	Card        *cancellation.Card  `json:"s,omitempty"`
	CardDigest  string              `json:"d,omitempty"` // digest of a card that the CardStore keeps
	List        string              `json:"l,omitempty"` // digest of a list that the CardStore keeps
	Unread      string              `json:"r,omitempty"` // digest of the list that is being read; the CardStore keeps what was typed
	Ticked      []int64             `json:"k,omitempty"` // servers of the list whose boxes are ticked: they go
	Unticked    []int64             `json:"x,omitempty"` // servers whose boxes the person left unticked, though the list names them
	Named       string              `json:"w,omitempty"` // digest of the names that a list begins with; the CardStore keeps them
}

func (m metadata) place() cancellation.Place {
	return cancellation.Place{
		Channel: m.Channel, ChannelName: m.ChannelName, Thread: m.Thread, Alone: words.IsDirect(m.Channel),
		ResponseURL: m.ResponseURL, ResponseURLUntil: m.Until,
	}
}

// with is the same metadata with another card, nil for none.
func (m metadata) with(card *cancellation.Card) metadata {
	m.Card, m.CardDigest = card, ""
	return m
}

// listing is the same metadata with a list that was read, and the servers of it that go.
func (m metadata) listing(digest string, ticked []int64) metadata {
	m.List, m.Unread, m.Ticked = digest, "", ticked
	return m.with(nil)
}

// ticking is the same metadata after a person left these boxes ticked.
func (m metadata) ticking(ticked []int64) metadata {
	m.Unticked = slices.DeleteFunc(slices.Concat(m.Unticked, m.Ticked), func(id int64) bool { return slices.Contains(ticked, id) })
	m.Ticked = slices.Compact(slices.Sorted(slices.Values(ticked)))
	return m
}

// boxed is the same metadata for a review in which these rows have a box. A server without one is not ticked, whatever
// the list says of it. If the person unticked it before, it is unticked again once it has a box; if it never had one, it
// is not.
func (m metadata) boxed(d draft, rows []review.Row) metadata {
	boxes := make(map[int64]bool, len(rows))
	for _, row := range rows {
		boxes[row.Named.Server.ID] = true
	}
	var unticked []int64
	for _, id := range d.meant(m.Unticked) {
		stays := slices.Contains(m.Unticked, id)
		if boxes[id] {
			stays = !slices.Contains(m.Ticked, id)
		}
		if stays && len(unticked) < cancellation.MostRows { // private_metadata is short: of more, the rest comes back ticked
			unticked = append(unticked, id)
		}
	}
	m.Unticked = unticked
	m.Ticked = slices.DeleteFunc(slices.Clone(m.Ticked), func(id int64) bool { return !boxes[id] })
	return m
}

// kept is the digest of the list that the CardStore keeps: the one that is being read, or else the one that was.
func (m metadata) kept() string { return cmp.Or(m.Unread, m.List) }

// server is the server on the card; 0 for none.
func (m metadata) server() int64 {
	if m.Card == nil {
		return 0
	}
	return m.Card.Server.ID
}

// sealer seals metadata with a key of this installation.
type sealer struct {
	key   []byte
	cards CardStore
}

// seal writes metadata for private_metadata. A card that does not fit goes to the CardStore.
func (s sealer) seal(ctx context.Context, m metadata) (string, error) {
	if len(s.key) == 0 {
		return "", errors.New("sealing a form: no key")
	}
	data, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("writing a form's metadata: %w", err)
	}
	sealed := s.sign(data)
	switch {
	case len(sealed) <= maxMetadata:
		return sealed, nil
	case m.Card == nil:
		return "", fmt.Errorf("sealing a form: %d characters do not fit", len(sealed))
	}
	card, err := json.Marshal(m.Card)
	if err != nil {
		return "", fmt.Errorf("writing a card: %w", err)
	}
	m.Card, m.CardDigest = nil, digest(card)
	if err := s.cards.KeepCard(ctx, m.CardDigest, card); err != nil {
		return "", fmt.Errorf("storing a card: %w", err)
	}
	return s.seal(ctx, m)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func (s sealer) sign(data []byte) string {
	body := base64.RawURLEncoding.EncodeToString(data)
	return sealVersion + "." + base64.RawURLEncoding.EncodeToString(s.mac(body)) + "." + body
}

func (s sealer) mac(body string) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte("slack form " + sealVersion + "." + body))
	return h.Sum(nil)[:macSize]
}

// open reads what seal wrote, for the same Slack user. Whatever is wrong with it, callers learn
// only errNotOurs.
func (s sealer) open(ctx context.Context, sealed, user string) (metadata, error) {
	data, err := s.verified(sealed)
	if err != nil {
		return metadata{}, err
	}
	var m metadata
	if err := json.Unmarshal(data, &m); err != nil {
		return metadata{}, errNotOurs
	}
	if user == "" || m.By.ID != user {
		return metadata{}, errNotOurs
	}
	if m.CardDigest != "" {
		m.Card, err = s.storedCard(ctx, m.CardDigest)
	}
	return m, err
}

func (s sealer) verified(sealed string) ([]byte, error) {
	version, rest, _ := strings.Cut(sealed, ".")
	given, body, found := strings.Cut(rest, ".")
	mac, err := base64.RawURLEncoding.DecodeString(given)
	switch {
	case len(sealed) > maxMetadata, version != sealVersion, !found, err != nil, len(s.key) == 0:
		return nil, errNotOurs
	case !hmac.Equal(mac, s.mac(body)):
		return nil, errNotOurs
	}
	data, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return nil, errNotOurs
	}
	return data, nil
}

func (s sealer) storedCard(ctx context.Context, name string) (*cancellation.Card, error) {
	data, err := s.cards.Card(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("reading a stored card: %w", err)
	}
	if digest(data) != name {
		return nil, fmt.Errorf("reading a stored card: its digest is not %.12s", name)
	}
	card := new(cancellation.Card)
	if err := json.Unmarshal(data, card); err != nil {
		return nil, fmt.Errorf("reading a stored card: %w", err)
	}
	return card, nil
}

// draft is a list as it was read. It is kept next to the cards of single servers, under its digest, which stands in
// the view's metadata. So what is sent is what was shown.
type draft struct {
	asked
	List  serverlist.Resolved
	Notes []string // what was left out of the list, and what it may lack
	Reads []draftRead
}

// asked is what a person typed into the list: the two inputs, one reason and one description for all.
type asked struct {
	Names           [2]string
	Reason, Content string
}

// draftRead is one server as it was read; without a card, Missing says whether SoftLayer has no such server.
type draftRead struct {
	Server  int64
	Card    *cancellation.Card `json:",omitempty"`
	Missing bool               `json:",omitempty"`
}

// maxKept is how many bytes the CardStore takes at once.
const maxKept = 256 << 10

// partOf names a part of a list that is stored. All but the last are [maxKept] bytes long, and the last is shorter.
func partOf(name string, part int) string {
	if part == 0 {
		return name
	}
	return fmt.Sprintf("%s.%d", name, part)
}

// keepDraft stores a list under its digest, in parts that the CardStore takes.
func (a *App) keepDraft(ctx context.Context, d draft) (name string, err error) {
	data, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("writing a list: %w", err)
	}
	name = digest(data)
	for n := 0; err == nil && n*maxKept <= len(data); n++ {
		err = a.sealer.cards.KeepCard(ctx, partOf(name, n), data[n*maxKept:min(len(data), (n+1)*maxKept)])
	}
	return name, err
}

// draft reads a list that was stored. [cancellation.ErrNoCard]: it is not kept any more, or no build like this kept it.
func (a *App) draft(ctx context.Context, name string) (d draft, err error) {
	var data []byte
	for n, last := 0, false; !last; n++ {
		part, err := a.sealer.cards.Card(ctx, partOf(name, n))
		if err != nil {
			return d, fmt.Errorf("reading a stored list: %w", err)
		}
		data, last = append(data, part...), len(part) < maxKept
	}
	if digest(data) != name {
		return d, fmt.Errorf("reading a stored list: its digest is not %.12s: %w", name, cancellation.ErrNoCard)
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return d, fmt.Errorf("reading a stored list: %w: %w", cancellation.ErrNoCard, err)
	}
	return d, nil
}

// chosen are the servers that go: those that the list names and that the person did not untick before, and those of
// queries that they ticked. One with a warning is ticked again by itself.
func (d draft) chosen(before metadata) (ids []int64) {
	for _, id := range d.named() {
		if !slices.Contains(before.Unticked, id) {
			ids = append(ids, id)
		}
	}
	for _, id := range d.queried() {
		if slices.Contains(before.Ticked, id) && !d.warned(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// wanted are the servers of a list that are to be read, each once.
func (d draft) wanted() (all []cancellation.Wanted) {
	noted := map[int64]bool{}
	note := func(w cancellation.Wanted) {
		if !noted[w.Server] {
			noted[w.Server], all = true, append(all, w)
		}
	}
	for _, row := range d.List.Rows {
		if row.State == serverlist.Found {
			note(cancellation.Wanted{Server: row.Server.ID, ByHost: row.ByHost})
		}
	}
	for _, id := range d.queried() {
		note(cancellation.Wanted{Server: id})
	}
	return all
}

// named are the servers that the list names. They go unless the person unticks them.
func (d draft) named() (ids []int64) {
	for _, row := range d.List.Rows {
		if row.State == serverlist.Found && !d.warned(row.Server.ID) {
			ids = append(ids, row.Server.ID)
		}
	}
	return ids
}

// meant are the servers that the list names, also those with a warning. If an entry means no one server now, it may have
// meant one of others.
func (d draft) meant(others []int64) (ids []int64) {
	vague := false
	for _, row := range d.List.Rows {
		if row.State != serverlist.Found {
			vague = true
			continue
		}
		ids = append(ids, row.Server.ID)
	}
	if vague {
		ids = append(ids, slices.DeleteFunc(slices.Clone(others), func(id int64) bool { return slices.Contains(ids, id) })...)
	}
	return ids
}

// queried are the servers that queries found. They stay unless the person ticks them.
func (d draft) queried() (ids []int64) {
	for _, group := range d.List.Groups {
		for _, s := range group.Servers {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// warned reports whether a server has a warning, so that it has to be ticked by itself.
func (d draft) warned(server int64) bool {
	at := slices.IndexFunc(d.Reads, func(r draftRead) bool { return r.Server == server })
	if at < 0 || d.Reads[at].Card == nil {
		return false
	}
	warnings, _ := d.Reads[at].Card.Server.Warnings(d.Reads[at].Card.ReadAt)
	return len(warnings) > 0
}

// unread are the servers without a card.
func (d draft) unread() map[int64]review.Read {
	reads := map[int64]review.Read{}
	for _, read := range d.Reads {
		switch {
		case read.Card != nil:
		case read.Missing:
			reads[read.Server] = review.Read{Err: cancellation.ErrServerNotFound}
		default:
			reads[read.Server] = review.Read{Err: errRowUnread}
		}
	}
	return reads
}

// servers returns the servers of which a read was tried, also those that SoftLayer did not answer.
func (d draft) servers() (ids []int64) {
	for _, read := range d.Reads {
		ids = append(ids, read.Server)
	}
	return ids
}
