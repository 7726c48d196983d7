package softlayer_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/softlayer"
)

// wholeServer is an answer with everything in it, in the vendor's shapes.
const wholeServer = `{
	"id": 1234567, "globalIdentifier": "3f0c-77", "hostname": "db-042", "domain": "stg.example.com",
	"fullyQualifiedDomainName": "db-042.stg.example.com",
	"primaryIpAddress": "169.50.1.2", "primaryBackendIpAddress": "10.3.4.5",
	"datacenter": {"name": "fra02"}, "hardwareStatus": {"status": "ACTIVE"},
	"provisionDate": "2021-03-03T09:00:00-06:00",
	"hourlyBillingFlag": "0", "networkGatewayMemberFlag": 1, "blockCancelBecauseDisconnectedFlag": false,
	"tagReferences": [{"tag": {"name": "team-data"}}, {"tag": {"name": "staging"}}, {"tag": {"name": "staging"}}],
	"operatingSystem": {"softwareLicense": {"softwareDescription": {"name": "Ubuntu", "version": "22.04-64"}}},
	"activeTransaction": {"id": 9, "transactionStatus": {"name": "OS_RELOAD", "friendlyName": "OS Reload"}},
	"lastTransaction": {"createDate": "2026-11-20T09:00:00-06:00", "transactionGroup": {"name": "Service Setup"}},
	"networkGatewayMember": {"id": 3, "networkGateway": {"id": 4, "name": "gw-fra02", "members": [
		{"id": 3, "hardware": {"id": 1234567, "hostname": "db-042"}}, {"id": 5, "hardware": {"id": 8, "hostname": "gw-fra02b"}}
	]}},
	"openCancellationTicket": {"id": 153572280, "serviceProviderResourceId": "CS1234567"},
	"billingItem": {
		"id": 407, "allowCancellationFlag": 1, "pendingCancellationFlag": true,
		"cancellationDate": "2026-12-01T23:00:00-06:00", "nextBillDate": "2026-12-01T00:00:00-06:00",
		"recurringFee": "361.5", "hourlyRecurringFee": ".412", "nextInvoiceTotalRecurringAmount": 412.50,
		"activeAgreement": {"id": 6, "endDate": "2027-03-03T00:00:00-06:00"},
		"nextInvoiceChildren": [
			{"id": 1, "categoryCode": "disk0", "hourlyRecurringFee": "0.0005"},
			{"id": 2, "categoryCode": "disk1", "hourlyRecurringFee": 0},
			{"id": 3, "categoryCode": "ram", "hourlyRecurringFee": "0"},
			{"id": 4, "categoryCode": "pri_ip_addresses", "hourlyRecurringFee": 5.0e-5}
		],
		"activeAssociatedChildren": [
			{"id": 12, "description": "Evault", "recurringFee": 49},
			{"id": 11, "description": "Storage", "recurringFee": "49.00"}
		]
	}
}`

func TestAServerIsReadWhole(t *testing.T) {
	t.Parallel()
	v := newVendor(t, inTurn(t, wholeServer))
	got, err := v.client(t).Server(t.Context(), 1234567)
	require.NoError(t, err)
	assert.Equal(t, cancellation.Server{
		ID: 1234567, GlobalIdentifier: "3f0c-77", FQDN: "db-042.stg.example.com", Hostname: "db-042",
		Domain: "stg.example.com", PublicIP: "169.50.1.2", PrivateIP: "10.3.4.5", Datacenter: "fra02",
		OS: "Ubuntu 22.04-64", Status: "ACTIVE", ProvisionDate: "2021-03-03T09:00:00-06:00",
		Tags: []string{"staging", "team-data"}, TagsKnown: true,
		Gateway: true, GatewayName: "gw-fra02", Partners: []string{"gw-fra02b"}, PartnersKnown: true,
		Transaction: "OS Reload", LastTransaction: "Service Setup", LastTransactionAt: "2026-11-20T09:00:00-06:00",
		OpenTicket: &cancellation.TicketID{ID: 153572280, Number: "CS1234567"},
		Billing: &cancellation.Billing{
			ID: 407, UnderContract: true, ContractEnd: "2027-03-03T00:00:00-06:00", PendingKnown: true, PendingCancellation: true, CancellationDate: "2026-12-01T23:00:00-06:00",
			NextBillDate: "2026-12-01T00:00:00-06:00", RecurringFee: "361.5", HourlyFee: "0.41255",
			MonthlyTotal: "412.50", Drives: 2, Associated: []cancellation.AssociatedItem{
				{ID: 11, Description: "Storage", Fee: "49.00"}, {ID: 12, Description: "Evault", Fee: "49"},
			},
		},
	}, got)
	assert.Equal(t, "mask[id,globalIdentifier,fullyQualifiedDomainName,hostname,domain,"+
		"primaryIpAddress,primaryBackendIpAddress,datacenter[name],hardwareStatus[status],"+
		"provisionDate,hourlyBillingFlag,networkGatewayMemberFlag,blockCancelBecauseDisconnectedFlag,"+
		"activeTransaction[id,transactionStatus[name,friendlyName]],"+
		"openCancellationTicket[id,serviceProviderResourceId],"+
		"tagReferences[tag[name]],operatingSystem[softwareLicense[softwareDescription[name,version]]],"+
		"lastTransaction[createDate,transactionGroup[name]],"+
		"networkGatewayMember[id,networkGateway[id,name,members[id,hardware[id,hostname]]]],"+
		"billingItem[id,allowCancellationFlag,pendingCancellationFlag,cancellationDate,nextBillDate,"+
		"recurringFee,hourlyRecurringFee,activeAgreement[id,endDate],nextInvoiceTotalRecurringAmount,"+
		"nextInvoiceChildren[id,categoryCode,hourlyRecurringFee],"+
		"activeAssociatedChildren[id,description,recurringFee]]]", v.received()[0].Mask)
}

