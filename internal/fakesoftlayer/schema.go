package fakesoftlayer

import "slices"

// tree is one object in SoftLayer's own field names.
type tree = map[string]any

// kind describes one SoftLayer data type. Local properties come unasked; masked
// ones and relations only when an object mask names them.
type kind struct {
	base      string
	local     []string
	secrets   []string // local ones that no client of ours should ever get
	masked    []string
	relations map[string]relation
}

// relation leads from one data type to another. A key without the right gets
// the object without the relation; a secret is something no client of ours
// should ever ask for.
type relation struct {
	to     string
	many   bool
	secret bool
	right  string
}

// The data types that relations lead to by name.
const (
	hardwareType     = "SoftLayer_Hardware"
	guestType        = "SoftLayer_Virtual_Guest"
	tagType          = "SoftLayer_Tag"
	serverType       = "SoftLayer_Hardware_Server"
	ticketType       = "SoftLayer_Ticket"
	entityType       = "SoftLayer_Entity"
	searchType       = "SoftLayer_Container_Search_Result"
	userType         = "SoftLayer_User_Customer"
	billingItemType  = "SoftLayer_Billing_Item"
	billingType      = "SoftLayer_Billing_Item_Hardware"
	requestItemType  = "SoftLayer_Billing_Item_Cancellation_Request_Item"
	updateType       = "SoftLayer_Ticket_Update"
	editorType       = "SoftLayer_User_Interface"
	requestType      = "SoftLayer_Billing_Item_Cancellation_Request"
	accountType      = "SoftLayer_Account"
	passwordType     = "SoftLayer_Software_Component_Password"
	grantType        = "SoftLayer_User_Customer_CustomerPermission_Permission"
	memberType       = "SoftLayer_Network_Gateway_Member"
	gatewayType      = "SoftLayer_Network_Gateway"
	contractType     = "SoftLayer_Account_Agreement"
	tagReferenceType = "SoftLayer_Tag_Reference"
	locationType     = "SoftLayer_Location"
	storageType      = "SoftLayer_Network_Storage"
	subnetType       = "SoftLayer_Network_Subnet"
	addressType      = "SoftLayer_Network_Subnet_IpAddress"
	vlanType         = "SoftLayer_Network_Vlan"
	podType          = "SoftLayer_Network_Pod"
	routerType       = "SoftLayer_Hardware_Router_Backend"
)

