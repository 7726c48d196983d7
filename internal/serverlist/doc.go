// Package serverlist reads lists of servers that people paste, and finds out which servers they mean.
//
// [Parse] splits a text into entries, which are names, ids and addresses, and into queries, such as
// tag:staging. It guesses nothing: what may be cut off, or cannot be read, stays in the list with a
// [Problem], and all that is left out is counted or named.
//
// A text is a table if its first line is a header with several columns, such as name;id;ip. Each row of
// a table is one entry: its id, else its name, else its address. The other ones go along as [Entry.Also]
// and must mean the same server. A row that does not fit the header is read as if there were no header.
// Without a header each field is an entry, and entries that mean the same server become one row when they
// are resolved.
//
// Names and queries may stand in one list. Servers that were named start ticked, those of queries do not.
//
// [Resolve] looks entries up in a light copy of all servers. The copy is only a hint, and may be minutes
// old: the caller reads every server from SoftLayer by its id before anything is decided, and asks it for
// entries that the copy does not have, since their servers may be new. One that was found by its host name
// alone may have a namesake that the copy does not have yet.
package serverlist
