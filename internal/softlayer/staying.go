package softlayer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
)

// The masks name every property that is read: a volume's password comes unasked.
const (
	chargeMask  = "billingItem[id,nextInvoiceTotalRecurringAmount,cancellationDate]"
	volumesMask = "mask[id,username," + chargeMask + ",allowedHardware[id],allowedVirtualGuests[id],allowedSubnets[id]," +
		"allowedIpAddresses[id],replicationPartners[id,username," + chargeMask + "]]"
	subnetParts = "id,networkIdentifier,cidr," + chargeMask
	subnetsMask = "mask[" + subnetParts + ",endPointIpAddress[id,hardware[id]]]"
	vlansMask   = "mask[id,fullyQualifiedName,vlanNumber," + chargeMask + ",hardware[id],virtualGuests[id],secondarySubnets[" + subnetParts + "]]"
	usersMask   = "mask[id,billingItem[id],allowedHardware[id],allowedVirtualGuests[id],allowedSubnets[id],allowedIpAddresses[id]," +
		"replicationPartners[id,billingItem[id]]]"
	itemsMask = "mask[id,nextInvoiceTotalRecurringAmount,cancellationDate]"
)

const (
	mostBeside     = 100             // rows of a list of what stands next to one server
	mostVLANs      = 5               // VLANs of which SoftLayer is asked what holds them
	keptRightsTime = 5 * time.Minute // as long as a card relies on the key's rights
)

// keptRights keeps the key's rights for a while: reading them takes two calls. Nothing is decided by
// them.
type keptRights struct {
	mu     sync.Mutex
	until  time.Time
	rights cancellation.Rights
}

