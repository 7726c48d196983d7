package slackui

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/slack-go/slack"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// The callback ids of the bot's views. The number is the form's version: a build
// reads no form of another one.
const (
	formCallback   = "cancel-server:form:1"
	noticeCallback = "cancel-server:notice:1"
)

// The block ids and action ids of the form. Those of fields that belong to one
// server are followed by its id.
const (
	serverBlock     = "server"
	reasonBlock     = "reason"
	contentBlock    = "content"
	warningsBlock   = "warnings:"
	associatedBlock = "associated:"
	confirmBlock    = "confirm:"

	serverAction     = "choose"
	reasonAction     = "reason"
	contentAction    = "content"
	warningsAction   = "warnings"
	associatedAction = "associated"
	confirmAction    = "confirm"

	associatedValue = "too"
)

// minQuery is how much must be typed before servers are offered.
const minQuery = 2

// form is what the modal shows, and what a person filled in.
type form struct {
	account cancellation.Account
	place   cancellation.Place
	card    *cancellation.Card // nil: none chosen, or not read
	typed   typed
	frozen  cancellation.Freeze   // the order about filing that stands
	note    string                // what to know before choosing; "" for nothing
	offers  []cancellation.Server // which servers may be meant, each with a button
	failed  string                // why there is no card, in its place; "" for nothing
	refused *authz.Decision       // why this person may not ask for the card's server; nil where they may
}

// typed is what a person filled in.
type typed struct {
	Server       int64 // the server chosen; 0 for none
	Reason       string
	Content      string
	Warnings     []string // the card's, as far as they were confirmed
	Associated   bool
	Confirmation string
}

// belongs is the block id of a field that belongs to one server.
func belongs(prefix string, server int64) string { return prefix + strconv.FormatInt(server, 10) }

// modal builds the form; sealed is its private_metadata.
func (w Words) modal(f form, sealed string) slack.ModalViewRequest {
	blocks := []slack.Block{footnote("place", placeWords(f))}
	if f.frozen.Frozen {
		blocks = append(blocks, block("frozen", frozenBy(f.frozen, shown), sentence("What you ask for now is recorded, and waits until that ends.")))
	}
	if f.note != "" {
		blocks = append(blocks, block("note", sentence(f.note)))
	}
	if len(f.offers) > 0 {
		blocks = append(blocks, offersInput(f.offers))
	}
	blocks = append(blocks, serverInput(f))
	if f.failed != "" {
		blocks = append(blocks, block(belongs("failed:", f.typed.Server), sentence("⚠ "+f.failed)))
	}
	asks := f.card != nil && len(f.card.Blockers()) == 0
	if f.card != nil {
		blocks = append(blocks, w.cardBlocks(*f.card, f.refused)...)
	}
	if asks && len(warnings(*f.card)) > 0 {
		blocks = append(blocks, warningsInput(*f.card, f.typed.Warnings))
	}
	blocks = append(blocks, reasonInput(f.typed.Reason), contentInput(f.typed.Content))
	if asks {
		blocks = append(blocks, serverFields(*f.card, f.typed)...)
	}
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: formCallback, PrivateMetadata: sealed,
		Title: plainText("Cancel a server"), Submit: plainText("Request cancellation"), Close: plainText("Keep the server"),
		Blocks: slack.Blocks{BlockSet: blocks},
	}
}

func placeWords(f form) string {
	text := "The result goes to " + channelWords(f.place)
	if f.account.ID == "" {
		return text
	}
	account := "Account " + f.account.ID
	if f.account.Name != "" {
		account = fmt.Sprintf("Account %s (%s)", shown(f.account.Name), f.account.ID)
	}
	return account + " · the result goes to " + channelWords(f.place)
}

func serverInput(f form) slack.Block {
	least := minQuery
	choose := &slack.SelectBlockElement{
		Type: slack.OptTypeExternal, ActionID: serverAction,
		Placeholder: plainText("Name, IP address or id"), MinQueryLength: &least,
	}
	if f.card != nil {
		choose.InitialOption = serverOption(f.card.Server, optionText(f.card.Server))
	}
	input := slack.NewInputBlock(serverBlock, plainText("Server"), nil, choose)
	return input.WithDispatchAction(true)
}

func reasonInput(chosen string) slack.Block {
	reasons := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plainText("Choose one"), reasonAction)
	for _, reason := range cancellation.Reasons() {
		option := slack.NewOptionBlockObject(reason, plainText(reason), nil)
		reasons.Options = append(reasons.Options, option)
		if reason == chosen {
			reasons.InitialOption = option
		}
	}
	return slack.NewInputBlock(reasonBlock, plainText("Reason"), nil, reasons)
}

func contentInput(content string) slack.Block {
	field := slack.NewPlainTextInputBlockElement(nil, contentAction)
	field.Multiline, field.MaxLength = true, cancellation.MaxContent
	if !cancellation.TooLong(content) { // else Slack refuses the view; the block stays, and keeps what was typed
		field.InitialValue = content
	}
	return slack.NewInputBlock(contentBlock, plainText("What ran here, and why can it go?"),
		plainText("SoftLayer's staff read this: no passwords."), field)
}

// warningsInput has each of the card's warnings confirmed.
func warningsInput(c cancellation.Card, ticked []string) slack.Block {
	boxes := slack.NewCheckboxGroupsBlockElement(warningsAction)
	for _, warning := range warnings(c) {
		option := warningOption(c.Server, warning)
		boxes.Options = append(boxes.Options, option)
		if slices.Contains(ticked, warning) {
			boxes.InitialOptions = append(boxes.InitialOptions, option)
		}
	}
	return slack.NewInputBlock(belongs(warningsBlock, c.Server.ID), plainText("Please confirm"), nil, boxes)
}

// serverFields are the fields that another choice empties.
func serverFields(c cancellation.Card, t typed) []slack.Block {
	var blocks []slack.Block
	if items := c.Server.Billing.Associated; len(items) > 0 {
		blocks = append(blocks, associatedInput(c.Server.ID, items, t.Associated))
	}
	field := slack.NewPlainTextInputBlockElement(nil, confirmAction)
	field.InitialValue = cut(t.Confirmation, cancellation.MaxContent)
	return append(blocks, slack.NewInputBlock(belongs(confirmBlock, c.Server.ID),
		plainText("Type "+shown(c.Server.FQDN)+" to confirm"),
		plainText("Capitals and spaces around it do not matter."), field))
}

func associatedInput(server int64, items []cancellation.AssociatedItem, ticked bool) slack.Block {
	option := slack.NewOptionBlockObject(associatedValue, plainText(cut("Cancel these too: "+itemsWords(items), 75)), nil)
	box := slack.NewCheckboxGroupsBlockElement(associatedAction, option)
	if ticked {
		box.InitialOptions = []*slack.OptionBlockObject{option}
	}
	input := slack.NewInputBlock(belongs(associatedBlock, server), plainText("Associated items"),
		plainText("They stand one by one on the card above."), box)
	return input.WithOptional(true)
}

// lookingUp is the modal while a server that was named in the command is looked for.
func lookingUp(name, sealed string) slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: formCallback, PrivateMetadata: sealed,
		Title: plainText("Cancel a server"), Close: plainText("Keep the server"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{block("looking", line{plain("Looking up "), bold(shown(name)), plain(" …")})}},
	}
}
