package fakesoftlayer

import (
	"fmt"
	"maps"
	"slices"
)

// What stands next to the servers and is billed on without them: volumes, secondary subnets and
// VLANs. Nothing about it is random or stored: it follows from the places of the servers in the
// account, so that it changes no server of a seed.
//
//   - Every 4th server, from the first, has a block volume of its own, and with the next
//     server a file volume; every 8th one's block volume has a replica.
//   - Every 8th, from the 5th, has a second block volume, which a virtual server may use too.
//   - Every 3rd, from the first, is the end point of a static subnet.
//   - Every 6th, from the first, is alone on a private VLAN that is billed; every 12th has a
//     portable subnet on it. The others share automatic VLANs with their neighbours in a place.
const (
	firstVolume      = 500_000_000
	firstSubnet      = 700_000_000
	firstVLAN        = 800_000_000
	firstPremiumVLAN = 850_000_000
	toBillingItem    = 1_000_000_000 // from the id of any of these to that of its billing item
	vlanShare        = 10            // neighbours on one automatic VLAN
)

// The kinds of volumes and subnets: the last digit of an id.
const (
	ownVolume = iota
	sharedVolume
	guestVolume
	replicaVolume

	staticSubnet   = 0
	portableSubnet = 1
)

// places are the data centers of the account, in the order of its VLANs.
var places = []string{"fra02", "dal13", "lon06", "wdc07", "tok02"}

// serviceMethods are the methods about what stays billed.
func serviceMethods() map[string]method {
	everything := func(right string, list func(*Account) []any) func(*Account, *request) (any, error) {
		return func(a *Account, _ *request) (any, error) {
			if right != "" && !a.key.may(right) {
				return a.deniedList(accountID)
			}
			return list(a), nil
		}
	}
	return map[string]method{
		accountType + "/getNetworkStorage": {returns: storageType, root: "networkStorage", run: everything(nasManage, (*Account).volumes)},
		accountType + "/getSubnets":        {returns: subnetType, root: "subnets", run: everything("", (*Account).subnets)},
		accountType + "/getNetworkVlans":   {returns: vlanType, root: "networkVlans", run: everything("", (*Account).vlans)},
		accountType + "/getAllTopLevelBillingItems": {
			returns: billingItemType, root: "allTopLevelBillingItems", run: everything(accountSummaryView, (*Account).topLevelItems),
		},
		serverType + "/getAllowedNetworkStorage": getter(serverType, (*Account).getServer, "allowedNetworkStorage"),
		serverType + "/getNetworkVlans":          getter(serverType, (*Account).getServer, "networkVlans"),
		storageType + "/getObject":               {returns: storageType, run: (*Account).getVolume},
		storageType + "/getAllowedHardware":      getter(storageType, (*Account).getVolume, "allowedHardware"),
		storageType + "/getBillingItem":          getter(storageType, (*Account).getVolume, "billingItem"),
		subnetType + "/getObject":                {returns: subnetType, run: oneOf((*Account).subnets)},
		subnetType + "/getBillingItem":           getter(subnetType, oneOf((*Account).subnets), "billingItem"),
		subnetType + "/getEndPointIpAddress":     getter(subnetType, oneOf((*Account).subnets), "endPointIpAddress"),
		vlanType + "/getObject":                  {returns: vlanType, run: oneOf((*Account).vlans)},
		vlanType + "/getBillingItem":             getter(vlanType, oneOf((*Account).vlans), "billingItem"),
		vlanType + "/getCancelFailureReasons":    {run: (*Account).cancelFailureReasons},
	}
}

// oneOf finds the object of a list that a call's id names.
func oneOf(list func(*Account) []any) func(*Account, *request) (any, error) {
	return func(a *Account, q *request) (any, error) {
		for _, object := range list(a) {
			if number(object.(tree)["id"]) == number(q.id) {
				return object, nil
			}
		}
		return nil, errNotFound(q.id)
	}
}

// placeOf is a server's place in the account, from 0; -1 if there is no such server.
func (a *Account) placeOf(server int64) int {
	at, found := slices.BinarySearch(a.serverIDs, server)
	if !found {
		return -1
	}
	return at
}