func (k *keptRights) get(ctx context.Context, now func() time.Time, read func(context.Context) (cancellation.Rights, error)) (cancellation.Rights, error) {
	k.mu.Lock()
	rights, fresh := k.rights, now().Before(k.until)
	k.mu.Unlock()
	if fresh {
		return rights, nil
	}
	rights, err := read(ctx)
	if err != nil {
		return cancellation.Rights{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rights, k.until = rights, now().Add(keptRightsTime)
	return rights, nil
}

// Beside reads what stands next to a server and may stay billed without it. wait is called before each
// call; nil waits for nothing. What could not be read is named in the facts; the error says why, for
// the log.
func (c *Client) Beside(ctx context.Context, server int64, wait func(context.Context) error) (billed.Facts, error) {
	b := beside{c: c, wait: wait}
	b.facts.Server = server
	rights, err := c.kept.get(ctx, c.now, func(ctx context.Context) (cancellation.Rights, error) {
		if err := b.turn(ctx); err != nil {
			return cancellation.Rights{}, err
		}
		return c.Rights(ctx)
	})
	if err != nil {
		b.facts.Unread = billed.Kinds()
		return b.facts, fmt.Errorf("reading what stands next to server %d: %w", server, err)
	}
	b.rights, b.facts.Billing = rights, rights.Billing
	err = errors.Join(b.volumes(ctx), b.subnets(ctx), b.vlans(ctx))
	if err != nil {
		err = fmt.Errorf("reading what stands next to server %d: %w", server, err)
	}
	return b.facts, err
}

// beside is one read of what stands next to a server.
type beside struct {
	c      *Client
	wait   func(context.Context) error
	rights cancellation.Rights
	facts  billed.Facts
}

func (b *beside) turn(ctx context.Context) error {
	if b.wait == nil {
		return nil
	}
	return b.wait(ctx)
}

// list reads one list of a kind. It notes why there is none.
func (b *beside) list(ctx context.Context, kind billed.Kind, k call, into any) error {
	err := b.turn(ctx)
	if err == nil {
		err = b.c.get(ctx, k, into)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, cancellation.ErrReadRefused), errors.Is(err, ErrNotFound): // the server is there: the key may not see the list
		b.facts.Hidden = append(b.facts.Hidden, kind)
		return nil
	}
	b.facts.Unread = append(b.facts.Unread, kind)
	return err
}

// volumes reads the volumes that the server may use. To a key without the right to storage an empty
// list says nothing.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Hardware_Server/getAllowedNetworkStorage/
func (b *beside) volumes(ctx context.Context) error {
	var rows []volumeRow
	err := b.list(ctx, billed.Volume, call{
		service: "SoftLayer_Hardware_Server", id: b.facts.Server, method: "getAllowedNetworkStorage", mask: volumesMask, limit: mostBeside,
	}, &rows)
	if err == nil && len(rows) == 0 && !b.rights.Storage && !slices.Contains(b.facts.Hidden, billed.Volume) {
		b.facts.Hidden = append(b.facts.Hidden, billed.Volume)
	}
	for _, row := range rows {
		b.facts.Volumes = append(b.facts.Volumes, row.facts(b.rights.AllHardware))
	}
	return b.whole(billed.Volume, len(rows), err)
}

// subnets reads the secondary subnets that are routed to the server.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getSubnets/
func (b *beside) subnets(ctx context.Context) error {
	var rows []subnetRow
	server := b.facts.Server
	err := b.list(ctx, billed.Subnet, call{
		service: "SoftLayer_Account", method: "getSubnets", mask: subnetsMask, limit: mostBeside,
		filter: tree{"subnets": tree{"endPointIpAddress": tree{"hardware": tree{"id": tree{"operation": server}}}}},
	}, &rows)
	for _, row := range rows {
		if row.routedTo() != server { // SoftLayer ignored the filter
			b.facts.Subnets, b.facts.Unread = nil, append(b.facts.Unread, billed.Subnet)
			return fmt.Errorf("listing subnets: %w: subnet %d was not asked for", ErrAnswerLost, row.ID)
		}
		b.facts.Subnets = append(b.facts.Subnets, row.charge())
	}
	return b.whole(billed.Subnet, len(rows), err)
}

// vlans reads the VLANs that the server is on, and what holds those on which it seems to be alone.
// Servers that the key may not see count among that.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Hardware_Server/getNetworkVlans/
// https://sldn.softlayer.com/reference/services/SoftLayer_Network_Vlan/getCancelFailureReasons/
func (b *beside) vlans(ctx context.Context) error {
	var rows []vlanRow
	err := b.list(ctx, billed.VLAN, call{
		service: "SoftLayer_Hardware_Server", id: b.facts.Server, method: "getNetworkVlans", mask: vlansMask, limit: mostBeside,
	}, &rows)
	asked := 0
	for _, row := range rows {
		v := row.facts()
		if v.Alone(b.facts.Server, b.rights.Billing) && asked < mostVLANs {
			asked++
			var reasons []text
			failed := b.turn(ctx)
			if failed == nil {
				failed = b.c.get(ctx, call{service: "SoftLayer_Network_Vlan", id: row.ID, method: "getCancelFailureReasons"}, &reasons)
			}
			err = errors.Join(err, failed)
			v.Asked = failed == nil && reasons != nil
			for _, reason := range reasons {
				v.Reasons = append(v.Reasons, string(reason))
			}
		}
		b.facts.VLANs = append(b.facts.VLANs, v)
	}
	return b.whole(billed.VLAN, len(rows), err)
}

// whole takes a full page for a list that goes on.
func (b *beside) whole(kind billed.Kind, rows int, err error) error {
	if err == nil && rows >= mostBeside {
		b.facts.Unread = append(b.facts.Unread, kind)
	}
	return err
}

// chargeRow is the billing item of something that is billed on its own. The amount includes what
// hangs on the item, such as a volume's space and tier.
type chargeRow struct {
	Item *struct {
		ID    int64 `json:"id"`
		Total money `json:"nextInvoiceTotalRecurringAmount"`
		Ends  text  `json:"cancellationDate"`
	} `json:"billingItem"`
}

func (r chargeRow) of(name string) billed.Charge {
	c := billed.Charge{Name: name}
	if r.Item != nil {
		c.ID, c.Fee, c.Ended = r.Item.ID, string(r.Item.Total), r.Item.Ends != ""
	}
	return c
}

type idRow struct {
	ID int64 `json:"id"`
}

func ids(rows []idRow) []int64 {
	all := make([]int64, len(rows))
	for i, row := range rows {
		all[i] = row.ID
	}
	return all
}

// volumeRow is a SoftLayer_Network_Storage as volumesMask asks for it. A nil list was not shown.
type volumeRow struct {
	chargeRow
	Name     text    `json:"username"`
	Servers  []idRow `json:"allowedHardware"`
	Guests   []idRow `json:"allowedVirtualGuests"`
	Subnets  []idRow `json:"allowedSubnets"`
	IPs      []idRow `json:"allowedIpAddresses"`
	Replicas []struct {
		chargeRow
		Name text `json:"username"`
	} `json:"replicationPartners"`
}

func (r volumeRow) facts(allServers bool) billed.VolumeFacts {
	v := billed.VolumeFacts{
		Charge: r.of(string(r.Name)), Servers: ids(r.Servers),
		Known:  allServers && r.Servers != nil && r.Guests != nil && r.Subnets != nil && r.IPs != nil,
		Others: len(r.Guests)+len(r.Subnets)+len(r.IPs) > 0,
	}
	if slices.ContainsFunc(v.Servers, func(id int64) bool { return id <= 0 }) {
		v.Known = false
	}
	for _, replica := range r.Replicas {
		v.Replicas = append(v.Replicas, replica.of(string(replica.Name)))
	}
	return v
}

// subnetRow is a SoftLayer_Network_Subnet as subnetsMask and vlansMask ask for it.
type subnetRow struct {
	chargeRow
	ID      int64 `json:"id"`
	Network text  `json:"networkIdentifier"`
	CIDR    int   `json:"cidr"`
	End     *struct {
		Hardware *idRow `json:"hardware"`
	} `json:"endPointIpAddress"`
}

func (r subnetRow) charge() billed.Charge {
	return r.of(string(r.Network) + "/" + strconv.Itoa(r.CIDR))
}

// routedTo is the server that the subnet is routed to; 0 for none that was shown.
func (r subnetRow) routedTo() int64 {
	if r.End == nil || r.End.Hardware == nil {
		return 0
	}
	return r.End.Hardware.ID
}

// vlanRow is a SoftLayer_Network_Vlan as vlansMask asks for it. A nil list was not shown.
type vlanRow struct {
	chargeRow
	ID      int64       `json:"id"`
	Name    text        `json:"fullyQualifiedName"`
	Number  text        `json:"vlanNumber"`
	Servers []idRow     `json:"hardware"`
	Guests  []idRow     `json:"virtualGuests"`
	Subnets []subnetRow `json:"secondarySubnets"`
}

func (r vlanRow) facts() billed.VLANFacts {
	name := string(r.Name)
	if name == "" {
		name = string(r.Number)
	}
	v := billed.VLANFacts{Charge: r.of(name), Servers: ids(r.Servers), Known: r.Servers != nil, Others: len(r.Guests) > 0}
	for _, subnet := range r.Subnets {
		v.Subnets = append(v.Subnets, subnet.charge())
	}
	return v
}

// StillBilled reads which of these billing items are billed now. A list that lacks one proves
// something only to a key that sees billing items: it is read again after the list whether it does.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getAllTopLevelBillingItems/
func (c *Client) StillBilled(ctx context.Context, items []int64) (billed.Standing, error) {
	now := billed.Standing{Fees: map[int64]string{}}
	var rows []struct {
		ID    int64 `json:"id"`
		Total money `json:"nextInvoiceTotalRecurringAmount"`
		Ends  text  `json:"cancellationDate"`
	}
	err := c.get(ctx, call{
		service: "SoftLayer_Account", method: "getAllTopLevelBillingItems", mask: itemsMask, limit: len(items),
		filter: tree{"allTopLevelBillingItems": tree{"id": among(items)}},
	}, &rows)
	if errors.Is(err, cancellation.ErrReadRefused) || errors.Is(err, ErrNotFound) {
		return now, nil // the key may not see them
	}
	if err != nil {
		return now, fmt.Errorf("listing %d billing items: %w", len(items), err)
	}
	for _, row := range rows {
		if !slices.Contains(items, row.ID) {
			return billed.Standing{}, fmt.Errorf("listing %d billing items: %w: item %d was not asked for", len(items), ErrAnswerLost, row.ID)
		}
		if ends := date(row.Ends); ends.IsZero() || ends.After(c.now()) { // a date that cannot be read ends nothing
			now.Fees[row.ID] = string(row.Total)
		}
	}
	if now.All = len(now.Fees) == len(items); now.All {
		return now, nil
	}
	rights, err := c.Rights(ctx)
	if errors.Is(err, cancellation.ErrReadRefused) {
		return now, nil
	}
	if err != nil {
		return now, fmt.Errorf("reading whether the key sees billing items: %w", err)
	}
	now.All = rights.Billing
	return now, nil
}

// UsedElsewhere reads which volumes, by their billing items, something else than these servers may use. It
// counts the replicas of such a volume in.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getNetworkStorage/
func (c *Client) UsedElsewhere(ctx context.Context, items, servers []int64) (map[int64]bool, error) {
	var rows []volumeRow
	err := c.get(ctx, call{
		service: "SoftLayer_Account", method: "getNetworkStorage", mask: usersMask, limit: len(items),
		filter: tree{"networkStorage": tree{"billingItem": tree{"id": among(items)}}},
	}, &rows)
	if errors.Is(err, cancellation.ErrReadRefused) || errors.Is(err, ErrNotFound) {
		return nil, nil // the key may not see them
	}
	if err != nil {
		return nil, fmt.Errorf("listing %d volumes: %w", len(items), err)
	}
	used := map[int64]bool{}
	for _, row := range rows {
		volume := row.facts(true)
		if !slices.Contains(items, volume.ID) {
			return nil, fmt.Errorf("listing %d volumes: %w: item %d was not asked for", len(items), ErrAnswerLost, volume.ID)
		}
		if !volume.Others && !slices.ContainsFunc(volume.Servers, func(id int64) bool { return !slices.Contains(servers, id) }) {
			continue
		}
		for _, of := range append(volume.Replicas, volume.Charge) {
			used[of.ID] = true
		}
	}
	return used, nil
}