func TestWhatIsMissingIsNotTakenForNo(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		patch string
		holds func(cancellation.Server) bool
	}{
		"tags that are not in the answer are unknown":   {`{"tagReferences":null}`, func(s cancellation.Server) bool { return !s.TagsKnown && s.Tags == nil }},
		"an empty list of tags is no tags":              {`{"tagReferences":[]}`, func(s cancellation.Server) bool { return s.TagsKnown && len(s.Tags) == 0 }},
		"a tag without a name makes the tags unknown":   {`{"tagReferences":[{"tag":{"name":"a"}},{}]}`, func(s cancellation.Server) bool { return !s.TagsKnown && s.Tags == nil }},
		"a transaction without a name still runs":       {`{"activeTransaction":{"id":9}}`, func(s cancellation.Server) bool { return s.Transaction == "transaction 9" }},
		"a transaction by its bare name runs":           {`{"activeTransaction":{"transactionStatus":{"name":"X"}}}`, func(s cancellation.Server) bool { return s.Transaction == "X" }},
		"a last transaction without a name was one":     {`{"lastTransaction":{}}`, func(s cancellation.Server) bool { return s.LastTransaction == "unnamed" }},
		"an open ticket without a number is one":        {`{"openCancellationTicket":{"id":5}}`, func(s cancellation.Server) bool { return *s.OpenTicket == cancellation.TicketID{ID: 5} }},
		"a null open ticket is none":                    {`{"openCancellationTicket":null}`, func(s cancellation.Server) bool { return s.OpenTicket == nil }},
		"no billing item is none":                       {`{"billingItem":null}`, func(s cancellation.Server) bool { return s.Billing == nil }},
		"a billing item without an id is none":          {`{"billingItem":{"recurringFee":5}}`, func(s cancellation.Server) bool { return s.Billing == nil }},
		"a flag of 0 forbids the cancellation":          {`{"billingItem":{"id":1,"allowCancellationFlag":0}}`, func(s cancellation.Server) bool { return s.Billing.NotCancellable }},
		"a flag of false forbids the cancellation":      {`{"billingItem":{"id":1,"allowCancellationFlag":false}}`, func(s cancellation.Server) bool { return s.Billing.NotCancellable }},
		"a flag that is missing does not forbid it":     {`{"billingItem":{"id":1}}`, func(s cancellation.Server) bool { return !s.Billing.NotCancellable }},
		"an hourly fee without its children is unknown": {`{"billingItem":{"id":1,"hourlyRecurringFee":"1"}}`, func(s cancellation.Server) bool { return s.Billing.HourlyFee == "" }},
		"an hourly fee without children is its own":     {`{"billingItem":{"id":1,"hourlyRecurringFee":"1","nextInvoiceChildren":[]}}`, func(s cancellation.Server) bool { return s.Billing.HourlyFee == "1" }},
		"children without an hourly fee of the server":  {`{"billingItem":{"id":1,"nextInvoiceChildren":[{"hourlyRecurringFee":1}]}}`, func(s cancellation.Server) bool { return s.Billing.HourlyFee == "" }},
		"a child without a fee leaves the sum unknown":  {`{"billingItem":{"id":1,"hourlyRecurringFee":1,"nextInvoiceChildren":[{"hourlyRecurringFee":2},{"categoryCode":"gpu"}]}}`, func(s cancellation.Server) bool { return s.Billing.HourlyFee == "" }},
		"a null fee of a child leaves the sum unknown":  {`{"billingItem":{"id":1,"hourlyRecurringFee":1,"nextInvoiceChildren":[{"hourlyRecurringFee":null}]}}`, func(s cancellation.Server) bool { return s.Billing.HourlyFee == "" }},
		"a child's fee that is no number is unknown":    {`{"billingItem":{"id":1,"hourlyRecurringFee":1,"nextInvoiceChildren":[{"hourlyRecurringFee":"?"}]}}`, func(s cancellation.Server) bool { return s.Billing.HourlyFee == "" }},
		"a fee that is no number is unknown":            {`{"billingItem":{"id":1,"recurringFee":"n/a"}}`, func(s cancellation.Server) bool { return s.Billing.RecurringFee == "" }},
		"a missing fee is unknown, not 0":               {`{"billingItem":{"id":1}}`, func(s cancellation.Server) bool { return s.Billing.RecurringFee == "" && s.Billing.MonthlyTotal == "" }},
		"no agreement is no contract term":              {`{"billingItem":{"id":1}}`, func(s cancellation.Server) bool { return !s.Billing.UnderContract }},
		"an agreement without an end is one":            {`{"billingItem":{"id":1,"activeAgreement":{"id":6}}}`, func(s cancellation.Server) bool { return s.Billing.UnderContract && s.Billing.ContractEnd == "" }},
		"a membership is one without the flag":          {`{"networkGatewayMemberFlag":null}`, func(s cancellation.Server) bool { return s.Gateway && s.Knows(cancellation.FactGateway) }},
		"a flag is a membership without the member":     {`{"networkGatewayMember":null}`, func(s cancellation.Server) bool { return s.Gateway && s.GatewayName == "" && !s.PartnersKnown }},
		"members that are left out are unknown":         {`{"networkGatewayMember":{"networkGateway":{"name":"gw"}}}`, func(s cancellation.Server) bool { return s.GatewayName == "gw" && !s.PartnersKnown }},
		"a list without this server is not whole":       {`{"networkGatewayMember":{"networkGateway":{"members":[]}}}`, func(s cancellation.Server) bool { return !s.PartnersKnown }},
		"a hidden member is one":                        {`{"networkGatewayMember":{"networkGateway":{"members":[{"hardware":{"id":1234567}},{"id":5}]}}}`, func(s cancellation.Server) bool { return s.PartnersKnown && slices.Equal(s.Partners, []string{""}) }},
		"a system that is null is none":                 {`{"operatingSystem":null}`, func(s cancellation.Server) bool { return s.OS == "" && s.Shows(cancellation.FactSystem) }},
		"a hundred is written out":                      {`{"billingItem":{"id":1,"recurringFee":1.0e+2}}`, func(s cancellation.Server) bool { return s.Billing.RecurringFee == "100" }},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, inTurn(t, patched(t, wholeServer, c.patch)))
			got, err := v.client(t).Server(t.Context(), 1234567)
			require.NoError(t, err)
			assert.True(t, c.holds(got), "%+v %+v", got, got.Billing)
		})
	}
}