// at is the server at a place, nil if none is there or it is gone.
func (a *Account) at(place int) *server {
	if place >= len(a.serverIDs) || a.servers[a.serverIDs[place]].removed {
		return nil
	}
	return a.servers[a.serverIDs[place]]
}

// seenAt are the servers at some places that are not gone and that the key may see.
func (a *Account) seenAt(some ...int) []any {
	list := []any{}
	for _, place := range some {
		if s := a.at(place); s != nil && a.key.sees(number(s.tree["id"])) {
			list = append(list, s.tree)
		}
	}
	return list
}

// serviceItem is the billing item of something with an id.
func (a *Account) serviceItem(id int64, category, description, notes, fee string) tree {
	return tree{
		"id": id + toBillingItem, "allowCancellationFlag": int64(1), "pendingCancellationFlag": false,
		"createDate": date(a.bill(-14)), "nextBillDate": date(a.nextBill()), "lastBillDate": date(a.bill(a.billed - 1)),
		"description": description, "categoryCode": category, "notes": notes, "recurringFee": fee,
		"nextInvoiceTotalRecurringAmount": fee,
	}
}

// volumes are the volumes of the account.
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Network_Storage/
func (a *Account) volumes() []any {
	list := []any{}
	for place := range a.serverIDs {
		for _, kind := range volumeKinds(place) {
			list = append(list, a.volume(place, kind))
		}
	}
	return list
}

// volumeKinds are the volumes that a place begins.
func volumeKinds(place int) []int {
	switch {
	case place%8 == 0:
		return []int{ownVolume, sharedVolume, replicaVolume}
	case place%8 == 4:
		return []int{ownVolume, sharedVolume, guestVolume}
	}
	return nil
}

