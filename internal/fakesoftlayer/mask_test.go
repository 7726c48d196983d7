package fakesoftlayer_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// detailMask is the whole of what a card about one server needs.
const detailMask = "mask[id,globalIdentifier,fullyQualifiedDomainName,hostname,domain,primaryIpAddress,primaryBackendIpAddress," +
	"datacenter[name,longName],hardwareStatus[status],provisionDate,notes,hourlyBillingFlag,bareMetalInstanceFlag," +
	"hardwareFunctionDescription,networkGatewayMemberFlag,blockCancelBecauseDisconnectedFlag,tagReferences[tag[name]]," +
	"operatingSystem[softwareLicense[softwareDescription[name,version]]],activeTransaction[id,transactionStatus[name,friendlyName]]," +
	"lastTransaction[transactionGroup[name]],networkGatewayMember[id,networkGateway[id,name,members[id,hardware[id,hostname]]]],openCancellationTicket[id,serviceProviderResourceId,createDate,status[name]]," +
	"billingItem[id,allowCancellationFlag,pendingCancellationFlag,cancellationDate,nextBillDate,recurringFee,hourlyRecurringFee," +
	"activeAgreement[id,endDate],nextInvoiceTotalRecurringAmount,nextInvoiceChildren[description,categoryCode,nextInvoiceTotalRecurringAmount]," +
	"activeAssociatedChildren[id,description,recurringFee]]]"

func keys(object map[string]any) []string {
	var names []string
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestMaskFormsMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	path := fmt.Sprintf("SoftLayer_Hardware_Server/%d", w.account.Cancelable())
	for text, want := range map[string][]string{
		"mask[id,hostname]":                              {"hostname", "id"},
		"id,hostname":                                    {"hostname", "id"},
		" mask[ id ,\n hostname ] ":                      {"hostname", "id"},
		"mask.id,mask.hostname":                          {"hostname", "id"},
		"mask[id,datacenter[name]]":                      {"datacenter", "id"},
		"id,datacenter.name":                             {"datacenter", "id"},
		"mask(SoftLayer_Hardware_Server)[id]":            {"id"},
		"[mask[id],mask(SoftLayer_Hardware)[hostname]]":  {"hostname", "id"},
		"mask[id,billingItem.nextInvoiceChildren]":       {"billingItem", "id"},
		"mask[id,operatingSystem[softwareLicense[id]]]":  {"id", "operatingSystem"},
		"mask[id,networkGatewayMemberFlag,datacenter[]]": {"datacenter", "id", "networkGatewayMemberFlag"},
	} {
		r := w.get(path, "objectMask", text)
		require.Equal(t, http.StatusOK, r.status, "%s: %s", text, r.text)
		assert.Equal(t, want, keys(w.object(r)), text)
	}
	joined := w.object(w.get(path, "objectMask", "datacenter.name,datacenter.id"))["datacenter"]
	assert.Equal(t, []string{"id", "name"}, keys(joined.(map[string]any)), "one relation named twice")
}

func TestLocalPropertiesComeUnaskedAndRelationsDoNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	path := fmt.Sprintf("SoftLayer_Hardware_Server/%d", w.account.Cancelable())
	for _, text := range []string{"", "mask", "mask[]"} {
		bare := w.object(w.get(path, "objectMask", text))
		assert.Contains(t, bare, "fullyQualifiedDomainName", text)
		for _, name := range []string{"datacenter", "billingItem", "tagReferences", "hourlyBillingFlag"} {
			assert.NotContains(t, bare, name, text)
		}
	}
	mixed := w.object(w.get(path, "objectMask", "mask[datacenter[name]]"))
	assert.Contains(t, mixed, "hostname", "a mask of relations alone keeps the local properties")
}

func TestBadMaskIsRefusedInSoftLayersWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	id := w.account.Cancelable()
	path := fmt.Sprintf("SoftLayer_Hardware_Server/%d", id)
	for text, want := range map[string]string{
		"mask[powerState]":         "Property 'powerState' not valid for 'SoftLayer_Hardware_Server'.",
		"mask[datacenter[city]]":   "Property 'city' not valid for 'SoftLayer_Location'.",
		"mask[id[name]]":           "Property 'name' not valid for 'id'.",
		"mask(SoftLayer_Wish)[id]": "Property 'id' not valid for 'SoftLayer_Wish'.",
		"mask[id":                  "Error on line 1 at column 8: Expected ], got 'END'",
		"mask[id,]":                "Error on line 1 at column 9: Expected PROPERTY, got ']'",
		"mask['id']":               "Error on line 1 at column 6: Expected PROPERTY, got '''",
		"mask[id]]":                "Error on line 1 at column 9: Expected END, got ']'",
	} {
		r := w.get(path, "objectMask", text)
		assert.Equal(t, http.StatusInternalServerError, r.status, text)
		assert.Equal(t, want, w.object(r)["error"], text)
	}
	deep := w.get(path, "objectMask", strings.Repeat("activeTickets[attachedHardware[", 20)+"id"+strings.Repeat("]", 40))
	assert.Equal(t, http.StatusInternalServerError, deep.status)

	r := w.request(http.MethodPost, cancelMethod+"?objectMask=mask[wish]", fmt.Sprintf(`{"parameters":[%d,"No longer needed","x",false,"HARDWARE"]}`, id))
	assert.Equal(t, http.StatusInternalServerError, w.must(r).status)
	assert.Empty(t, w.books(id), "a bad mask makes no ticket")
}

func TestAccountListNeedsACastForServerFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	r := w.get("SoftLayer_Account/getHardware", "objectMask", "mask[id,activeTransaction[id]]")
	assert.Equal(t, "Property 'activeTransaction' not valid for 'SoftLayer_Hardware'.", w.object(r)["error"])
	rows := w.rows(w.get("SoftLayer_Account/getHardware", "objectMask",
		"[mask[id],mask(SoftLayer_Hardware_Server)[activeTransaction[id]]]"))
	busy := 0
	for _, row := range rows {
		if row["activeTransaction"] != nil {
			busy++
		}
	}
	assert.Equal(t, 1, busy)
}

func TestDetailMaskShowsEveryKindOfServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 48)
	seen := map[string]int{}
	for _, row := range w.rows(w.get("SoftLayer_Account/getHardware", "objectMask", "id")) {
		r := w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%.0f.json", row["id"]), "objectMask", detailMask)
		require.Equal(t, http.StatusOK, r.status, r.text)
		s := w.object(r)
		billing, billed := s["billingItem"].(map[string]any)
		count(seen, "transaction", s["activeTransaction"] != nil)
		count(seen, "no billing", !billed)
		count(seen, "pending", billing["pendingCancellationFlag"] == true && billing["cancellationDate"] != nil)
		count(seen, "not allowed", billing["allowCancellationFlag"] == 0.0)
		count(seen, "open ticket", s["openCancellationTicket"] != nil)
		count(seen, "gateway", s["networkGatewayMember"] != nil && s["hostname"] == firstMember(s))
		count(seen, "partner", s["networkGatewayMember"] != nil && s["hostname"] != firstMember(s))
		assert.Equal(t, s["networkGatewayMember"] != nil, s["networkGatewayMemberFlag"] == true)
		count(seen, "contract", billing["activeAgreement"] != nil)
		count(seen, "hourly", s["hourlyBillingFlag"] == true)
		count(seen, "disconnected", s["blockCancelBecauseDisconnectedFlag"] == true)
		count(seen, "hostile notes", strings.Contains(s["notes"].(string), "<!channel>"))
		count(seen, "protected", strings.Contains(r.text, `"name":"protected"`))
		count(seen, "prod", strings.Contains(r.text, `"name":"prod"`))
		_, isText := billing["recurringFee"].(string)
		count(seen, "fee as text", isText)
		_, isNumber := billing["recurringFee"].(float64)
		count(seen, "fee as number", isNumber)
		count(seen, "host "+s["hostname"].(string), true)
		assert.Regexp(t, `-06:00$`, s["provisionDate"])
	}
	for _, kind := range []string{
		"transaction", "no billing", "pending", "not allowed", "open ticket", "gateway", "hourly", "disconnected",
		"hostile notes", "protected", "prod", "partner", "contract",
	} {
		assert.Equal(t, 2, seen[kind], kind)
	}
	assert.Positive(t, seen["fee as text"])
	assert.Positive(t, seen["fee as number"])
	twins := 0
	for name, n := range seen {
		if strings.HasPrefix(name, "host ") && n == 2 {
			twins++
		}
	}
	assert.Equal(t, 2, twins, "host names that stand in two domains")
}

// firstMember is the host name of the first member of the gateway that a server is in.
func firstMember(s map[string]any) any {
	gateway := s["networkGatewayMember"].(map[string]any)["networkGateway"].(map[string]any)
	return gateway["members"].([]any)[0].(map[string]any)["hardware"].(map[string]any)["hostname"]
}

// gatewayMask is what a card needs of a gateway.
const gatewayMask = "mask[id,networkGatewayMember[id,networkGateway[id,name,members[id,hardware[id,hostname]]]]]"

