package audit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
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
	Text     string `json:"text,omitempty"` // of the policy that came into force; no part of the leaf
}

// exportPage is how many events are read and held together.
const exportPage = 512

// Export writes all events as JSON, one a line: those that are sealed in their order, then the others.
func Export(ctx context.Context, log Snapshots, to io.Writer) error {
	from, err := log.Snapshot(ctx)
	if err != nil {
		return err
	}
	return errors.Join(exportAll(ctx, from, to), from.Close())
}

func exportAll(ctx context.Context, from Reader, to io.Writer) error {
	log, err := from.Log(ctx)
	if err != nil && !errors.Is(err, ErrTree) { // no root is needed
		return err
	}
	last, err := from.LastPosition(ctx)
	if err != nil {
		return err
	}
	e := &export{from: from, to: to}
	e.out = json.NewEncoder(&e.room)
	e.out.SetEscapeHTML(false)
	if err := e.sealed(ctx, min(last, log.Last())); err != nil {
		return err
	}
	return e.unsealed(ctx, log.Last())
}

// export is one run of Export.
type export struct {
	from Reader
	to   io.Writer
	out  *json.Encoder // into room
	room bytes.Buffer
	page []Event
}

func (e *export) add(event *Event) error {
	one := *event
	one.Salt, one.Erased = slices.Clone(one.Salt), slices.Clone(one.Erased)
	e.page = append(e.page, one)
	return nil
}

func (e *export) sealed(ctx context.Context, last int64) error {
	for first := int64(1); first <= last; {
		next, err := e.from.Next(ctx, first)
		if err != nil || next == 0 || next > last {
			return err
		}
		to := pageEnd(next, last, exportPage)
		e.page = e.page[:0]
		if err := e.from.Sealed(ctx, next, to, e.add); err != nil {
			return err
		}
		slices.SortFunc(e.page, func(a, b Event) int { return cmp.Compare(a.Position, b.Position) })
		if err := e.write(ctx); err != nil {
			return err
		}
		first = to + 1
	}
	return nil
}

func (e *export) unsealed(ctx context.Context, last int64) error {
	for after := (Event{}); ; after = e.page[len(e.page)-1] {
		e.page = e.page[:0]
		if err := e.from.Unsealed(ctx, last, after, exportPage, e.add); err != nil {
			return err
		}
		if err := e.write(ctx); err != nil || len(e.page) < exportPage {
			return err
		}
	}
}

func (e *export) write(ctx context.Context) error {
	refs := map[string]string{}
	for i := range e.page {
		l := lineOf(&e.page[i])
		if ref, known := refs[l.Request]; known || l.Request == "" {
			l.Ref = ref
		} else {
			ref, err := e.from.Ref(ctx, l.Request)
			if err != nil {
				return err
			}
			l.Ref, refs[l.Request] = ref, ref
		}
		if l.Kind == KindPolicy && l.Source == OfDeployment {
			text, err := e.from.PolicyText(ctx, l.Subject)
			if err != nil {
				return err
			}
			l.Text = text
		}
		e.room.Reset()
		if err := e.out.Encode(l); err != nil {
			return err
		}
		if _, err := e.to.Write(escapeControls(e.room.Bytes())); err != nil {
			return err
		}
	}
	return nil
}

// escapeControls writes U+007F to U+009F in JSON as \u00XX: they control a terminal, and package json leaves
// them as they are.
func escapeControls(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == 0xc2 && text[i+1] < 0xa0 { // json writes valid UTF-8
			i++
			c = text[i]
		} else if c != 0x7f {
			out = append(out, c)
			continue
		}
		out = fmt.Appendf(out, `\u%04x`, c)
	}
	return out
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
