package fakesoftlayer_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakesoftlayer"
)

// servers are the ids of all servers, by their place in the account.
func (w *world) servers() []int64 {
	w.Helper()
	var ids []int64
	for _, row := range w.rows(w.get("SoftLayer_Account/getHardware", "objectMask", "mask[id]")) {
		ids = append(ids, int64(row["id"].(float64)))
	}
	slices.Sort(ids)
	return ids
}

// storageMask is what slcli asks of a volume, but its password, and who may use it.
// https://github.com/softlayer/softlayer-python/blob/master/SoftLayer/managers/storage.py
const storageMask = "mask[id,username,capacityGb,storageType.keyName,serviceResourceBackendIpAddress,storageTierLevel,lunId," +
	"replicationPartners[id,username],billingItem[id,recurringFee,cancellationDate]," +
	"allowedHardware[id],allowedVirtualGuests[id],allowedSubnets[id],allowedIpAddresses[id]]"

// "The SoftLayer_Network_Storage objects that this SoftLayer_Hardware has access to", and back.
// https://sldn.softlayer.com/reference/services/SoftLayer_Hardware_Server/getAllowedNetworkStorage/
func TestVolumesNameTheServersThatMayUseThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 24)
	alone, shared, guests, replicas := 0, 0, 0, 0
	for _, server := range w.servers() {
		for _, v := range w.rows(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d/getAllowedNetworkStorage", server), "objectMask", storageMask)) {
			path := fmt.Sprintf("SoftLayer_Network_Storage/%.0f", v["id"])
			users := w.ids(w.get(path+"/getAllowedHardware", "objectMask", "mask[id]"))
			assert.Contains(t, users, float64(server))
			assert.Len(t, v["allowedHardware"], len(users))
			assert.NotEmpty(t, v["billingItem"].(map[string]any)["recurringFee"])
			assert.Equal(t, v["billingItem"].(map[string]any)["id"], w.object(w.get(path + "/getBillingItem"))["id"])
			assert.NotContains(t, w.object(w.get(path, "objectMask", storageMask)), "password")
			count2 := func(n *int, is bool) {
				if is {
					*n++
				}
			}
			count2(&alone, len(users) == 1 && len(v["allowedVirtualGuests"].([]any)) == 0)
			count2(&shared, len(users) == 2)
			count2(&guests, len(v["allowedVirtualGuests"].([]any)) > 0)
			count2(&replicas, len(v["replicationPartners"].([]any)) > 0)
		}
	}
	assert.Equal(t, []int{6, 12, 3, 3}, []int{alone, shared, guests, replicas})
	assert.Len(t, w.rows(w.get("SoftLayer_Account/getNetworkStorage", "objectMask", "mask[id]")), 18)
	assert.Empty(t, w.broke())
}

func TestAVolumesPasswordComesUnasked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 24)
	path := fmt.Sprintf("SoftLayer_Hardware_Server/%d", w.servers()[0])
	for _, query := range [][]string{{}, {"objectMask", "mask[password]"}, {"objectMask", "mask[billingItem[id]]"}} {
		assert.Contains(t, w.get(path+"/getAllowedNetworkStorage", query...).text, "password")
		require.Len(t, w.broke(), 1, query)
		assert.Contains(t, w.broke()[0].Rule, "passwords")
	}
	w.get(path, "objectMask", "mask[id,allowedNetworkStorage]")
	assert.Len(t, w.broke(), 1, "a relation without its own mask comes whole")
	w.get(path+"/getAllowedNetworkStorage", "objectMask", "mask[id,username]")
	assert.Empty(t, w.broke())
}