func TestCardFactsMissingFromTheAnswerAreHidden(t *testing.T) {
	t.Parallel()
	for member, fact := range map[string]string{
		"datacenter": cancellation.FactDatacenter, "hardwareStatus": cancellation.FactStatus, "operatingSystem": cancellation.FactSystem,
		"blockCancelBecauseDisconnectedFlag": cancellation.FactDisconnection,
	} {
		v := newVendor(t, inTurn(t, without(t, wholeServer, member)))
		got, err := v.client(t).Server(t.Context(), 1234567)
		require.NoError(t, err)
		assert.Equal(t, []string{fact}, got.Hidden, member)
	}
	v := newVendor(t, inTurn(t, patched(t, wholeServer, `{"billingItem":{"id":1}}`), patched(t, wholeServer, `{"billingItem":null}`)))
	bare, err := v.client(t).Server(t.Context(), 1234567)
	require.NoError(t, err)
	assert.Equal(t, []string{
		cancellation.FactAllowed, cancellation.FactPending, cancellation.FactParts, cancellation.FactAssociated,
	}, bare.Hidden)
	none, err := v.client(t).Server(t.Context(), 1234567)
	require.NoError(t, err)
	assert.Empty(t, none.Hidden, "the missing billing item blocks, and says it all")
}

func TestPolicyFactsMissingFromTheAnswerAreUnread(t *testing.T) {
	t.Parallel()
	for member, fact := range map[string]string{
		"domain": cancellation.FactDomain, "provisionDate": cancellation.FactProvisionDate,
		"hourlyBillingFlag": cancellation.FactHourly, "networkGatewayMemberFlag": cancellation.FactGateway,
		"lastTransaction": cancellation.FactLastTransaction,
	} {
		t.Run(member, func(t *testing.T) {
			t.Parallel()
			noGateway := without(t, wholeServer, "networkGatewayMember")
			v := newVendor(t, inTurn(t, without(t, noGateway, member), patched(t, noGateway, `{"`+member+`":null}`), wholeServer))
			read := func() cancellation.Server {
				got, err := v.client(t).Server(t.Context(), 1234567)
				require.NoError(t, err)
				return got
			}
			assert.Equal(t, []string{fact}, read().Unread, "left out")
			if null := read(); member == "lastTransaction" {
				assert.True(t, null.Knows(fact), "null says that there never was one")
				assert.Empty(t, null.LastTransaction)
			} else {
				assert.Equal(t, []string{fact}, null.Unread, "null says neither yes nor no")
			}
			assert.Empty(t, read().Unread)
		})
	}
}

