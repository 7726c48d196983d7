package softlayer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// flag is a boolean, for which SoftLayer writes true, 1 or "1".
type flag bool

func (f *flag) UnmarshalJSON(data []byte) error {
	switch strings.Trim(string(data), `"`) {
	case "true", "1":
		*f = true
	case "false", "0", "", "null":
		*f = false
	default:
		return fmt.Errorf("reading a flag: %.20q is none", data)
	}
	return nil
}

// yes returns false for a flag that is missing from the answer, or null.
func (f *flag) yes() bool { return f != nil && bool(*f) }

// member is a field whose absence differs in meaning from null.
type member[T any] struct {
	read  bool // it is in the answer, be it as null
	value *T   // nil for null
}

func (m *member[T]) UnmarshalJSON(data []byte) error {
	m.read = true
	return json.Unmarshal(data, &m.value)
}

// text is a string that may come as a number.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	switch {
	case bytes.Equal(data, []byte("null")):
		*t = ""
	case data[0] == '"':
		return json.Unmarshal(data, (*string)(t))
	case data[0] == '-' || data[0] >= '0' && data[0] <= '9':
		*t = text(data)
	default:
		return fmt.Errorf("reading a text: %.20q is none", data)
	}
	return nil
}

// money is decimal text: SoftLayer writes "412.50", ".412", 412.5 and, for very small fees, 5.0e-5.
// It stays as given except for the exponent; "" is unknown.
type money string

var (
	plainDecimal  = regexp.MustCompile(`^-?(\d{1,18}(\.\d{0,20})?|\.\d{1,20})$`)
	scaledDecimal = regexp.MustCompile(`^-?\d{1,18}(\.\d{1,20})?[eE][+-]?\d{1,2}$`)
)

func (m *money) UnmarshalJSON(data []byte) error {
	var given text
	if err := given.UnmarshalJSON(data); err != nil {
		return fmt.Errorf("reading a fee: %w", err)
	}
	*m = ""
	switch {
	case plainDecimal.MatchString(string(given)):
		*m = money(given)
	case scaledDecimal.MatchString(string(given)):
		if exact, ok := new(big.Rat).SetString(string(given)); ok {
			*m = money(trimZeros(exact.FloatString(120))) // 20 decimals and an exponent of 99
		}
	}
	return nil
}

// sum adds fees exactly; "" if one of them is unknown.
func sum(fees ...money) string {
	total, places := new(big.Rat), 0
	for _, fee := range fees {
		part, ok := new(big.Rat).SetString(string(fee))
		if !ok {
			return ""
		}
		_, decimals, _ := strings.Cut(string(fee), ".")
		places = max(places, len(decimals))
		total.Add(total, part)
	}
	return total.FloatString(places)
}

func trimZeros(decimal string) string {
	return strings.TrimRight(strings.TrimRight(decimal, "0"), ".")
}
