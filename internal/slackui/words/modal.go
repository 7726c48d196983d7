package words

import (
	"encoding/json"
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
	FormCallback   = "cancel-server:form:1"
	noticeCallback = "cancel-server:notice:1"
)

// The block ids and action ids of the form. Those of fields that belong to one
// server are followed by its id.
const (
	ServerBlock     = "server"
	ReasonBlock     = "reason"
	ContentBlock    = "content"
	WarningsBlock   = "warnings:"
	AssociatedBlock = "associated:"
	ConfirmBlock    = "confirm:"

	ServerAction     = "choose"
	ReasonAction     = "reason"
	ContentAction    = "content"
	WarningsAction   = "warnings"
	AssociatedAction = "associated"
	ConfirmAction    = "confirm"

	AssociatedValue = "too"
)

// MinQuery is how much must be typed before servers are offered.
const MinQuery = 2

// Form is what the modal displays, and what a person filled in.
type Form struct {
	Account cancellation.Account
	Place   cancellation.Place // where the result goes
	Card    *cancellation.Card // nil: none chosen, or not read
	Typed   Typed
	Frozen  cancellation.Freeze   // the order about filing that stands
	Note    string                // what to know before choosing; "" for nothing
	Offers  []cancellation.Server // which servers may be meant, each with a button
	Failed  string                // why there is no card, in its place; "" for nothing
	Reading bool                  // what stays billed is being read; it is added to the card
	Refused *authz.Decision       // why this person may not ask for the card's server; nil where they may
}

// Typed is what a person filled in.
type Typed struct {
	Server       int64 // the server chosen; 0 for none
	Reason       string
	Content      string
	Warnings     []string // the card's, as far as they were confirmed
	Associated   bool
	Confirmation string
}

// BlockOf is the block id of a field that belongs to one server; prefix ends with a colon.
func BlockOf(prefix string, server int64) string { return prefix + strconv.FormatInt(server, 10) }

// Modal builds the form; sealed is its private_metadata.
func (w Writer) Modal(f Form, sealed string) View {
	blocks := []slack.Block{footnote("place", placeWords(f))}
	if f.Frozen.Frozen {
		blocks = append(blocks, block("frozen", frozenBy(f.Frozen, displayed), sentence("You can still ask; nothing is filed until the freeze is lifted.")))
	}
	if f.Note != "" {
		blocks = append(blocks, block("note", sentence(f.Note)))
	}
	if len(f.Offers) > 0 {
		blocks = append(blocks, offersInput(f.Offers))
	}
	blocks = append(blocks, serverInput(f.Card))
	if f.Card == nil {
		blocks = append(blocks, severalButton)
	}
	if f.Failed != "" {
		blocks = append(blocks, block(BlockOf("failed:", f.Typed.Server), sentence("⚠ "+f.Failed)))
	}
	asks := f.Card != nil && len(f.Card.Blockers()) == 0
	if f.Card != nil {
		blocks = append(blocks, w.cardBlocks(*f.Card, f.Refused, f.Reading)...)
	}
	if asks && len(warnings(*f.Card)) > 0 {
		blocks = append(blocks, warningsInput(*f.Card, f.Typed.Warnings))
	}
	blocks = append(blocks, reasonInput(f.Typed.Reason), contentInput(f.Typed.Content))
	if asks {
		blocks = append(blocks, serverFields(*f.Card, f.Typed)...)
	}
	return View{
		Type: slack.VTModal, CallbackID: FormCallback, PrivateMetadata: sealed,
		Title: plainText("Cancel a server"), Submit: plainText("Request cancellation"), Close: plainText("Keep the server"),
		Blocks: slack.Blocks{BlockSet: blocks},
	}
}

func placeWords(f Form) string {
	text := "The result goes to " + channelWords(f.Place)
	if f.Account.ID == "" {
		return text
	}
	account := "Account " + f.Account.ID
	if f.Account.Name != "" {
		account = fmt.Sprintf("Account %s (%s)", displayed(f.Account.Name), f.Account.ID)
	}
	return account + " · the result goes to " + channelWords(f.Place)
}

func serverInput(card *cancellation.Card) slack.Block {
	if card == nil {
		return emptyServer
	}
	return filledServer(card)
}

func filledServer(card *cancellation.Card) slack.Block {
	least := MinQuery
	choose := &slack.SelectBlockElement{
		Type: slack.OptTypeExternal, ActionID: ServerAction,
		Placeholder: plainText("Name, IP address or id"), MinQueryLength: &least,
	}
	if card != nil {
		choose.InitialOption = serverOption(card.Server, optionText(card.Server))
	}
	input := slack.NewInputBlock(ServerBlock, plainText("Server"), nil, choose)
	return input.WithDispatchAction(true)
}