// without is a JSON object with a member left out.
func without(t *testing.T, object, member string) string {
	t.Helper()
	members := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(object), &members))
	delete(members, member)
	text, err := json.Marshal(members)
	require.NoError(t, err)
	return string(text)
}

// patched is a JSON object with some members replaced.
func patched(t *testing.T, object, patch string) string {
	t.Helper()
	members := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(object), &members))
	require.NoError(t, json.Unmarshal([]byte(patch), &members))
	text, err := json.Marshal(members)
	require.NoError(t, err)
	return string(text)
}

const (
	coreOfServer = `{"id":1,"hostname":"db-042","domain":"example.com","provisionDate":"2021-03-03T09:00:00-06:00",` +
		`"hourlyBillingFlag":true,"networkGatewayMemberFlag":false,"openCancellationTicket":{"id":5},` +
		`"billingItem":{"id":7,"allowCancellationFlag":0,"recurringFee":"1","hourlyRecurringFee":"2"}}`
	restOfServer = `{"id":1,"tagReferences":[{"tag":{"name":"a"}}],"lastTransaction":null,` +
		`"billingItem":{"id":7,"nextInvoiceTotalRecurringAmount":9,"nextInvoiceChildren":[{"categoryCode":"disk0","hourlyRecurringFee":1}]}}`
)

func TestTooLargeServerIsReadInTwoParts(t *testing.T) {
	t.Parallel()
	v := newVendor(t, inTurn(t, internalError, coreOfServer, restOfServer))
	got, err := v.client(t).Server(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, cancellation.Server{
		ID: 1, Hostname: "db-042", Domain: "example.com", ProvisionDate: "2021-03-03T09:00:00-06:00",
		Hourly: true, OpenTicket: &cancellation.TicketID{ID: 5}, Tags: []string{"a"}, TagsKnown: true,
		Hidden: []string{
			cancellation.FactDatacenter, cancellation.FactStatus, cancellation.FactSystem,
			cancellation.FactDisconnection, cancellation.FactPending, cancellation.FactAssociated,
		},
		Billing: &cancellation.Billing{
			ID: 7, NotCancellable: true, RecurringFee: "1", HourlyFee: "3", MonthlyTotal: "9", Drives: 1,
		},
	}, got)
	calls := v.received()
	require.Len(t, calls, 3)
	assert.NotContains(t, calls[1].Mask, "tagReferences")
	assert.NotContains(t, calls[1].Mask, "Children")
	for _, call := range calls {
		assert.NotContains(t, call.Mask, "assword")
	}
}

func TestBlockersAreKnownForTooLargeServers(t *testing.T) {
	t.Parallel()
	v := newVendor(t, inTurn(t, internalError, coreOfServer, internalError))
	got, err := v.client(t).Server(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, cancellation.Server{
		ID: 1, Hostname: "db-042", Domain: "example.com", ProvisionDate: "2021-03-03T09:00:00-06:00",
		Hourly: true, OpenTicket: &cancellation.TicketID{ID: 5}, Unread: []string{cancellation.FactLastTransaction},
		Hidden: []string{
			cancellation.FactDatacenter, cancellation.FactStatus, cancellation.FactSystem,
			cancellation.FactDisconnection, cancellation.FactPending, cancellation.FactParts, cancellation.FactAssociated,
		},
		Billing: &cancellation.Billing{ID: 7, NotCancellable: true, RecurringFee: "1"},
	}, got)
	assert.False(t, got.TagsKnown)
	assert.Empty(t, got.MonthlyFee(), "a fee without its children would be too low")
}