// "Unroute static subnets targeting primary IP addresses upon host reclaim."
// https://github.com/softlayer/githubio_source/blob/master/content/release_notes/2022/20220826.md
func TestAStaticSubnetOutlivesItsServer(t *testing.T) {
	t.Parallel()
	w, server, _ := cancelled(t, fakesoftlayer.Options{})
	const mask = "mask[id,networkIdentifier,cidr,subnetType,addressSpace,billingItem[recurringFee,nextBillDate],endPointIpAddress[ipAddress,hardware[id]]]"
	to := func() map[string]any {
		for _, subnet := range w.rows(w.get("SoftLayer_Account/getSubnets", "objectMask", mask)) {
			end, _ := subnet["endPointIpAddress"].(map[string]any)
			if end != nil && end["hardware"] != nil && end["hardware"].(map[string]any)["id"] == float64(server) {
				return subnet
			}
		}
		return nil
	}
	subnet := to()
	require.NotNil(t, subnet)
	assert.Equal(t, "STATIC_IP_ROUTED", subnet["subnetType"])
	path := fmt.Sprintf("SoftLayer_Network_Subnet/%.0f", subnet["id"])
	assert.Equal(t, subnet["endPointIpAddress"].(map[string]any)["ipAddress"], w.object(w.get(path + "/getEndPointIpAddress"))["ipAddress"])
	w.to("2026-12-03T00:00:00-06:00")
	require.Equal(t, "gone", w.seen(server))
	assert.Nil(t, to())
	assert.Equal(t, "null", w.get(path+"/getEndPointIpAddress").text)
	after := w.object(w.get(path, "objectMask", mask))
	assert.Equal(t, subnet["networkIdentifier"], after["networkIdentifier"])
	assert.Equal(t, "2027-01-01T00:00:00-06:00", w.object(w.get(path + "/getBillingItem"))["nextBillDate"], "it is billed on")
}

// "Evaluates this VLAN for cancellation and returns a list of descriptions why this VLAN may not
// be cancelled. If the result is empty, this VLAN may be cancelled."
// https://sldn.softlayer.com/reference/services/SoftLayer_Network_Vlan/getCancelFailureReasons/
func TestAnEmptyVlanMayBeCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 24)
	server := w.servers()[6]
	premium := func() []map[string]any {
		var billed []map[string]any
		for _, vlan := range w.rows(w.get("SoftLayer_Account/getNetworkVlans", "objectMask", "mask[id,billingItem[id],hardware[id,billingItem[cancellationDate]],virtualGuests[id,billingItem[cancellationDate]],networkSpace]")) {
			if vlan["billingItem"] != nil {
				billed = append(billed, vlan)
			}
		}
		return billed
	}
	require.Len(t, premium(), 4)
	vlans := w.rows(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d/getNetworkVlans", server), "objectMask", "mask[id,vlanNumber,networkSpace,billingItem[id],hardware[id]]"))
	var own string
	for _, vlan := range vlans {
		if vlan["billingItem"] == nil {
			assert.Equal(t, "PUBLIC", vlan["networkSpace"])
			continue
		}
		own = fmt.Sprintf("SoftLayer_Network_Vlan/%.0f", vlan["id"])
		assert.Equal(t, []any{map[string]any{"id": float64(server)}}, vlan["hardware"])
	}
	require.NotEmpty(t, own)
	assert.JSONEq(t, `["1 bare metal server(s) still on the VLAN "]`, w.get(own+"/getCancelFailureReasons").text)
	w.mustSteer("/key", fmt.Sprintf(`{"hide_servers":[%d]}`, server))
	assert.Equal(t, []any{}, w.object(w.get(own, "objectMask", "mask[hardware[id]]"))["hardware"])
	assert.Contains(t, w.get(own+"/getCancelFailureReasons").text, "1 bare metal", "what the key cannot see holds it too")
	w.mustSteer("/server", fmt.Sprintf(`{"id":%d,"remove":true}`, server))
	assert.JSONEq(t, `[]`, w.get(own+"/getCancelFailureReasons").text)
	assert.Len(t, premium(), 4, "it stays until it is cancelled")
	assert.NotEmpty(t, w.object(w.get(own + "/getBillingItem"))["recurringFee"])
	assert.Equal(t, http.StatusNotFound, w.get("SoftLayer_Network_Vlan/5/getCancelFailureReasons").status)
}

func TestASubnetHoldsItsVlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 24)
	server := w.servers()[12]
	var vlan map[string]any
	for _, row := range w.rows(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d/getNetworkVlans", server), "objectMask", "mask[id,secondarySubnets[id,subnetType,networkVlan[id]]]")) {
		if len(row["secondarySubnets"].([]any)) > 0 {
			vlan = row
		}
	}
	subnet := vlan["secondarySubnets"].([]any)[0].(map[string]any)
	assert.Equal(t, "SECONDARY_ON_VLAN", subnet["subnetType"])
	assert.Equal(t, map[string]any{"id": vlan["id"]}, subnet["networkVlan"])
	w.mustSteer("/server", fmt.Sprintf(`{"id":%d,"remove":true}`, server))
	reasons := w.get(fmt.Sprintf("SoftLayer_Network_Vlan/%.0f/getCancelFailureReasons", vlan["id"])).text
	assert.JSONEq(t, `["1 secondary subnet(s) still on the VLAN "]`, reasons)
}

func TestKeyWithoutStorageManageSeesNoVolumes(t *testing.T) {
	t.Parallel()
	for denial, want := range map[fakesoftlayer.Denial]int{
		fakesoftlayer.DeniedAsAbsent: http.StatusNotFound, fakesoftlayer.DeniedAsEmpty: http.StatusOK,
		fakesoftlayer.DeniedInWords: http.StatusInternalServerError,
	} {
		w := newWorldOf(t, fakesoftlayer.Options{Servers: 24, Unproven: fakesoftlayer.Unproven{Denial: denial}})
		server := fmt.Sprintf("SoftLayer_Hardware_Server/%d", w.servers()[0])
		volume := w.ids(w.get(server+"/getAllowedNetworkStorage", "objectMask", "mask[id]"))[0]
		const mask = "mask[id,allowedNetworkStorage[id],networkVlans[id]]"
		assert.Equal(t, []string{"allowedNetworkStorage", "id", "networkVlans"}, keys(w.object(w.get(server, "objectMask", mask))))
		w.mustSteer("/key", `{"revoke":["NAS_MANAGE"]}`)
		assert.Equal(t, []string{"id", "networkVlans"}, keys(w.object(w.get(server, "objectMask", mask))), "the rest comes without it")
		for _, list := range []string{server + "/getAllowedNetworkStorage", "SoftLayer_Account/getNetworkStorage"} {
			r := w.get(list, "objectMask", "mask[id]")
			assert.Equal(t, want, r.status, list)
			assert.True(t, want != http.StatusOK || r.text == "[]", r.text)
		}
		assert.NotEqual(t, http.StatusOK, w.get(fmt.Sprintf("SoftLayer_Network_Storage/%.0f", volume)).status)
		w.mustSteer("/key", `{"grant":["NAS_MANAGE"],"revoke":["ACCOUNT_SUMMARY_VIEW"]}`)
		assert.NotContains(t, w.get(fmt.Sprintf("SoftLayer_Network_Storage/%.0f", volume), "objectMask", storageMask).text, "billingItem")
		r := w.get("SoftLayer_Account/getAllTopLevelBillingItems")
		assert.Equal(t, want, r.status)
		w.mustSteer("/key", `{"hide_relations":["networkVlans"]}`)
		assert.Equal(t, []string{"allowedNetworkStorage", "id"}, keys(w.object(w.get(server, "objectMask", mask))))
	}
}

func TestAVolumesUsersOmitHiddenServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 24)
	servers := w.servers()
	users := func() int {
		most := 0
		for _, v := range w.rows(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d/getAllowedNetworkStorage", servers[0]), "objectMask", storageMask)) {
			most = max(most, len(v["allowedHardware"].([]any)))
		}
		return most
	}
	assert.Equal(t, 2, users())
	w.mustSteer("/key", fmt.Sprintf(`{"hide_servers":[%d]}`, servers[1]))
	assert.Equal(t, 1, users(), "and so the volume seems to be the other's alone")
}

