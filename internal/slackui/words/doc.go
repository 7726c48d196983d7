// Package words is every sentence that a person reads in Slack, and the blocks and views that
// the sentences stand in. It does no I/O, decides nothing and has no clock of its own: the same
// arguments give the same words.
//
// Host names, tags, names of people and everything else that came from people or from SoftLayer
// is foreign text. In blocks it stands in plain_text and rich_text, which Slack never parses;
// in a message's top-level text it is escaped. So it can neither mention anybody nor make a
// link. IP addresses are displayed in modals only: a channel can be shared with other companies.
package words
