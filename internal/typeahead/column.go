package typeahead

import (
	"bytes"
	"encoding/binary"
	"iter"
	"strings"
)

// column is one text of each row, with an index of where every three characters occur. Every text
// ends with a mark.
//
// To find a text, only the rows with its rarest three characters are searched: a few hundred of
// 100,000, where searching all would take milliseconds. The rows of each three characters are stored
// as differences, about a byte and a half each. Two characters have no list of their own: one follows
// them wherever they are sought, so the lists of the triples that begin with them are merged.
type column struct {
	shown  []byte   // the texts, one after the other
	lower  []byte   // the same without capitals; the same memory where there are none
	starts []uint32 // where each row's text begins, and where the last one ends

	grams []byte   // for each three characters the rows that have them
	lists []uint32 // where the list of each begins in grams, and where the last one ends
}

// Characters are numbered for lists: those of names and addresses, the marks, and one
// number for all others.
const (
	listed   = "abcdefghijklmnopqrstuvwxyz0123456789.-_" + mark + idMark
	symbols  = uint32(len(listed)) + 1
	trigrams = symbols * symbols * symbols
)

var symbol = func() (of [256]uint32) {
	for i, c := range []byte(listed) {
		of[c] = uint32(i + 1)
	}
	return of
}()

// newColumn makes a column of so many rows.
func newColumn(rows int, text func(row int) string) column {
	var c column
	size := 0
	for i := range rows {
		size += len(text(i))
	}
	c.shown, c.starts = make([]byte, 0, size), make([]uint32, 0, rows+1)
	for i := range rows {
		c.starts = append(c.starts, uint32(len(c.shown)))
		c.shown = append(c.shown, text(i)...)
	}
	c.starts = append(c.starts, uint32(len(c.shown)))
	if c.lower = lowered(c.shown); bytes.Equal(c.lower, c.shown) {
		c.lower = c.shown
	}
	if rows > 0 {
		c.list()
	}
	return c
}

// lowered changes only ASCII capitals, so that every text stays where it is.
func lowered(text []byte) []byte {
	small := bytes.Clone(text)
	for i, b := range small {
		if 'A' <= b && b <= 'Z' {
			small[i] = b + 'a' - 'A'
		}
	}
	return small
}

// list makes the lists. It first counts, then writes, so that one allocation is enough.
func (c *column) list() {
	c.lists = make([]uint32, trigrams+1)
	c.each(func(gram, step uint32) {
		for c.lists[gram+1]++; step >= 0x80; step >>= 7 {
			c.lists[gram+1]++
		}
	})
	for gram := range c.lists[1:] {
		c.lists[gram+1] += c.lists[gram]
	}
	c.grams = make([]byte, c.lists[trigrams])
	end := append([]uint32(nil), c.lists...)
	c.each(func(gram, step uint32) {
		end[gram] += uint32(binary.PutUvarint(c.grams[end[gram]:], uint64(step)))
	})
}

// each calls one for every row and every triple of characters in it, once each. step is how many
// rows have passed since the last row with the same characters.
func (c *column) each(one func(gram, step uint32)) {
	last := make([]uint32, trigrams) // rows, counted from one
	for i := range c.rows() {
		text := c.row(i)
		for at := 2; at < len(text); at++ {
			gram := trigram(text[at-2], text[at-1], text[at])
			if step := uint32(i+1) - last[gram]; step > 0 {
				one(gram, step)
				last[gram] = uint32(i + 1)
			}
		}
	}
}

func trigram(a, b, c byte) uint32 { return triples(a, b) + symbol[c] }

// triples returns the first of the triples that begin with two characters. They follow each other.
func triples(a, b byte) uint32 { return (symbol[a]*symbols + symbol[b]) * symbols }

func (c *column) rows() int { return len(c.starts) - 1 }

// row is a row's text without capitals.
func (c *column) row(i int) []byte { return c.lower[c.starts[i]:c.starts[i+1]] }

// with goes, in order, through the rows that contain a text. The text has at least two characters
// and no capitals.
func (c *column) with(text string) iter.Seq[int] {
	return func(yield func(int) bool) {
		if c.rows() == 0 {
			return
		}
		sought := []byte(text)
		for i := range c.listing(text) {
			if bytes.Contains(c.row(i), sought) && !yield(i) {
				return
			}
		}
	}
}

// listing goes, in order, through few rows, among which are all that contain a text.
func (c *column) listing(text string) iter.Seq[int] {
	first, end := triples(text[0], text[1]), triples(text[0], text[1])+symbols
	if len(text) > 2 {
		first = c.rarest(text)
		end = first + 1
	}
	var lists []places
	for gram := first; gram < end; gram++ {
		if list, some := (places{rest: c.grams[c.lists[gram]:c.lists[gram+1]], row: -1}).next(); some {
			lists = append(lists, list)
		}
	}
	return inOrder(lists)
}

// rarest returns the shortest list that contains all rows with a text of at least three characters.
func (c *column) rarest(text string) uint32 {
	best := trigram(text[0], text[1], text[2])
	for at := 3; at < len(text); at++ {
		gram := trigram(text[at-2], text[at-1], text[at])
		if c.lists[gram+1]-c.lists[gram] < c.lists[best+1]-c.lists[best] {
			best = gram
		}
	}
	return best
}

// text is a row's text as it is shown.
func (c *column) text(i int) string { return string(c.shown[c.starts[i]:c.starts[i+1]]) }

// field is the n-th text between the marks of a row, without capitals.
func (c *column) field(i, n int) []byte {
	_, rest, _ := bytes.Cut(c.row(i), []byte(mark))
	for range n {
		_, rest, _ = bytes.Cut(rest, []byte(mark))
	}
	field, _, _ := bytes.Cut(rest, []byte(mark))
	return field
}

// lowerASCII is a query as the columns are written.
func lowerASCII(query string) string { return string(lowered([]byte(strings.TrimSpace(query)))) }