func TestAServerIsNeverMixedUpWithAnother(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string][]string{
		"the answer is about another server":           {`{"id":2}`},
		"the answer has no id":                         {`{"hostname":"db-042"}`},
		"the second part is about another server":      {internalError, coreOfServer, `{"id":2}`},
		"the second part has no id":                    {internalError, coreOfServer, `{"tagReferences":[]}`},
		"the second part has another billing item":     {internalError, coreOfServer, `{"id":1,"billingItem":{"id":8}}`},
		"the second part has no billing item any more": {internalError, coreOfServer, `{"id":1,"billingItem":null}`},
		"both parts are too much":                      {internalError, internalError},
		"a flag is no flag":                            {`{"id":1,"hourlyBillingFlag":"perhaps"}`},
		"a name is an object":                          {`{"id":1,"hostname":{}}`},
		"a fee is a list":                              {`{"id":1,"billingItem":{"id":1,"recurringFee":[1]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, inTurn(t, answers...))
			got, err := v.client(t).Server(t.Context(), 1)
			require.ErrorIs(t, err, softlayer.ErrAnswerLost)
			require.ErrorContains(t, err, "reading server 1: ")
			assert.NotErrorIs(t, err, cancellation.ErrServerNotFound)
			assert.Zero(t, got)
		})
	}
}

func TestOnlySoftLayerCallsAServerMissing(t *testing.T) {
	t.Parallel()
	const absent = `{"error":"Unable to find object with id of '1'.","code":"SoftLayer_Exception_ObjectNotFound"}`
	for name, c := range map[string]struct {
		status int
		body   string
		gone   bool
	}{
		"404 with the class":     {404, absent, true},
		"500 with the class":     {500, absent, true},
		"404 with a page":        {404, "<html>Not Found</html>", false},
		"404 with another error": {404, `{"error":"Not Found","code":"SoftLayer_Exception_Public"}`, false},
		"404 with nothing":       {404, "", false},
		"a missing right":        {500, exception(noRight), false},
		"null":                   {200, "null", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, says(c.status, c.body))
			_, err := v.client(t).Server(t.Context(), 1)
			require.Error(t, err)
			assert.Equal(t, c.gone, errors.Is(err, cancellation.ErrServerNotFound))
			assert.Len(t, v.received(), 1, "calls")
		})
	}
}

func TestTheOpenCancellationTicketOfAServer(t *testing.T) {
	t.Parallel()
	v := newVendor(t, inTurn(t, `{"id":1}`, `{"id":1,"openCancellationTicket":{"id":5,"serviceProviderResourceId":5}}`, "null"))
	c := v.client(t)
	none, err := c.OpenCancellationTicket(t.Context(), 1)
	require.NoError(t, err)
	assert.Nil(t, none)
	open, err := c.OpenCancellationTicket(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, &cancellation.TicketID{ID: 5, Number: "5"}, open)
	_, err = c.OpenCancellationTicket(t.Context(), 1)
	require.ErrorIs(t, err, softlayer.ErrAnswerLost, "null is no proof of no ticket")
}

func TestNamesakesAreCountedOnlyWithAWorkingFilter(t *testing.T) {
	t.Parallel()
	count := func(body, hostname string) (int, error) {
		v := newVendor(t, says(200, body))
		return v.client(t).Namesakes(t.Context(), hostname)
	}
	for body, want := range map[string]int{
		`[]`:                             0,
		`[{"id":1,"hostname":"db-042"}]`: 1,
		`[{"id":1,"hostname":"db-042"},{"id":2,"hostname":"DB-042"}]`: 2,
	} {
		got, err := count(body, "db-042")
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := count(`[{"id":1,"hostname":"db-042"},{"id":3,"hostname":"web-001"}]`, "db-042")
	require.ErrorIs(t, err, softlayer.ErrAnswerLost)
	for _, hostname := range []string{"", "*= web", "web*", "> 1", "a b", "~web", "wéb"} {
		_, err := count(`[]`, hostname)
		require.Error(t, err, "a filter was made of %q", hostname)
	}
}
