package audit

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// line is an event as it is exported.
type line struct {
	Position int64  `json:"position"` // 0: not sealed yet
	Source   Source `json:"source"`
	Request  string `json:"request,omitempty"`
	Ref      string `json:"ref,omitempty"`
	Number   int64  `json:"number"`
	At       string `json:"at"`
	Kind     string `json:"kind"`
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	Subject  string `json:"subject,omitempty"`
	Actor    string `json:"actor"`
	Detail   string `json:"detail"`
	Salt     string `json:"salt,omitempty"`
	Erased   string `json:"erased,omitempty"`
	Hash     string `json:"hash,omitempty"`
}

// Exporter reads what is exported.
type Exporter interface {
	Reader
	// EachAfter calls with each event that is not sealed, or is behind a position, as Sealed does.
	EachAfter(ctx context.Context, position int64, yield func(*Event) error) error
}

// Export writes all events as JSON, one a line: those that are sealed in their order, then the others.
func Export(ctx context.Context, from Exporter, to io.Writer) error {
	log, err := from.Log(ctx)
	if err != nil {
		return err
	}
	out := json.NewEncoder(to)
	out.SetEscapeHTML(false)
	refs := map[string]string{}
	for first := int64(1); first <= log.Last(); first += chunkSize {
		var lines []line
		clear(refs)
		err := from.Sealed(ctx, first, min(first+chunkSize-1, log.Last()), func(e *Event) error { lines = append(lines, lineOf(e)); return nil })
		if err != nil {
			return err
		}
		slices.SortFunc(lines, func(a, b line) int { return int(a.Position - b.Position) })
		for _, l := range lines {
			if err := write(ctx, from, out, l, refs); err != nil {
				return err
			}
		}
	}
	var waiting []line
	if err := from.EachAfter(ctx, log.Last(), func(e *Event) error { waiting = append(waiting, lineOf(e)); return nil }); err != nil {
		return err
	}
	for _, l := range waiting {
		if err := write(ctx, from, out, l, refs); err != nil {
			return err
		}
	}
	return nil
}

func write(ctx context.Context, from Reader, out *json.Encoder, l line, refs map[string]string) (err error) {
	if l.Request != "" {
		ref, known := refs[l.Request]
		if !known {
			if ref, err = from.Ref(ctx, l.Request); err != nil {
				return err
			}
			refs[l.Request] = ref
		}
		l.Ref = ref
	}
	return out.Encode(l)
}

func lineOf(e *Event) line {
	l := line{
		Position: e.Position, Source: e.Source, Request: e.Request, Number: e.Number, At: e.At.UTC().Format("2006-01-02T15:04:05.000Z"),
		Kind: e.Kind, From: e.From, To: e.To, Subject: e.Subject, Actor: e.Actor, Detail: e.Detail,
		Salt: hex.EncodeToString(e.Salt), Erased: hex.EncodeToString(e.Erased),
	}
	if e.Hash != (tlog.Hash{}) {
		l.Hash = e.Hash.String()
	}
	return l
}
