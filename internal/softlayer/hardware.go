package softlayer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cancel-server/internal/cancellation"
)

// The masks name every property that is read and no more: whole relations can cause "Internal
// Error", and operatingSystem contains passwords.
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Hardware_Server/
const (
	// coreMask is what identifies a server and what blocks its cancellation.
	coreMask = "id,globalIdentifier,fullyQualifiedDomainName,hostname,domain," +
		"primaryIpAddress,primaryBackendIpAddress,datacenter[name],hardwareStatus[status]," +
		"provisionDate,hourlyBillingFlag,networkGatewayMemberFlag,blockCancelBecauseDisconnectedFlag," +
		"activeTransaction[id,transactionStatus[name,friendlyName]]," +
		"openCancellationTicket[id,serviceProviderResourceId]"
	coreBilling = "id,allowCancellationFlag,pendingCancellationFlag,cancellationDate,nextBillDate," +
		"recurringFee,hourlyRecurringFee,activeAgreement[id,endDate]"

	// restMask is what else a card, a policy and a confirmation need.
	restMask = "tagReferences[tag[name]]," +
		"operatingSystem[softwareLicense[softwareDescription[name,version]]]," +
		"lastTransaction[createDate,transactionGroup[name]]," +
		"networkGatewayMember[id,networkGateway[id,name,members[id,hardware[id,hostname]]]]"
	restBilling = "nextInvoiceTotalRecurringAmount," +
		"nextInvoiceChildren[id,categoryCode,hourlyRecurringFee]," +
		"activeAssociatedChildren[id,description,recurringFee]"

	wholeMask = "mask[" + coreMask + "," + restMask + ",billingItem[" + coreBilling + "," + restBilling + "]]"
	firstMask = "mask[" + coreMask + ",billingItem[" + coreBilling + "]]"
	otherMask = "mask[id," + restMask + ",billingItem[id," + restBilling + "]]"
	lightMask = "mask[id,fullyQualifiedDomainName,hostname,domain," +
		"primaryIpAddress,primaryBackendIpAddress,datacenter[name]]"
)

// Server reads one server by id. If SoftLayer cannot answer the whole mask at once, two calls ask
// for it: what identifies and blocks the server, then the rest. If the rest fails as well, tags,
// the last transaction, associated items and all-in fees are unknown (TagsKnown false, Unread, fees
// ""), and a policy refuses such a server.
//
// cancellation.ErrServerNotFound: there is none, or the key may not see it.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Hardware_Server/getObject/
func (c *Client) Server(ctx context.Context, id int64) (cancellation.Server, error) {
	var found hardware
	err := c.read(ctx, id, wholeMask, &found)
	if errors.Is(err, errTooWide) {
		err = c.readInParts(ctx, id, &found)
	}
	if err != nil {
		return cancellation.Server{}, fmt.Errorf("reading server %d: %w", id, err)
	}
	return found.server(), nil
}

func (c *Client) readInParts(ctx context.Context, id int64, into *hardware) error {
	if err := c.read(ctx, id, firstMask, into); err != nil {
		return err
	}
	whole, billing := *into, into.billingID()
	switch err := c.read(ctx, id, otherMask, &whole); {
	case errors.Is(err, errTooWide):
		return nil
	case err != nil:
		return err
	case whole.billingID() != billing:
		return fmt.Errorf("%w: its billing item changed between two reads", ErrAnswerLost)
	}
	*into = whole
	return nil
}

// read reads one server into what is already known of it, and makes sure that it is the right
// server.
func (c *Client) read(ctx context.Context, id int64, mask string, into *hardware) error {
	into.ID = 0
	err := c.get(ctx, call{
		service: "SoftLayer_Hardware_Server", id: id, method: "getObject", mask: mask,
	}, into)
	switch {
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("%w: %w", cancellation.ErrServerNotFound, err)
	case err != nil:
		return err
	case into.ID != id:
		return fmt.Errorf("%w: the answer is about server %d", ErrAnswerLost, into.ID)
	}
	return nil
}

// OpenCancellationTicket reads a server's open cancellation ticket; nil if there is
// none that the key may see. It asks the server for it, not getOpenCancellationTicket:
// that one answers null where there is none, and null is also how SoftLayer fails.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Hardware_Server/getOpenCancellationTicket/
func (c *Client) OpenCancellationTicket(ctx context.Context, server int64) (*cancellation.TicketID, error) {
	var found hardware
	err := c.read(ctx, server, "mask[id,openCancellationTicket[id,serviceProviderResourceId]]", &found)
	if err != nil {
		return nil, fmt.Errorf("reading the open cancellation ticket of server %d: %w", server, err)
	}
	return found.openTicket(), nil
}

// maxNamesakes is how many are counted: any number above one means the same.
const maxNamesakes = 10

// Namesakes counts the servers with this host name that the key may see, up to 10.
// A row with another name is an error: SoftLayer ignores a filter that it cannot
// read and returns any servers, and a count of those would call the name unique.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getHardware/
func (c *Client) Namesakes(ctx context.Context, hostname string) (int, error) {
	if !searchable(hostname) {
		return 0, fmt.Errorf("counting servers named %q: not a host name", hostname)
	}
	rows, err := c.list(ctx, "hostname", "_= "+hostname, maxNamesakes)
	if err != nil {
		return 0, fmt.Errorf("counting servers named %q: %w", hostname, err)
	}
	for _, row := range rows {
		if !strings.EqualFold(string(row.Hostname), hostname) {
			return 0, fmt.Errorf("counting servers named %q: %w: server %d has another name", hostname, ErrAnswerLost, row.ID)
		}
	}
	return len(rows), nil
}

// list reads servers by one property, lightly.
func (c *Client) list(ctx context.Context, property, operation string, limit int) ([]hardware, error) {
	var rows []hardware
	err := c.get(ctx, call{
		service: "SoftLayer_Account", method: "getHardware", mask: lightMask, limit: limit,
		filter: tree{"hardware": tree{property: where(operation)}},
	}, &rows)
	return rows, err
}
