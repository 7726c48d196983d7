// Package fakesoftlayer is a pretend SoftLayer (IBM Cloud Classic) account that
// speaks the vendor's REST API over real HTTP: servers, tickets, one API key,
// and every error of SoftLayer_Ticket::createCancelServerTicket. It is for
// tests and for people who try the program without an account. It knows the
// wire only and shares no type with any client.
//
// It is hostile on purpose: lists without an orderBy come in another order each
// time, a badly built objectFilter is ignored and everything is returned, wide
// masks over many rows fail, fees are strings or numbers, and
// some servers carry notes that try to mention a channel or make a link. All of
// it comes from one seed. What a client does that the vendor warns of is told
// to [Options].Observe.
//
// # Methods
//
// Both URL styles work (with and without .json, getObject named or implied),
// by GET with arguments in the path or by POST with {"parameters":[…]}.
//
//	SoftLayer_Ticket/createCancelServerTicket                              faithful
//	SoftLayer_Ticket/getObject                                             faithful
//	SoftLayer_Ticket/getUpdates                                            faithful
//	SoftLayer_Ticket/getLastUpdate                                         faithful
//	SoftLayer_Ticket/getAttachedHardware                                   faithful
//	SoftLayer_Ticket/addUpdate                                             partial: no attached files
//	SoftLayer_Ticket/getAwaitingUserResponseFlag                           faithful
//	SoftLayer_Ticket/getTicketsClosedSinceDate                             faithful
//	SoftLayer_Hardware_Server/getObject                                    partial: the properties of the schema only
//	SoftLayer_Hardware_Server/getOpenCancellationTicket                    faithful
//	SoftLayer_Hardware_Server/getActiveTickets                             faithful
//	SoftLayer_Hardware_Server/getBillingItem                               partial: the properties of the schema only
//	SoftLayer_Hardware_Server/getAllowedNetworkStorage                     faithful
//	SoftLayer_Hardware_Server/getNetworkVlans                              faithful
//	SoftLayer_Network_Storage/getObject                                    partial: the properties of the schema only
//	SoftLayer_Network_Storage/getAllowedHardware                           faithful
//	SoftLayer_Network_Storage/getBillingItem                               partial: the properties of the schema only
//	SoftLayer_Network_Subnet/getObject                                     partial: secondary subnets only
//	SoftLayer_Network_Subnet/getBillingItem                                partial: secondary subnets only
//	SoftLayer_Network_Subnet/getEndPointIpAddress                          partial: secondary subnets only
//	SoftLayer_Network_Vlan/getObject                                       partial: the properties of the schema only
//	SoftLayer_Network_Vlan/getBillingItem                                  partial: the properties of the schema only
//	SoftLayer_Network_Vlan/getCancelFailureReasons                         partial: servers and secondary subnets
//	SoftLayer_Network_Pod/getAllObjects                                    partial: the account's data centers; no capability but CLOSURE_ANNOUNCED
//	SoftLayer_Account/getObject                                            partial: id, companyName, email, country
//	SoftLayer_Account/getCurrentUser                                       partial: one user
//	SoftLayer_Account/getHardware                                          partial: servers only, no firewalls
//	SoftLayer_Account/getVirtualGuests                                     partial: the properties of the schema only
//	SoftLayer_Account/getTickets                                           faithful
//	SoftLayer_Account/getOpenTickets                                       faithful
//	SoftLayer_Account/getClosedTickets                                     faithful
//	SoftLayer_Account/getTicketsClosedInTheLastThreeDays                   faithful
//	SoftLayer_Account/getOpenTicketsWaitingOnCustomer                      faithful
//	SoftLayer_Account/getNetworkStorage                                    partial: block and file volumes
//	SoftLayer_Account/getSubnets                                           partial: secondary subnets only
//	SoftLayer_Account/getNetworkVlans                                      partial: the properties of the schema only
//	SoftLayer_Account/getAllTopLevelBillingItems                           partial: servers, floating items, volumes, subnets, VLANs
//	SoftLayer_Account/getOpenCancellationRequests                          faithful
//	SoftLayer_Virtual_Guest/getObject                                      partial: the properties of the schema only
//	SoftLayer_Tag/getAttachedTagsForCurrentUser                            partial: tags of servers, bare metal and virtual
//	SoftLayer_Tag/getReferences                                            partial: servers, bare metal and virtual
//	SoftLayer_User_Customer/getPermissions                                 partial: eleven permissions, one's own
//	SoftLayer_Billing_Item/getObject                                       partial: those of getAllTopLevelBillingItems and their parts
//	SoftLayer_Billing_Item/getActiveCancellationItem                       faithful
//	SoftLayer_Billing_Item/getCancellationRequests                         faithful
//	SoftLayer_Billing_Item/getActiveAssociatedChildren                     faithful
//	SoftLayer_Billing_Item_Cancellation_Request/getAllCancellationRequests  partial: those that have a ticket
//	SoftLayer_Billing_Item_Cancellation_Request/getObject                  faithful
//	SoftLayer_Billing_Item_Cancellation_Request/getItems                   faithful
//	SoftLayer_Billing_Item_Cancellation_Request/getStatus                  faithful
//	SoftLayer_Billing_Item_Cancellation_Request/getTicket                  faithful
//	SoftLayer_Billing_Item_Cancellation_Request/getUser                    faithful
//	SoftLayer_Billing_Item_Cancellation_Request/void                       faithful
//	SoftLayer_Billing_Item_Cancellation_Request/removeCancellationItem     faithful
//	SoftLayer_Billing_Item_Cancellation_Request/validateBillingItemForCancellation  faithful
//	SoftLayer_Billing_Item_Cancellation_Request/getCancellationCutoffDate  partial: the category "server"
//	SoftLayer_Search/advancedSearch                                        partial: hardware; quoted, starred and fuzzy terms
//
// Every other method is absent and answered as SoftLayer answers one that does
// not exist: among them SoftLayer_Ticket/edit, Billing_Item/cancelItem,
// Billing_Item_Cancellation_Request/createObject, and editing of any kind. So are XML-RPC,
// SOAP, .xml, IAM bearer tokens, and the rate limit, which comes by fault only.
//
// # Not proven
//
// No live answer of createCancelServerTicket has ever been published. By analogy
// or by choice, and not known from SoftLayer: HTTP 500 for its five texts; the
// order of its checks; title, subject and layout of the ticket it makes; that it
// takes a server with a pending cancellation, a running transaction or no
// billing item; its text for an attachmentType other than HARDWARE; the text for
// an unknown service and for an expired token; the status of "Bad request"; the
// short keys and names of permissions alongside their keyNames; that SERVER_CANCEL and
// TICKET_ADD are what it asks for, that ACCOUNT_SUMMARY_VIEW opens billingItem and
// TICKET_VIEW_ALL the tickets of others; case in objectFilter; that a getter of an
// absent relation answers null; which right opens networkGatewayMember and
// activeAgreement (none is asked here; POST key hides any relation); that a server on
// a contract term has an activeAgreement, and that its cancellation is taken; the number of the
// tag type HARDWARE, and that a tag nothing refers to is not found; three days for the
// cut-off, and midnight in Dallas for its time of day; that a cancellation keeps the date
// that was due when it was asked for, however late staff approve it.
//
// After the ticket, likewise: that TICKET_EDIT is what addUpdate asks for, and its refusals;
// when awaitingUserResponseFlag is set and cleared; that a ticket closed at the very second
// asked for is among those closed since; the ids of a cancellation request's states, but
// Approved; that ACCOUNT_SUMMARY_VIEW opens these requests, that they come newest first and
// with their full number in SoftLayer-Total-Items; that staff who close a ticket void what they
// have not approved; what void and removeCancellationItem ask for; how long a reclaim takes, what
// the API calls its stages, and that a server in them has no billing item; that its ticket is
// closed when it is gone; that NAS_MANAGE opens volumes, and that subnets and VLANs need no right;
// that a server hidden from the key is not among those that may use a volume, and counts on a
// VLAN; that subnets hold a VLAN; how many rows come with a narrow mask, or with backendRouters; that a server's backendRouters
// hold its pod's, and that a pod's capabilities come only by a mask. What a client could come to depend on is a choice of [Unproven].
package fakesoftlayer
