package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"

	"cancel-server/internal/policytool"
)

// form is how a verb writes rows: as a table for people, as one JSON object a line, or as CSV.
type form int

const (
	asTable form = iota
	asJSON
	asCSV
)

// formOf reads --json and --csv.
func formOf(verb string, inJSON, inCSV bool) (form, error) {
	switch {
	case inJSON && inCSV:
		return asTable, fmt.Errorf("%w: %s: give --json or --csv, not both", errUsage, verb)
	case inJSON:
		return asJSON, nil
	case inCSV:
		return asCSV, nil
	}
	return asTable, nil
}

// sheet writes rows of named values: texts, numbers, flags, or nil for what is not known.
type sheet struct {
	columns []string
	write   func(row []any) error
	end     func() error
}

// newSheet begins a sheet in JSON or CSV. CSV is RFC 4180 with a header, and no cell of it is a formula.
func newSheet(w io.Writer, as form, columns ...string) (*sheet, error) {
	if as == asJSON {
		return &sheet{columns, func(row []any) error { return writeObject(w, columns, row) }, func() error { return nil }}, nil
	}
	table := csv.NewWriter(w)
	table.UseCRLF = true
	s := &sheet{columns: columns}
	s.write = func(row []any) error {
		cells := make([]string, len(row))
		for i, value := range row {
			if value != nil {
				cells[i] = policytool.Inert(fmt.Sprint(value))
			}
		}
		return table.Write(cells)
	}
	s.end = func() error {
		table.Flush()
		return table.Error()
	}
	return s, table.Write(columns)
}

// writeObject writes one JSON object on a line, its members in the order of the columns.
func writeObject(w io.Writer, columns []string, row []any) error {
	var line bytes.Buffer
	for i, column := range columns {
		name, _ := json.Marshal(column) // a string
		value, err := json.Marshal(row[i])
		if err != nil {
			return fmt.Errorf("writing %s: %w", column, err)
		}
		line.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		line.Write(name)
		line.WriteByte(':')
		line.Write(value)
	}
	line.WriteString("}\n")
	_, err := w.Write(line.Bytes())
	return err
}
