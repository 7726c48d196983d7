// Package audit puts all events in one order and seals them in a Merkle tree, so that anyone who changes,
// removes, moves or adds one later is found out. It knows no SQL and no Slack.
//
// An event becomes a leaf ([Event.Leaf]) of a tree as in RFC 6962. The tree holds names and free text as
// salted hashes only. A [Sealer] gives events their positions, a [Checkpoint] names the tree as it is, and
// [Verify] works everything out again from the rows. docs/audit.md tells auditors how.
package audit