// gatewayPair is the first gateway's members, by id.
func gatewayPair(w *world) (first, second int64) {
	for _, row := range w.rows(w.get("SoftLayer_Account/getHardware", "objectMask", "mask[id,networkGatewayMemberFlag]")) {
		switch id := int64(row["id"].(float64)); {
		case row["networkGatewayMemberFlag"] != true:
		case first == 0 || id < first:
			first, second = id, first
		default:
			second = id
		}
	}
	return first, second
}

func TestGatewayShowsOnlyMembersVisibleToTheKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 24)
	first, second := gatewayPair(w)
	require.NotZero(t, second)
	members := func() []any {
		s := w.object(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d", first), "objectMask", gatewayMask))
		gateway := s["networkGatewayMember"].(map[string]any)["networkGateway"].(map[string]any)
		assert.Regexp(t, "^gw-", gateway["name"])
		return gateway["members"].([]any)
	}
	var ids []float64
	for _, m := range members() {
		ids = append(ids, m.(map[string]any)["hardware"].(map[string]any)["id"].(float64))
	}
	assert.ElementsMatch(t, []float64{float64(first), float64(second)}, ids)

	w.mustSteer("/key", fmt.Sprintf(`{"hide_servers":[%d]}`, second))
	hidden := 0
	for _, m := range members() {
		if m.(map[string]any)["hardware"] == nil {
			hidden++
		}
	}
	assert.Equal(t, 1, hidden, "a member whose server the key may not see comes without it")

	w.mustSteer("/server", fmt.Sprintf(`{"id":%d,"remove":true}`, second))
	assert.Len(t, members(), 1, "a server that is gone is in no gateway")
	plain := w.object(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d", w.account.Cancelable()), "objectMask", gatewayMask))
	assert.NotContains(t, plain, "networkGatewayMember")
}

func TestRelationHiddenFromTheKeyIsLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 6)
	path := fmt.Sprintf("SoftLayer_Hardware_Server/%d", w.account.Cancelable())
	const mask = "mask[id,operatingSystem[id],billingItem[id,activeAssociatedChildren[id]]]"
	w.mustSteer("/key", `{"hide_relations":["operatingSystem","activeAssociatedChildren"]}`)
	s := w.object(w.get(path, "objectMask", mask))
	assert.Equal(t, []string{"billingItem", "id"}, keys(s))
	assert.Equal(t, []string{"id"}, keys(s["billingItem"].(map[string]any)))
	w.mustSteer("/key", `{"hide_relations":[]}`)
	assert.Contains(t, w.object(w.get(path, "objectMask", mask)), "operatingSystem")
	assert.NotEqual(t, http.StatusOK, w.steer("/key", `{"hide_relations":["wish"]}`).status)
}

func count(seen map[string]int, kind string, is bool) {
	if is {
		seen[kind]++
	}
}

func TestKeyWithoutTheRightGetsNoRelation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 6)
	id := w.account.Cancelable()
	path := fmt.Sprintf("SoftLayer_Hardware_Server/%d", id)
	w.mustSteer("/ticket", fmt.Sprintf(`{"server":%d,"open":true,"entry":"by staff"}`, id))
	all := []string{"billingItem", "id", "openCancellationTicket", "tagReferences"}
	mask := "mask[id,tagReferences[tag[name]],billingItem[id],openCancellationTicket[id]]"
	assert.Equal(t, all, keys(w.object(w.get(path, "objectMask", mask))))
	for permission, gone := range map[string]string{
		"ACCOUNT_SUMMARY_VIEW": "billingItem", "TICKET_VIEW": "openCancellationTicket", "TICKET_VIEW_ALL": "openCancellationTicket",
	} {
		w.mustSteer("/key", fmt.Sprintf(`{"revoke":[%q]}`, permission))
		assert.NotContains(t, w.object(w.get(path, "objectMask", mask)), gone, permission)
		w.mustSteer("/key", fmt.Sprintf(`{"grant":[%q]}`, permission))
	}
	w.mustSteer("/key", `{"revoke":["HARDWARE_VIEW"]}`)
	assert.Equal(t, http.StatusNotFound, w.get(path).status)
}

func TestMaskForPasswordsIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	path := fmt.Sprintf("SoftLayer_Hardware_Server/%d", w.account.Cancelable())
	for _, mask := range []string{"mask[id,operatingSystem[passwords]]", "mask[id,remoteManagementAccounts]"} {
		w.get(path, "objectMask", mask)
		require.Len(t, w.broke(), 1, mask)
		assert.Contains(t, w.broke()[0].Rule, "passwords")
		assert.NotEmpty(t, w.broke()[0].Source)
	}
	w.get(path, "objectMask", detailMask)
	assert.Empty(t, w.broke())
}
