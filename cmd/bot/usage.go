package main

import (
	"fmt"
	"io"
	"strings"
)

// verb is one thing that the program does, as -h lists it.
type verb struct {
	usage   string // the words typed after bot, such as "resolve REF none"
	meaning string // one line
}

// writeUsage writes what -h shows: the verbs, then all settings.
func writeUsage(w io.Writer, verbs []verb) error {
	var text strings.Builder
	text.WriteString("bot files SoftLayer bare-metal cancellations asked for in Slack with /cancel-server.\n\nVerbs:\n")
	for _, verb := range verbs {
		fmt.Fprintf(&text, "  bot %s\n        %s\n", verb.usage, verb.meaning)
	}
	text.WriteString("\nSettings, read from the environment:\n")
	for _, s := range settings {
		fmt.Fprintf(&text, "  %s%s\n        %s\n", s.name, s.notes(), s.meaning)
	}
	text.WriteString("\nA setting with \"or NAME_FILE\" can be read from a file instead. An empty setting counts as not set.\n")
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("writing the usage: %w", err)
	}
	return nil
}

// notes returns the default and the file of a setting, in parentheses.
func (s setting) notes() string {
	var notes []string
	switch s.standard {
	case "":
	case required:
		notes = append(notes, required)
	default:
		notes = append(notes, "default "+s.standard)
	}
	if s.secret {
		notes = append(notes, "or "+s.name+"_FILE")
	}
	if len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes, "; ") + ")"
}
