// Package typeahead answers the typeahead: which servers may be meant by what was typed so
// far. It keeps a light copy of all servers in memory, finds by host name, full name,
// address, id and tag, and answers from memory alone wherever it knows something that fits.
// What it does not know yet it asks SoftLayer for.
//
// It only suggests. What it says may be minutes old, and nothing is decided by it: whoever
// was chosen is read by id.
//
// The copy is made by one goroutine, [Inventory.Run], in passes over all servers, page by
// page in the order of their ids, at a pace that leaves most of the deployment's calls to
// people. A pass that does not add up to the number that SoftLayer names is not taken over
// but made again, so that a server is missing only after a whole pass has not met it. Tags
// are read tag by tag afterwards. What a pass has found is kept in the store, for the next
// start and for the other replicas: of those one at a time makes a pass, and the others
// take over what it kept.
package typeahead
