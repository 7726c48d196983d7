package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cancel-server/internal/fakeslack"
)

// form is a modal as a person sees it.
// https://docs.slack.dev/reference/views/modal-views
type form struct {
	id     string
	all    []any   // its blocks once more, as they are
	Title  text    `json:"title"`
	Submit *text   `json:"submit"`
	Blocks []block `json:"blocks"`
}

type text struct {
	Text string `json:"text"`
}

type block struct {
	Type     string  `json:"type"`
	BlockID  string  `json:"block_id"`
	Label    text    `json:"label"`
	Optional bool    `json:"optional"`
	Element  element `json:"element"`
}

type element struct {
	Type      string           `json:"type"`
	ActionID  string           `json:"action_id"`
	Multiline bool             `json:"multiline"`
	Options   []map[string]any `json:"options"`
}

func readForm(v fakeslack.View) (form, error) {
	var whole struct {
		Blocks []any `json:"blocks"`
	}
	f := form{id: v.ID}
	if err := errors.Join(json.Unmarshal(v.View, &f), json.Unmarshal(v.View, &whole)); err != nil {
		return form{}, fmt.Errorf("reading the view: %w", err)
	}
	f.all = whole.Blocks
	return f, nil
}

// input returns the first input with an element that fits.
func (f form) input(fits func(element) bool) (block, bool) {
	for _, b := range f.Blocks {
		if b.Type == "input" && fits(b.Element) {
			return b, true
		}
	}
	return block{}, false
}

func isTypeahead(e element) bool { return e.Type == "external_select" }

func isOneLine(e element) bool { return e.Type == "plain_text_input" && !e.Multiline }

// shows reports whether a person reads this text in the form, not counting what is typed and
// chosen.
func (f form) shows(words string) bool { return strings.Contains(strings.Join(f.words(), "\n"), words) }

func (f form) words() []string { return wordsOf(f.all) }

// filling is what a person has in mind when filling the form.
type filling struct {
	server  map[string]any // the option chosen in the typeahead
	reason  string         // the reason, where it is offered
	content string
	confirm string // what the one-line input wants typed
}

// fill answers every input of the form as a person would who means it. It returns an error for an
// input that it cannot answer, unless the input is optional.
func (f form) fill(with filling) (fakeslack.Values, error) {
	values := fakeslack.Values{}
	for _, b := range f.Blocks {
		if b.Type != "input" {
			continue
		}
		state, err := b.fill(with)
		if err != nil {
			return nil, err
		}
		if state != nil {
			values[b.BlockID] = map[string]map[string]any{b.Element.ActionID: state}
		}
	}
	return values, nil
}

func (b block) fill(with filling) (map[string]any, error) {
	e := b.Element
	switch {
	case isTypeahead(e):
		return map[string]any{"selected_option": with.server}, nil
	case e.Type == "static_select" && len(e.Options) > 0:
		return map[string]any{"selected_option": choose(e.Options, with.reason)}, nil
	case isOneLine(e):
		return map[string]any{"value": with.confirm}, nil
	case e.Type == "plain_text_input":
		return map[string]any{"value": with.content}, nil
	case b.Optional:
		return nil, nil
	case e.Type == "checkboxes":
		return map[string]any{"selected_options": e.Options}, nil
	}
	return nil, fmt.Errorf("filling the modal: it asks for %q with a %s, which the demo cannot answer", b.Label.Text, e.Type)
}

// choose returns the option with this text, else the first.
func choose(options []map[string]any, label string) map[string]any {
	for _, o := range options {
		if optionText(o) == label {
			return o
		}
	}
	return options[0]
}

func optionText(option map[string]any) string {
	label, _ := option["text"].(map[string]any)
	words, _ := label["text"].(string)
	return words
}

// refusal is why the bot refuses a submission, nil if it accepted. If the answer is a view with a
// button, the submission is to be corrected and sent again.
func refusal(ack fakeslack.Ack) error {
	var answer struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   struct {
			Submit *text `json:"submit"`
			Blocks any   `json:"blocks"`
		} `json:"view"`
	}
	if len(ack.Body) > 0 {
		if err := json.Unmarshal(ack.Body, &answer); err != nil {
			return fmt.Errorf("reading the bot's answer to the submission: %w", err)
		}
	}
	switch {
	case answer.Action == "errors":
		return fmt.Errorf("submitting: the bot refuses fields: %q", answer.Errors)
	case answer.Action == "push" || answer.View.Submit != nil:
		return fmt.Errorf("submitting: the bot answers with %q", wordsOf(answer.View.Blocks))
	}
	return nil
}

// wordsOf collects the texts of blocks that people read, and the links in them.
func wordsOf(node any) []string {
	var words []string
	switch n := node.(type) {
	case []any:
		for _, each := range n {
			words = append(words, wordsOf(each)...)
		}
	case map[string]any:
		for _, name := range []string{"text", "url", "fields", "elements", "accessory", "label"} {
			if value, ok := n[name].(string); ok {
				words = append(words, value)
				continue
			}
			words = append(words, wordsOf(n[name])...)
		}
	}
	return words
}