func reasonInput(chosen string) slack.Block {
	if chosen == "" {
		return emptyReason
	}
	return filledReason(chosen)
}

func filledReason(chosen string) slack.Block {
	reasons := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plainText("Choose one"), ReasonAction)
	for _, reason := range cancellation.Reasons() {
		option := slack.NewOptionBlockObject(reason, plainText(reason), nil)
		reasons.Options = append(reasons.Options, option)
		if reason == chosen {
			reasons.InitialOption = option
		}
	}
	return slack.NewInputBlock(ReasonBlock, plainText("Reason"), nil, reasons)
}

func contentInput(content string) slack.Block {
	if content == "" {
		return emptyContent
	}
	return filledContent(content)
}

func filledContent(content string) slack.Block {
	field := slack.NewPlainTextInputBlockElement(nil, ContentAction)
	field.Multiline, field.MaxLength = true, cancellation.MaxContent
	if !cancellation.TooLong(content) { // else Slack refuses the view; the block stays, and keeps what was typed
		field.InitialValue = content
	}
	return slack.NewInputBlock(ContentBlock, plainText("What ran here, and why can it go?"),
		plainText("SoftLayer's staff read this: no passwords."), field)
}

// warningsInput has each of the card's warnings confirmed.
func warningsInput(c cancellation.Card, ticked []string) slack.Block {
	boxes := slack.NewCheckboxGroupsBlockElement(WarningsAction)
	for _, warning := range warnings(c) {
		option := warningOption(c.Server, warning)
		boxes.Options = append(boxes.Options, option)
		if slices.Contains(ticked, warning) {
			boxes.InitialOptions = append(boxes.InitialOptions, option)
		}
	}
	return slack.NewInputBlock(BlockOf(WarningsBlock, c.Server.ID), plainText("Please confirm"), nil, boxes)
}

// serverFields are the fields that another choice empties.
func serverFields(c cancellation.Card, t Typed) []slack.Block {
	var blocks []slack.Block
	if items := c.Server.Billing.Associated; len(items) > 0 {
		blocks = append(blocks, associatedInput(c.Server.ID, items, t.Associated))
	}
	field := slack.NewPlainTextInputBlockElement(nil, ConfirmAction)
	field.InitialValue = Cut(t.Confirmation, cancellation.MaxContent)
	return append(blocks, slack.NewInputBlock(BlockOf(ConfirmBlock, c.Server.ID),
		plainText("Type "+displayed(c.Server.FQDN)+" to confirm"),
		plainText("Capitals and spaces around it do not matter."), field))
}

func associatedInput(server int64, items []cancellation.AssociatedItem, ticked bool) slack.Block {
	option := slack.NewOptionBlockObject(AssociatedValue, plainText(Cut("Cancel these too: "+itemsWords(items), maxOptionText)), nil)
	box := slack.NewCheckboxGroupsBlockElement(AssociatedAction, option)
	if ticked {
		box.InitialOptions = []*slack.OptionBlockObject{option}
	}
	input := slack.NewInputBlock(BlockOf(AssociatedBlock, server), plainText("Associated items"),
		plainText("The card above lists each of them."), box)
	return input.WithOptional(true)
}

// LookingUp is the modal while a server that a command names is looked for.
func LookingUp(name, sealed string) View {
	return View{
		Type: slack.VTModal, CallbackID: FormCallback, PrivateMetadata: sealed,
		Title: plainText("Cancel a server"), Close: plainText("Keep the server"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{block("looking", line{plain("Looking up "), bold(displayed(name)), plain(" …")})}},
	}
}

// prepared is a block that was encoded once. It is the same in each form: nothing in it is about a
// person, a place, a freeze or the policy.
type prepared struct {
	slack.Block
	encoded json.RawMessage
}

// MarshalJSON returns the block as it was encoded.
func (p prepared) MarshalJSON() ([]byte, error) { return p.encoded, nil }

// The form's fields while nothing is in them.
var (
	emptyServer   = prepare(filledServer(nil))
	severalButton = prepare(SeveralButton())
	emptyReason   = prepare(filledReason(""))
	emptyContent  = prepare(filledContent(""))
)

func prepare(b slack.Block) slack.Block {
	encoded, err := json.Marshal(b)
	if err != nil {
		return b // each use of it fails
	}
	return prepared{b, encoded}
}