func TestTopLevelItemsAreWhatStaysBilled(t *testing.T) {
	t.Parallel()
	w, server, _ := cancelled(t, fakesoftlayer.Options{})
	billing, _ := w.billingOf(server)
	floating := w.ids(w.get("SoftLayer_Billing_Item/" + billing + "/getActiveAssociatedChildren"))
	items := func() map[string]int {
		kinds := map[string]int{}
		for _, row := range w.rows(w.get("SoftLayer_Account/getAllTopLevelBillingItems", "objectMask", "mask[id,categoryCode,description,recurringFee]")) {
			kinds[row["categoryCode"].(string)]++
			if fmt.Sprintf("%.0f", row["id"]) == billing {
				kinds["the server"]++
			}
			if slices.Contains(floating, row["id"]) {
				kinds["its floating items"]++
			}
		}
		return kinds
	}
	before := items()
	assert.Equal(t, 1, before["the server"])
	for _, category := range []string{"server", "storage_service_enterprise", "sov_sec_ip_addresses_priv", "network_vlan", "evault"} {
		assert.Positive(t, before[category], category)
	}
	w.account.Advance(25 * 24 * 3600 * 1e9)
	after := items()
	assert.Zero(t, after["the server"])
	delete(before, "the server")
	before["server"] -= before["server"] - after["server"]
	assert.Equal(t, before, after, "all else is billed on")
}

// The vendor's own client reads pages of 100 with billingItem[cancellationDate] on each row.
// https://github.com/softlayer/softlayer-python/blob/master/SoftLayer/CLI/report/dc_closures.py
func TestManyRowsComeWithANarrowMaskOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 120)
	for mask, most := range map[string]int{
		"mask[id,billingItem[id,cancellationDate,pendingCancellationFlag,nextBillDate]]":             100,
		"mask[id,fullyQualifiedDomainName,billingItem.cancellationDate,networkVlans[id,vlanNumber]]": 100,
		"mask[id,billingItem]": 10,
		"mask[id,billingItem[id,nextInvoiceTotalRecurringAmount]]": 10,
		"mask[id,billingItem[id,activeAssociatedChildren[id]]]":    10,
		"mask[id,networkVlans[id,billingItem[id]]]":                10,
		"mask[id,allowedNetworkStorage[id]]":                       10,
	} {
		page := func(rows int) int {
			return w.get("SoftLayer_Account/getHardware", "objectMask", mask, "resultLimit", fmt.Sprintf("0,%d", rows)).status
		}
		assert.Equal(t, http.StatusOK, page(most), mask)
		assert.Empty(t, w.broke(), mask)
		assert.Equal(t, http.StatusInternalServerError, page(most+1), mask)
		assert.Len(t, w.broke(), 1, mask)
	}
}

func TestFaultsStrikeTheNewMethodsToo(t *testing.T) {
	t.Parallel()
	w, _, ticket := filed(t, fakesoftlayer.Unproven{})
	for _, method := range []string{
		"SoftLayer_Ticket/getTicketsClosedSinceDate", requestService + "/getAllCancellationRequests", "SoftLayer_Network_Vlan/getCancelFailureReasons",
	} {
		require.NoError(t, w.account.Fault(method, "html", 1), method)
	}
	require.NoError(t, w.account.Fault("SoftLayer_Ticket/addUpdate", "drop_after", 1))
	assert.Equal(t, http.StatusBadGateway, w.get(requestService+"/getAllCancellationRequests").status)
	_, err := w.do(w.request(http.MethodPost, ticket+"/addUpdate", `{"parameters":[{"entry":"once"}]}`))
	require.Error(t, err)
	assert.Equal(t, "SoftLayer_Ticket/addUpdate", w.lastExchange().Method, "the observer hears of it")
	assert.Equal(t, "once", w.object(w.get(ticket + "/getLastUpdate"))["entry"], "the answer is lost, the update is not")
	assert.Equal(t, 2, w.account.FaultsLeft())
}
