package softlayer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/closing"
)

const (
	// listMask also has the routers that tell in which pod a server stands.
	listMask = "mask[id,fullyQualifiedDomainName,hostname,domain," +
		"primaryIpAddress,primaryBackendIpAddress,datacenter[name],backendRouters[id]]"
	podMask  = "mask[name,datacenterName,backendRouterId,capabilities]"
	costMask = "mask[id,hourlyBillingFlag,billingItem[id,pendingCancellationFlag,cancellationDate," +
		"hourlyRecurringFee,nextInvoiceTotalRecurringAmount,nextInvoiceChildren[id,categoryCode,hourlyRecurringFee]]]"
	billMask = "mask[id,billingItem[id,nextBillDate,pendingCancellationFlag,cancellationDate]]"
)

// closureAnnounced is the capability of a pod that will close.
// https://github.com/softlayer/softlayer-python/blob/master/SoftLayer/CLI/report/dc_closures.py
const closureAnnounced = "CLOSURE_ANNOUNCED"

// podRow is a SoftLayer_Network_Pod as podMask asks for it.
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Network_Pod/
type podRow struct {
	Name         text    `json:"name"`
	Datacenter   text    `json:"datacenterName"`
	Router       int64   `json:"backendRouterId"`
	Capabilities *[]text `json:"capabilities"` // nil: not in the answer
}

// Pods reads all pods of SoftLayer's data centers, by name, with their backend routers and whether it
// has announced that they will close. It returns an error for an answer without a pod, and for one that
// names a pod twice or leaves out its name, data center or capabilities: such an answer does not say
// which pods stay.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Network_Pod/getAllObjects/
func (c *Client) Pods(ctx context.Context) ([]closing.Pod, error) {
	k := call{service: "SoftLayer_Network_Pod", method: "getAllObjects", mask: podMask}
	var rows []podRow
	err := c.get(ctx, k, &rows)
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("%w: there is no pod in it", ErrAnswerLost)
	}
	pods := make([]closing.Pod, 0, len(rows))
	for _, row := range rows {
		if row.Name == "" || row.Datacenter == "" || row.Capabilities == nil {
			err = fmt.Errorf("%w: the pod %q has no name, no data center or no capabilities", ErrAnswerLost, row.Name)
			break
		}
		pods = append(pods, closing.Pod{
			Name: strings.ToLower(string(row.Name)), Datacenter: strings.ToLower(string(row.Datacenter)),
			Router: row.Router, Closing: slices.Contains(*row.Capabilities, closureAnnounced),
		})
	}
	slices.SortFunc(pods, func(a, b closing.Pod) int { return strings.Compare(a.Name, b.Name) })
	for n := 1; n < len(pods) && err == nil; n++ {
		if pods[n].Name == pods[n-1].Name {
			err = fmt.Errorf("%w: the pod %q comes twice", ErrAnswerLost, pods[n].Name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading SoftLayer's pods: %w", err)
	}
	return pods, nil
}

// routed reads a page of all servers with their backend routers. If SoftLayer cannot answer that for so
// many rows, the servers come without: then nobody knows their pod.
func (c *Client) routed(ctx context.Context, k call) (rows []hardware, total int, err error) {
	k.mask = listMask
	total, err = c.page(ctx, k, &rows)
	if errors.Is(err, errTooWide) {
		rows, k.mask = nil, lightMask
		total, err = c.page(ctx, k, &rows)
	}
	return rows, total, err
}

// routers are the ids of a server's backend routers, each once; nil if the answer does not say.
func (h hardware) routers() []int64 {
	if h.Routers == nil {
		return nil
	}
	routers := slices.DeleteFunc(ids(h.Routers), func(id int64) bool { return id <= 0 })
	slices.Sort(routers)
	return slices.Compact(routers)
}

// Costs reads what up to [closing.MostCosts] servers cost, and whether a cancellation stands, by their ids. That
// one is missing proves nothing.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getHardware/
func (c *Client) Costs(ctx context.Context, servers []int64) (map[int64]closing.Cost, error) {
	found := make(map[int64]closing.Cost, len(servers))
	err := c.billing(ctx, costMask, servers, func(s cancellation.Server) {
		found[s.ID] = closing.Cost{
			Fee: s.MonthlyFee(), Hourly: s.Hourly,
			Cancelled: slices.Contains(s.Blockers(), cancellation.BlockedByPending),
		}
	})
	if err != nil {
		return nil, fmt.Errorf("reading what %d servers cost: %w", len(servers), err)
	}
	return found, nil
}

// BillDates reads the next bill dates of servers, as SoftLayer writes them, with one call for [closing.MostCosts] of
// them. Those whose date the key cannot see are missing, and those of which a cancellation stands.
func (c *Client) BillDates(ctx context.Context, servers []int64) (map[int64]string, error) {
	found := make(map[int64]string, len(servers))
	for some := range slices.Chunk(servers, closing.MostCosts) {
		err := c.billing(ctx, billMask, some, func(s cancellation.Server) {
			if s.Billing != nil && s.Billing.NextBillDate != "" && !slices.Contains(s.Blockers(), cancellation.BlockedByPending) {
				found[s.ID] = s.Billing.NextBillDate
			}
		})
		if err != nil {
			return nil, fmt.Errorf("reading the bill dates of %d servers: %w", len(servers), err)
		}
	}
	return found, nil
}

// billing reads servers with their billing, in one call.
func (c *Client) billing(ctx context.Context, mask string, servers []int64, each func(cancellation.Server)) error {
	var rows []hardware
	err := c.get(ctx, call{
		service: "SoftLayer_Account", method: "getHardware", mask: mask, limit: len(servers),
		filter: tree{"hardware": tree{"id": among(servers)}},
	}, &rows)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !slices.Contains(servers, row.ID) { // SoftLayer ignored the filter: nothing in the answer was asked for
			return fmt.Errorf("%w: server %d was not asked for", ErrAnswerLost, row.ID)
		}
		each(row.server())
	}
	return nil
}
