package billed

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
)

// Kind is what an item is. The words are stored.
type Kind string

// The kinds of items.
const (
	Volume     Kind = "volume"
	Subnet     Kind = "subnet"
	VLAN       Kind = "vlan"
	Associated Kind = "item" // a child of the server's billing item that was not cancelled with it
)

// Kinds lists the kinds that are looked for, in the order in which people read them.
func Kinds() []Kind { return []Kind{Volume, Subnet, VLAN} }

// Item is one thing that stays and is billed on.
type Item struct {
	Kind   Kind
	ID     int64  `json:",omitempty"` // of its billing item; 0 if the key may not see it
	Name   string `json:",omitempty"` // as SoftLayer gives it: foreign text, a subnet's is an address
	Fee    string `json:",omitempty"` // a month, decimal text; "" if it is not known
	Shared bool   `json:",omitempty"` // who else may use this volume is not visible to the key
	Unread bool   `json:",omitempty"` // whether it is still billed could not be read
}

// MaxItems is how many items are kept; further ones are counted.
const MaxItems = 25

// Stays is what of a server stays billed. Its JSON form is stored.
type Stays struct {
	Items  []Item `json:",omitempty"`
	More   int    `json:",omitempty"` // further items, which are only counted
	Known  int    `json:",omitempty"` // of those, the ones whose cost is known
	Sum    string `json:",omitempty"` // what those cost a month; "" for none
	Hidden []Kind `json:",omitempty"` // kinds that the key may not see: such things may stay billed
	Unread []Kind `json:",omitempty"` // kinds about which SoftLayer did not answer: the same
}

// Record is what is kept of one request.
type Record struct {
	Stays *Stays // what will stay, read while the server was there; nil if it was not read
	Left  *Stays // what was still billed when the server was gone; nil before that
}

// None reports whether nothing is known to stay billed.
func (s Stays) None() bool { return len(s.Items) == 0 && s.More == 0 }

// Clean reports whether certainly nothing stays billed.
func (s Stays) Clean() bool { return s.None() && len(s.Hidden)+len(s.Unread) == 0 }

// Count is how many items stay.
func (s Stays) Count() int { return len(s.Items) + s.More }

// Of counts the kept items of a kind.
func (s Stays) Of(kind Kind) (count int) {
	for _, item := range s.Items {
		if item.Kind == kind {
			count++
		}
	}
	return count
}

// Total adds the fees that are known, a month. known counts their items, unknown all others. The sum
// is exact decimal text with at least two decimals.
func (s Stays) Total() (sum string, known, unknown int) {
	total := Sum{}
	for _, item := range s.Items {
		if total.Add(item.Fee, 1) {
			known++
		}
	}
	if total.Add(s.Sum, 1) {
		known += s.Known
	}
	return total.Amount(), known, s.Count() - known
}

// Sum adds fees. Its zero value is nothing.
type Sum struct {
	total  big.Rat
	places int // decimals
}

// Add adds a fee, decimal text, so many times. It returns false, and adds nothing, if it is not known.
func (s *Sum) Add(fee string, times int) bool {
	part, ok := amount(fee)
	if !ok {
		return false
	}
	_, decimals, _ := strings.Cut(fee, ".")
	s.places = max(s.places, len(decimals))
	s.total.Add(&s.total, part.Mul(part, big.NewRat(int64(times), 1)))
	return true
}

// Amount returns the exact sum, as decimal text with at least two decimals.
func (s *Sum) Amount() string { return s.total.FloatString(max(s.places, 2)) }

// maxFee bounds a fee, in characters.
const maxFee = 40

// amount reads a fee; ok is false for one that is not known.
func amount(fee string) (*big.Rat, bool) {
	if fee == "" || len(fee) > maxFee || strings.Trim(fee, "0123456789.-") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(fee)
}

// IDs lists the billing items that are known: all, or those of these kinds.
func (s Stays) IDs(kinds ...Kind) []int64 {
	var ids []int64
	for _, item := range s.Items {
		if item.ID > 0 && (len(kinds) == 0 || slices.Contains(kinds, item.Kind)) {
			ids = append(ids, item.ID)
		}
	}
	return ids
}

// With adds items that it does not have yet, and keeps at most [MaxItems].
func (s Stays) With(items ...Item) Stays {
	s.Items = slices.Clip(s.Items)
	for _, item := range items {
		item.Name = short(item.Name)
		if !slices.ContainsFunc(s.Items, func(other Item) bool { return other == item || item.ID > 0 && other.ID == item.ID }) {
			s.Items = append(s.Items, item)
		}
	}
	return s.listing(MaxItems)
}

// Without leaves out the items of these billing items.
func (s Stays) Without(ids ...int64) Stays {
	s.Items = slices.DeleteFunc(slices.Clone(s.Items), func(item Item) bool { return slices.Contains(ids, item.ID) })
	return s
}

// listing keeps at most so many items. Further ones are counted, and their fees added.
func (s Stays) listing(most int) Stays {
	if len(s.Items) <= most {
		return s
	}
	sum, known, unknown := Stays{Items: s.Items[most:], More: s.More, Known: s.Known, Sum: s.Sum}.Total()
	s.Items, s.More, s.Known, s.Sum = slices.Clip(s.Items[:most]), known+unknown, known, ""
	if known > 0 {
		s.Sum = sum
	}
	return s
}

// maxDetail bounds the detail of news, in bytes: PostgreSQL indexes it.
const maxDetail = 2000

// Detail writes what stays as the detail of news; [FromDetail] reads it. It lists fewer items where all
// do not fit.
func (s Stays) Detail() string {
	for most := MaxItems; ; most-- {
		if text, _ := json.Marshal(s.listing(most)); len(text) <= maxDetail || most == 0 { // texts and numbers
			return string(text)
		}
	}
}

// FromDetail reads what [Stays.Detail] wrote; nil for anything else.
func FromDetail(detail string) *Stays {
	s := new(Stays)
	if json.Unmarshal([]byte(detail), s) != nil {
		return nil
	}
	return s
}

// Standing is what SoftLayer's records say of billing items once the server is gone.
type Standing struct {
	Fees map[int64]string // of the items that are billed, by id; "" where the fee is not visible
	Used map[int64]bool   // of the items of volumes, those that something else may use by now: they are no leftovers
	All  bool             // the key sees the account's billing items: one that is missing has ended
}

// Left returns what of it is still billed by those records. An item of which they say nothing for
// certain stays in it, as not read.
func (s Stays) Left(now Standing) Stays {
	left := Stays{More: s.More, Hidden: s.Hidden, Unread: s.Unread} // what is only counted cannot be looked for
	for _, item := range s.Items {
		fee, billed := now.Fees[item.ID]
		switch {
		case now.Used[item.ID]:
			continue
		case item.ID > 0 && billed:
			item.Fee, item.Unread = fee, false
		case item.ID > 0 && now.All:
			continue
		default:
			item.Fee, item.Unread = "", true
		}
		left.Items = append(left.Items, item)
	}
	return left
}