// schema holds the data types that the fake knows. SoftLayer's own have many
// more properties; asking for one that is not here is refused.
// https://sldn.softlayer.com/reference/datatypes/
var schema = map[string]kind{
	entityType: {},
	accountType: {
		local: []string{"id", "companyName", "email", "country"},
	},
	hardwareType: {
		local: []string{
			"id", "accountId", "globalIdentifier", "fullyQualifiedDomainName", "hostname", "domain",
			"primaryIpAddress", "primaryBackendIpAddress", "hardwareStatusId", "provisionDate", "notes",
			"bareMetalInstanceFlag", "memoryCapacity", "processorPhysicalCoreAmount",
		},
		masked: []string{
			"hourlyBillingFlag", "hardwareFunctionDescription", "networkGatewayMemberFlag",
			"blockCancelBecauseDisconnectedFlag",
		},
		relations: map[string]relation{
			"datacenter":               {to: "SoftLayer_Location"},
			"hardwareStatus":           {to: "SoftLayer_Hardware_Status"},
			"tagReferences":            {to: tagReferenceType, many: true},
			"operatingSystem":          {to: "SoftLayer_Software_Component_OperatingSystem"},
			"lastTransaction":          {to: "SoftLayer_Provisioning_Version1_Transaction"},
			"billingItem":              {to: billingType, right: accountSummaryView},
			"activeTickets":            {to: ticketType, many: true, right: ticketView},
			"networkGatewayMember":     {to: memberType},
			"allowedNetworkStorage":    {to: storageType, many: true, right: nasManage},
			"networkVlans":             {to: vlanType, many: true},
			"backendRouters":           {to: routerType, many: true},
			"remoteManagementAccounts": {to: passwordType, many: true, secret: true},
		},
	},
	// Account::getHardware returns SoftLayer_Hardware, which has neither of these:
	// there they need mask(SoftLayer_Hardware_Server)[...].
	serverType: {
		base: hardwareType,
		relations: map[string]relation{
			"activeTransaction":      {to: "SoftLayer_Provisioning_Version1_Transaction"},
			"openCancellationTicket": {to: ticketType, right: ticketView},
		},
	},
	routerType: {base: hardwareType},
	// Its capabilities are missing from recorded answers that name no mask.
	podType: {
		local: []string{
			"name", "datacenterId", "datacenterName", "datacenterLongName", "backendRouterId", "backendRouterName",
			"frontendRouterId", "frontendRouterName",
		},
		masked: []string{"capabilities"},
	},
	"SoftLayer_Location":        {local: []string{"id", "name", "longName"}},
	"SoftLayer_Hardware_Status": {local: []string{"id", "status"}},
	guestType: {
		local: []string{
			"id", "accountId", "fullyQualifiedDomainName", "hostname", "domain", "startCpus", "maxMemory", "statusId",
		},
		masked: []string{"primaryIpAddress", "primaryBackendIpAddress"},
		relations: map[string]relation{
			"datacenter":    {to: "SoftLayer_Location"},
			"tagReferences": {to: tagReferenceType, many: true},
			"billingItem":   {to: billingItemType, right: accountSummaryView},
		},
	},
	tagReferenceType: {
		local: []string{"id", "tagId", "tagTypeId", "resourceTableId", "usrRecordId"},
		relations: map[string]relation{
			"tag":     {to: tagType},
			"tagType": {to: "SoftLayer_Tag_Type"},
		},
	},
	tagType:              {local: []string{"id", "name"}, masked: []string{"referenceCount"}},
	"SoftLayer_Tag_Type": {local: []string{"id", "keyName", "description"}},
	"SoftLayer_Software_Component_OperatingSystem": {
		local: []string{"id"},
		relations: map[string]relation{
			"softwareLicense": {to: "SoftLayer_Software_License"},
			"passwords":       {to: passwordType, many: true, secret: true},
		},
	},
	"SoftLayer_Software_License": {
		local:     []string{"id"},
		relations: map[string]relation{"softwareDescription": {to: "SoftLayer_Software_Description"}},
	},
	"SoftLayer_Software_Description": {local: []string{"id", "name", "version", "longDescription"}},
	passwordType:                     {local: []string{"username", "password"}},
	"SoftLayer_Provisioning_Version1_Transaction": {
		local: []string{"id", "createDate", "modifyDate", "statusChangeDate"},
		relations: map[string]relation{
			"transactionStatus": {to: "SoftLayer_Provisioning_Version1_Transaction_Status"},
			"transactionGroup":  {to: "SoftLayer_Provisioning_Version1_Transaction_Group"},
		},
	},
	"SoftLayer_Provisioning_Version1_Transaction_Status": {local: []string{"name", "friendlyName"}},
	"SoftLayer_Provisioning_Version1_Transaction_Group":  {local: []string{"name"}},
	billingType: {base: billingItemType},
	billingItemType: {
		local: []string{
			"id", "allowCancellationFlag", "cancellationDate", "createDate", "nextBillDate", "lastBillDate",
			"recurringFee", "hourlyRecurringFee", "description", "categoryCode", "notes", "associatedBillingItemId",
		},
		masked: []string{"pendingCancellationFlag", "nextInvoiceTotalRecurringAmount"},
		relations: map[string]relation{
			"nextInvoiceChildren":      {to: billingItemType, many: true},
			"activeAssociatedChildren": {to: billingItemType, many: true},
			"activeCancellationItem":   {to: requestItemType},
			"cancellationRequests":     {to: requestType, many: true},
			"activeAgreement":          {to: contractType},
		},
	},
	contractType: {
		local: []string{
			"id", "title", "autoRenew", "cancellationFee", "createDate", "durationMonths", "startDate", "endDate",
			"statusId", "agreementTypeId",
		},
	},
	memberType: {
		local: []string{"id", "hardwareId", "networkGatewayId", "priority"},
		relations: map[string]relation{
			"hardware":       {to: hardwareType, right: hardwareView},
			"networkGateway": {to: gatewayType},
		},
	},
	gatewayType: {
		local: []string{"id", "accountId", "groupNumber", "name", "networkSpace", "statusId"},
		relations: map[string]relation{
			"members": {to: memberType, many: true},
		},
	},
	// A volume's own password is among what comes unasked.
	storageType: {
		local: []string{
			"id", "accountId", "capacityGb", "createDate", "nasType", "notes", "password", "serviceProviderId", "username",
		},
		secrets: []string{"password"},
		masked:  []string{"bytesUsed", "lunId", "serviceResourceBackendIpAddress", "storageTierLevel", "replicationStatus"},
		relations: map[string]relation{
			"storageType":          {to: "SoftLayer_Network_Storage_Type"},
			"billingItem":          {to: billingItemType, right: accountSummaryView},
			"allowedHardware":      {to: hardwareType, many: true, right: hardwareView},
			"allowedVirtualGuests": {to: guestType, many: true},
			"allowedSubnets":       {to: subnetType, many: true},
			"allowedIpAddresses":   {to: addressType, many: true},
			"replicationPartners":  {to: storageType, many: true, right: nasManage},
			"dependentDuplicates":  {to: storageType, many: true, right: nasManage},
		},
	},
	"SoftLayer_Network_Storage_Type": {local: []string{"id", "keyName", "description"}},
	subnetType: {
		local: []string{
			"id", "broadcastAddress", "cidr", "gateway", "isCustomerOwned", "isCustomerRoutable", "modifyDate", "netmask",
			"networkIdentifier", "networkVlanId", "note", "subnetType", "totalIpAddresses", "usableIpAddressCount", "version",
		},
		masked: []string{"addressSpace", "routingTypeKeyName", "routingTypeName"},
		relations: map[string]relation{
			"billingItem":       {to: billingItemType, right: accountSummaryView},
			"endPointIpAddress": {to: addressType},
			"networkVlan":       {to: vlanType},
		},
	},
	addressType: {
		local:     []string{"id", "ipAddress", "isBroadcast", "isGateway", "isNetwork", "isReserved", "note", "subnetId"},
		relations: map[string]relation{"hardware": {to: hardwareType, right: hardwareView}},
	},
	vlanType: {
		local:  []string{"id", "accountId", "fullyQualifiedName", "modifyDate", "name", "note", "primarySubnetId", "vlanNumber"},
		masked: []string{"networkSpace"},
		relations: map[string]relation{
			"billingItem":      {to: billingItemType, right: accountSummaryView},
			"datacenter":       {to: locationType},
			"type":             {to: "SoftLayer_Network_Vlan_Type"},
			"hardware":         {to: hardwareType, many: true, right: hardwareView},
			"virtualGuests":    {to: guestType, many: true},
			"subnets":          {to: subnetType, many: true},
			"secondarySubnets": {to: subnetType, many: true},
		},
	},
	"SoftLayer_Network_Vlan_Type": {local: []string{"id", "keyName", "name", "description"}},
	ticketType: {
		local: []string{
			"id", "accountId", "assignedUserId", "createDate", "lastEditDate", "lastEditType", "modifyDate",
			"groupId", "priority", "statusId", "subjectId", "title", "userEditableFlag",
			"serviceProviderId", "serviceProviderResourceId",
		},
		masked: []string{"updateCount", "awaitingUserResponseFlag"},
		relations: map[string]relation{
			"assignedUser":     {to: userType},
			"status":           {to: "SoftLayer_Ticket_Status"},
			"subject":          {to: "SoftLayer_Ticket_Subject"},
			"updates":          {to: updateType, many: true},
			"firstUpdate":      {to: updateType},
			"lastUpdate":       {to: updateType},
			"attachedHardware": {to: hardwareType, many: true, right: hardwareView},
			// No ticket of this account is about any of these.
			"attachedVirtualGuests":  {to: guestType, many: true},
			"attachedDedicatedHosts": {to: "SoftLayer_Virtual_DedicatedHost", many: true},
			"cancellationRequest":    {to: requestType},
		},
	},
	"SoftLayer_Virtual_DedicatedHost": {local: []string{"id", "name"}},
	"SoftLayer_Ticket_Status":         {local: []string{"id", "name"}},
	"SoftLayer_Ticket_Subject":        {local: []string{"id", "name"}},
	updateType: {
		local:     []string{"id", "ticketId", "createDate", "editorId", "editorType", "entry"},
		relations: map[string]relation{"editor": {to: editorType}, "ticket": {to: ticketType, right: ticketView}},
	},
	// A user has a first and a last name, somebody of SoftLayer's staff a displayName.
	editorType: {local: []string{"id", "username", "firstName", "lastName", "displayName"}},
	requestType: {
		local:  []string{"id", "accountId", "ticketId", "statusId", "createDate", "modifyDate", "notes"},
		masked: []string{"itemCount"},
		relations: map[string]relation{
			"status": {to: "SoftLayer_Billing_Item_Cancellation_Request_Status"},
			"items":  {to: requestItemType, many: true},
			"ticket": {to: ticketType, right: ticketView},
			"user":   {to: userType},
		},
	},
	"SoftLayer_Billing_Item_Cancellation_Request_Status": {local: []string{"id", "keyName", "name"}},
	requestItemType: {
		local: []string{
			"id", "billingItemId", "cancellationRequestId", "scheduledCancellationDate", "immediateCancellationFlag",
			"serviceReclaimStatusCode",
		},
		relations: map[string]relation{
			"billingItem":         {to: billingItemType, right: accountSummaryView},
			"cancellationRequest": {to: requestType},
		},
	},
	userType: {
		local:     []string{"id", "accountId", "username", "firstName", "lastName", "email"},
		masked:    []string{"iamId", "isMasterUserFlag", "hasFullHardwareAccessFlag", "permissionCheckLikeMasterUserFlag"},
		relations: map[string]relation{"permissions": {to: grantType, many: true}},
	},
	grantType: {local: []string{"key", "keyName", "name"}},
	searchType: {
		local:     []string{"relevanceScore", "resourceType"},
		relations: map[string]relation{"resource": {to: entityType}},
	},
}

// isLocal, isMasked and relationOf look a property up in a data type and in
// the types it extends.
func isLocal(typ, name string) bool {
	k, ok := schema[typ]
	return ok && (slices.Contains(k.local, name) || isLocal(k.base, name))
}

func isMasked(typ, name string) bool {
	k, ok := schema[typ]
	return ok && (slices.Contains(k.masked, name) || isMasked(k.base, name))
}

func relationOf(typ, name string) (relation, bool) {
	k, ok := schema[typ]
	if !ok {
		return relation{}, false
	}
	if r, ok := k.relations[name]; ok {
		return r, true
	}
	return relationOf(k.base, name)
}

// isRelation tells whether any data type has a relation of this name.
func isRelation(name string) bool {
	for _, k := range schema {
		if _, ok := k.relations[name]; ok {
			return true
		}
	}
	return false
}

// castable tells whether a mask may speak of typ as of cast.
func castable(typ, cast string) bool {
	k, known := schema[cast]
	return known && (typ == cast || typ == entityType || k.base == typ || schema[typ].base == cast)
}

// locals are the property names that come unasked.
func locals(typ string) []string {
	k := schema[typ]
	if k.base == "" {
		return k.local
	}
	return append(slices.Clone(k.local), locals(k.base)...)
}