// allowedStorage are the volumes that a server may use.
func (a *Account) allowedStorage(object tree) any {
	list := []any{}
	place := a.placeOf(number(object["id"]))
	for begins := max(place-1, 0); begins <= place; begins++ {
		for _, kind := range volumeKinds(begins) {
			if slices.Contains(usersOf(begins, kind), place) {
				list = append(list, a.volume(begins, kind))
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(a.lent)) {
		if slices.Contains(a.lent[id], place) {
			list = append(list, a.volume(int(id-firstVolume)/10, int(id-firstVolume)%10))
		}
	}
	return list
}

func volumeID(place, kind int) int64 { return firstVolume + int64(place)*10 + int64(kind) }

// usersOf are the places of the servers that may use a volume. Nobody may use a replica.
func usersOf(place, kind int) []int {
	switch kind {
	case sharedVolume:
		return []int{place, place + 1}
	case replicaVolume:
		return nil
	}
	return []int{place}
}

// volume is one volume. A server that is gone, or that the key may not see, is not among those
// that may use it.
func (a *Account) volume(place, kind int) tree {
	id := volumeID(place, kind)
	name := fmt.Sprintf("IBM02SEL%d-%d", accountID, id-firstVolume)
	category, nas, storage := "storage_service_enterprise", "ISCSI", "ENDURANCE_BLOCK_STORAGE"
	if kind == sharedVolume {
		nas, storage = "NAS", "ENDURANCE_FILE_STORAGE"
	}
	v := tree{
		"id": id, "accountId": int64(accountID), "username": name, "password": "fake-password-that-must-never-be-read",
		"capacityGb": int64(500), "nasType": nas, "notes": "", "createDate": date(a.bill(-14)), "serviceProviderId": int64(1),
		"storageType": tree{"keyName": storage}, "storageTierLevel": "LOW_INTENSITY_TIER", "bytesUsed": "0", "lunId": "0",
		"serviceResourceBackendIpAddress": "10.255.0.10", "replicationStatus": nil,
		"allowedHardware":      a.seenAt(append(usersOf(place, kind), a.lent[id]...)...),
		"allowedVirtualGuests": []any{}, "replicationPartners": []any{},
		"billingItem": a.serviceItem(id, category, "Block Storage", name, "72.5"),
	}
	if kind == guestVolume && len(a.guests) > 0 {
		v["allowedVirtualGuests"] = []any{a.guests[0]}
	}
	if kind == ownVolume && slices.Contains(volumeKinds(place), replicaVolume) {
		v["replicationPartners"] = []any{a.volume(place, replicaVolume)}
	}
	return v
}

// getVolume is SoftLayer_Network_Storage::getObject. That NAS_MANAGE ("Storage Manage") is what
// opens a volume is unproven.
func (a *Account) getVolume(q *request) (any, error) {
	if !a.key.may(nasManage) {
		return nil, a.denial(q.id)
	}
	return oneOf((*Account).volumes)(a, q)
}

// subnets are the secondary subnets of the account.
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Network_Subnet/
func (a *Account) subnets() []any {
	list := []any{}
	for place := range a.serverIDs {
		if place%3 == 0 {
			list = append(list, a.static(place))
		}
		if place%12 == 0 {
			list = append(list, a.portable(place))
		}
	}
	return list
}

// static is the subnet that is routed to a server. It stays, and is billed, when the server is
// gone, and is routed nowhere then: "Unroute static subnets targeting primary IP addresses upon
// host reclaim."
// https://github.com/softlayer/githubio_source/blob/master/content/release_notes/2022/20220826.md
func (a *Account) static(place int) tree {
	subnet := a.subnet(place, staticSubnet, 30)
	subnet["subnetType"], subnet["routingTypeKeyName"], subnet["routingTypeName"] = "STATIC_IP_ROUTED", "STATIC_TO_IP", "Static"
	s := a.at(place)
	if s == nil || s.stage >= reclaiming {
		return subnet
	}
	address, public := s.tree["primaryIpAddress"]
	if !public {
		address, subnet["addressSpace"] = s.tree["primaryBackendIpAddress"], "PRIVATE"
	}
	end := tree{"id": number(subnet["id"]) + 5, "ipAddress": address, "note": "", "isReserved": false}
	if a.key.sees(number(s.tree["id"])) {
		end["hardware"] = s.tree
	}
	subnet["endPointIpAddress"] = end
	return subnet
}

// portable is the subnet on a server's own VLAN.
func (a *Account) portable(place int) tree {
	subnet := a.subnet(place, portableSubnet, 29)
	subnet["subnetType"], subnet["routingTypeKeyName"], subnet["routingTypeName"] = "SECONDARY_ON_VLAN", "SECONDARY", "Portable"
	subnet["addressSpace"], subnet["networkVlanId"] = "PRIVATE", firstPremiumVLAN+int64(place)
	return subnet
}

func (a *Account) subnet(place, kind, bits int) tree {
	id, n := firstSubnet+int64(place)*10+int64(kind), place*16+kind*8
	network := fmt.Sprintf("100.%d.%d.%d", 64+n/65536%64, n/256%256, n%256)
	size := int64(1) << (32 - bits)
	return tree{
		"id": id, "networkIdentifier": network, "cidr": int64(bits), "version": int64(4), "note": "",
		"isCustomerOwned": false, "isCustomerRoutable": true, "modifyDate": date(a.bill(-14)),
		"totalIpAddresses": size, "usableIpAddressCount": size, "addressSpace": "PUBLIC",
		"billingItem": a.serviceItem(id, "sov_sec_ip_addresses_priv", fmt.Sprintf("%d IP Addresses", size), network, "4"),
	}
}

// vlans are the VLANs of the account. An automatic one "will automatically be removed from your
// account when it is empty".
// https://github.com/softlayer/softlayer-python/blob/master/SoftLayer/CLI/vlan/cancel.py
func (a *Account) vlans() []any {
	list := []any{}
	seen := map[int64]bool{}
	for place := range a.serverIDs {
		for _, id := range a.vlansAt(place) {
			if !seen[id] {
				seen[id] = true
				list = append(list, a.vlan(id, place))
			}
		}
	}
	return list
}

// vlansAt are the ids of the VLANs of the server at a place. Its own stays when it is gone.
func (a *Account) vlansAt(place int) []int64 {
	var ids []int64
	if place%6 == 0 {
		ids = append(ids, firstPremiumVLAN+int64(place))
	}
	s := a.at(place)
	if s == nil {
		return ids
	}
	shared := firstVLAN + int64(place/vlanShare)*100 + int64(slices.Index(places, text(s.tree, "datacenter", "name"))+1)*10
	if _, public := s.tree["primaryIpAddress"]; public {
		ids = append(ids, shared)
	}
	if place%6 != 0 {
		ids = append(ids, shared+1)
	}
	return ids
}

// membersOn are the places of the servers on a VLAN, one of which is near a place.
func (a *Account) membersOn(id int64, near int) []int {
	var members []int
	first := near / vlanShare * vlanShare
	for place := first; place < min(first+vlanShare, len(a.serverIDs)); place++ {
		if a.at(place) != nil && slices.Contains(a.vlansAt(place), id) {
			members = append(members, place)
		}
	}
	return members
}

// vlan is one VLAN, near a place.
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Network_Vlan/
func (a *Account) vlan(id int64, near int) tree {
	vlanNumber := 700 + id%3000
	datacenter, _ := a.servers[a.serverIDs[near]].tree["datacenter"].(tree)
	v := tree{
		"id": id, "accountId": int64(accountID), "vlanNumber": vlanNumber, "note": "", "modifyDate": date(a.bill(-14)),
		"networkSpace": "PRIVATE", "datacenter": datacenter, "type": tree{"id": int64(1), "keyName": "STANDARD", "name": "Standard"},
		"hardware": a.seenAt(a.membersOn(id, near)...), "secondarySubnets": []any{}, "virtualGuests": []any{},
		"place": near,
	}
	router := "bcr01"
	if id < firstPremiumVLAN && id%10 == 0 {
		v["networkSpace"], router = "PUBLIC", "fcr01"
	}
	v["fullyQualifiedName"] = fmt.Sprintf("%v.%s.%d", datacenter["name"], router, vlanNumber)
	if id >= firstPremiumVLAN {
		v["billingItem"] = a.serviceItem(id, "network_vlan", "Private Network Vlan", fmt.Sprint(vlanNumber), "10")
		if near%12 == 0 {
			v["secondarySubnets"] = []any{a.portable(near)}
		}
	}
	v["subnets"] = v["secondarySubnets"]
	return v
}

// vlansOf are the VLANs of a server.
func (a *Account) vlansOf(object tree) any {
	list := []any{}
	place := a.placeOf(number(object["id"]))
	for _, id := range a.vlansAt(place) {
		list = append(list, a.vlan(id, place))
	}
	return list
}

// vlanOf is the VLAN that a subnet is on, nil if it is on none.
func (a *Account) vlanOf(subnet tree) any {
	id := number(subnet["networkVlanId"])
	if id < firstPremiumVLAN {
		return nil
	}
	return a.vlan(id, int(id-firstPremiumVLAN))
}

// cancelFailureReasons are the "descriptions why this VLAN may not be cancelled. If the result is
// empty, this VLAN may be cancelled". The first wording is recorded; that subnets hold it too is
// unproven. Servers that the key may not see count.
// https://sldn.softlayer.com/reference/services/SoftLayer_Network_Vlan/getCancelFailureReasons/
// https://github.com/softlayer/softlayer-python/blob/master/SoftLayer/fixtures/SoftLayer_Network_Vlan.py
func (a *Account) cancelFailureReasons(q *request) (any, error) {
	found, err := oneOf((*Account).vlans)(a, q)
	if err != nil {
		return nil, err
	}
	vlan := found.(tree)
	reasons := []any{}
	if members := a.membersOn(number(vlan["id"]), vlan["place"].(int)); len(members) > 0 {
		reasons = append(reasons, fmt.Sprintf("%d bare metal server(s) still on the VLAN ", len(members)))
	}
	if subnets := vlan["secondarySubnets"].([]any); len(subnets) > 0 {
		reasons = append(reasons, fmt.Sprintf("%d secondary subnet(s) still on the VLAN ", len(subnets)))
	}
	return reasons, nil
}

// topLevelItems are the billing items of the account that have no parent and have not ended.
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getAllTopLevelBillingItems/
func (a *Account) topLevelItems() []any {
	list := []any{}
	for item := range a.billingItems() {
		floating, _ := item["activeAssociatedChildren"].([]any)
		for _, item := range append([]any{item}, floating...) {
			if at, ends := moment(item.(tree)["cancellationDate"]); !ends || a.now().Before(at) {
				list = append(list, item)
			}
		}
	}
	return list
}
