package softlayer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"cancel-server/internal/cancellation"
)

// Servers lists servers in the order of their ids, no more of each than [Client.Search]
// reads and the backend routers: at most limit of them from an offset on. total is how many the key may see in all.
// Without the order SoftLayer may change it from one page to the next.
//
// https://sldn.softlayer.com/article/using-result-limits-softlayer-api/
func (c *Client) Servers(ctx context.Context, offset, limit int) (servers []cancellation.Server, total int, err error) {
	rows, total, err := c.routed(ctx, call{
		service: "SoftLayer_Account", method: "getHardware", offset: offset, limit: limit,
		filter: tree{"hardware": tree{"id": ascending()}},
	})
	if err != nil {
		return nil, 0, fmt.Errorf("listing servers from %d on: %w", offset, err)
	}
	for _, row := range rows {
		servers = append(servers, row.server())
	}
	return servers, total, nil
}

// Tags lists tags that something carries, names by id: at most limit of them from an
// offset on. total is how many there are in all. The method takes no order.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Tag/getAttachedTagsForCurrentUser/
func (c *Client) Tags(ctx context.Context, offset, limit int) (names map[int64]string, total int, err error) {
	var rows []struct {
		ID   int64 `json:"id"`
		Name text  `json:"name"`
	}
	total, err = c.page(ctx, call{
		service: "SoftLayer_Tag", method: "getAttachedTagsForCurrentUser", mask: "mask[id,name]", offset: offset, limit: limit,
	}, &rows)
	if err != nil {
		return nil, 0, fmt.Errorf("listing tags from %d on: %w", offset, err)
	}
	names = make(map[int64]string, len(rows))
	for _, row := range rows {
		names[row.ID] = string(row.Name)
	}
	return names, total, nil
}

// hardwareTag is the kind of a reference from a tag to a server.
// https://sldn.softlayer.com/reference/services/SoftLayer_Tag/getAllTagTypes/
const hardwareTag = "HARDWARE"

// Tagged lists what carries a tag and is bare metal, by id, among at most limit things
// from an offset on. total is how many things carry it, whatever they are. A tag that
// nothing carries any more is on nothing.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Tag/getReferences/
func (c *Client) Tagged(ctx context.Context, tag int64, offset, limit int) (servers []int64, total int, err error) {
	var rows []struct {
		Server int64 `json:"resourceTableId"`
		Kind   struct {
			KeyName text `json:"keyName"`
		} `json:"tagType"`
	}
	total, err = c.page(ctx, call{
		service: "SoftLayer_Tag", id: tag, method: "getReferences", mask: "mask[id,resourceTableId,tagType[keyName]]",
		offset: offset, limit: limit,
		filter: tree{"references": tree{"id": ascending()}},
	}, &rows)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, 0, nil
	case err != nil:
		return nil, 0, fmt.Errorf("listing the servers with tag %d from %d on: %w", tag, offset, err)
	}
	for _, row := range rows {
		if row.Kind.KeyName == hardwareTag {
			servers = append(servers, row.Server)
		}
	}
	return servers, total, nil
}

// totalItems is the header that says how long the whole of a list is
// (https://sldn.softlayer.com/article/using-result-limits-softlayer-api/).
const totalItems = "SoftLayer-Total-Items"

// page reads a part of a list, and how long the whole of it is. Without that number the
// answer is of no use: nobody could say that a list is complete.
func (c *Client) page(ctx context.Context, k call, into any) (total int, err error) {
	header := http.Header{}
	k.header = &header
	if err := c.get(ctx, k, into); err != nil {
		return 0, err
	}
	total, err = strconv.Atoi(header.Get(totalItems))
	if err != nil || total < 0 {
		return 0, c.cleaned(unusable(http.StatusOK, "a list that does not say how long it is"), k)
	}
	return total, nil
}

// guest is a SoftLayer_Virtual_Guest, as far as it matters here.
type guest struct {
	ID        int64 `json:"id"`
	Hostname  text  `json:"hostname"`
	FQDN      text  `json:"fullyQualifiedDomainName"`
	PublicIP  text  `json:"primaryIpAddress"`
	PrivateIP text  `json:"primaryBackendIpAddress"`
}

const guestMask = "mask[id,hostname,fullyQualifiedDomainName,primaryIpAddress,primaryBackendIpAddress]"

// IsVirtual reports whether a virtual server that the key may see is called so: by its host
// name, its full name, one of its addresses or its id, all of it; capitals do not matter.
// It returns false without a call for text that cannot be a server's name.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getVirtualGuests/
func (c *Client) IsVirtual(ctx context.Context, name string) (bool, error) {
	s := search{text: strings.ToLower(strings.TrimSpace(name))}
	if !searchable(s.text) {
		return false, nil
	}
	found, err := c.guests(ctx, s)
	if err != nil {
		return false, fmt.Errorf("looking for a virtual server called %q: %w", s.text, err)
	}
	for _, g := range found {
		if s.names(g) {
			return true, nil
		}
	}
	return false, nil
}

// guests asks for the virtual servers of one name. SoftLayer joins the conditions of one
// filter by "and", so each property has a question of its own.
func (c *Client) guests(ctx context.Context, s search) ([]guest, error) {
	properties := []string{"hostname"}
	_, notAddress := netip.ParseAddr(s.text)
	switch {
	case s.isNumber():
		return c.guestByID(ctx, s.text)
	case notAddress == nil:
		properties = []string{"primaryIpAddress", "primaryBackendIpAddress"}
	case strings.Contains(s.text, "."):
		properties = []string{"fullyQualifiedDomainName"}
	}
	var all []guest
	for _, property := range properties {
		var rows []guest
		err := c.get(ctx, call{
			service: "SoftLayer_Account", method: "getVirtualGuests", mask: guestMask, limit: maxNamesakes,
			filter: tree{"virtualGuests": tree{property: where("_= " + s.text)}},
		}, &rows)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

func (c *Client) guestByID(ctx context.Context, digits string) ([]guest, error) {
	id, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || id <= 0 {
		return nil, nil // too long for an id
	}
	var found guest
	err = c.get(ctx, call{service: "SoftLayer_Virtual_Guest", id: id, method: "getObject", mask: guestMask}, &found)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return []guest{found}, err
}

// names reports whether a virtual server is called so: SoftLayer ignores a filter that it
// cannot read, and returns any.
func (s search) names(g guest) bool {
	for _, name := range []text{text(strconv.FormatInt(g.ID, 10)), g.Hostname, g.FQDN, g.PublicIP, g.PrivateIP} {
		if strings.EqualFold(string(name), s.text) {
			return true
		}
	}
	return false
}
