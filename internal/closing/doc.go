// Package closing says which pods and data centers close, and how far the cancellations of the servers
// there have come: how many are asked for, wait for approval and are not asked for yet, and what those
// cost. A place closes if SoftLayer has announced it or if the operator has set a date for it.
//
// [Watch] keeps what SoftLayer says about pods, and what the servers in closing places cost. A [Board]
// is counted from that and from memory, for one person: it makes no call to SoftLayer.
package closing
