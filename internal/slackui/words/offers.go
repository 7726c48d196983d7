package words

import (
	"strconv"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
)

// OffersBlock is the block of buttons that each choose one of the servers which a message
// or a command may mean. Their action ids end with the server's id.
const (
	OffersBlock = "offers"
	OfferAction = "offer:"
)

// maxOffers is how many servers have a button; the typeahead has the others.
const maxOffers = 10

// offersInput has a button for each server that is offered.
func offersInput(servers []cancellation.Server) slack.Block {
	var buttons []slack.BlockElement
	servers = servers[:min(len(servers), maxOffers)]
	for n, text := range optionTexts(servers) {
		id := strconv.FormatInt(servers[n].ID, 10)
		buttons = append(buttons, slack.NewButtonBlockElement(OfferAction+id, id, plainText(text)))
	}
	return slack.NewActionBlock(OffersBlock, buttons...)
}
