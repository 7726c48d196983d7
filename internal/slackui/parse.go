package slackui

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

// errIncomplete says that a submission lacks a field that its form has.
var errIncomplete = errors.New("a field of the form is missing")

// parse reads a submitted form with the card of this server (0 for none): the
// inverse of words.Writer.Modal. The values are as the person left them; whether they will
// do is for the domain to say.
func parse(v receive.View, card int64) (words.Typed, error) {
	if v.CallbackID != words.FormCallback {
		return words.Typed{}, fmt.Errorf("a form called %.60q: %w", v.CallbackID, errNotOurs)
	}
	t := read(v, card)
	for _, block := range []string{words.ServerBlock, words.ReasonBlock, words.ContentBlock} {
		if _, there := v.Values[block]; !there {
			return t, fmt.Errorf("reading field %q: %w", block, errIncomplete)
		}
	}
	return t, nil
}

// read takes what a form holds now, complete or not. Fields that belong to another
// server than the card's do not count.
func read(v receive.View, card int64) words.Typed {
	ticked := v.Values[words.BlockOf(words.AssociatedBlock, card)][words.AssociatedAction].Checked
	return words.Typed{
		Server:       serverID(v.Values[words.ServerBlock][words.ServerAction].Selected),
		Reason:       v.Values[words.ReasonBlock][words.ReasonAction].Selected,
		Content:      v.Values[words.ContentBlock][words.ContentAction].Text,
		Warnings:     v.Values[words.BlockOf(words.WarningsBlock, card)][words.WarningsAction].Checked,
		Associated:   slices.Contains(ticked, words.AssociatedValue),
		Confirmation: v.Values[words.BlockOf(words.ConfirmBlock, card)][words.ConfirmAction].Text,
	}
}

// serverID reads a server's id as an option carries it; 0 for anything else.
func serverID(value string) int64 {
	id, err := strconv.ParseInt(value, 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != value {
		return 0
	}
	return id
}
