// Package typeahead answers the typeahead: which servers may be meant by what was typed so far. It
// keeps a light copy of all servers in memory and finds them by host name, full name, address, id
// and tag. If something in memory matches, it answers from memory alone; else it asks SoftLayer.
//
// [Inventory.All] gives the copy to whatever resolves pasted lists.
//
// It only suggests. Its answers may be minutes old, and nothing is decided by them: a chosen server
// is read by id.
//
// One goroutine, [Inventory.Run], makes the copy in passes over all servers, page by page in the
// order of their ids, at a pace that leaves most of the deployment's calls to people. A pass that
// does not add up to the number that SoftLayer gives is discarded and repeated, so a server is
// removed only after a whole pass has not met it. Tags are then read tag by tag. The store keeps a
// snapshot of each pass for the next start and for the other replicas: one replica at a time makes
// a pass, and the others take its snapshot.
package typeahead
