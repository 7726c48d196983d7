package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// Verb is one thing that the program does, as -h lists it.
type Verb struct {
	Usage   string // the words typed after bot, such as "resolve REF none"
	Meaning string // one line
}

// SettingRow is one setting, as -h and the README list it.
type SettingRow struct {
	Name     string // the environment variable
	Default  string // "" where there is none
	Meaning  string
	Required bool
	File     bool // whether NAME_FILE exists: a file that holds the value
}

// SettingRows returns all settings of this version, in the order of Config.
func SettingRows() []SettingRow {
	var rows []SettingRow
	for _, field := range settingFields() {
		rows = append(rows, SettingRow{
			Name:     field.Tag.Get("envconfig"),
			Default:  cmp.Or(field.Tag.Get("default"), field.Tag.Get("shown")),
			Meaning:  field.Tag.Get("desc"),
			Required: field.Tag.Get("required") == "true",
			File:     field.Tag.Get("file") == "true",
		})
	}
	return rows
}

// Usage writes what -h shows: the verbs, then all settings.
func Usage(w io.Writer, verbs []Verb) error {
	var text strings.Builder
	text.WriteString("bot files SoftLayer bare-metal cancellations asked for in Slack with /cancel-server.\n\nVerbs:\n")
	for _, verb := range verbs {
		fmt.Fprintf(&text, "  bot %s\n        %s\n", verb.Usage, verb.Meaning)
	}
	text.WriteString("\nSettings, read from the environment:\n")
	for _, row := range SettingRows() {
		fmt.Fprintf(&text, "  %s%s\n        %s\n", row.Name, row.notes(), row.Meaning)
	}
	text.WriteString("\nA setting NAME with \"or NAME_FILE\" can stand in a file instead. An empty setting is not set.\n")
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("writing the usage: %w", err)
	}
	return nil
}

func (r SettingRow) notes() string {
	var notes []string
	if r.Required {
		notes = append(notes, "required")
	}
	if r.Default != "" {
		notes = append(notes, "default "+r.Default)
	}
	if r.File {
		notes = append(notes, "or "+r.Name+"_FILE")
	}
	if len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes, "; ") + ")"
}
