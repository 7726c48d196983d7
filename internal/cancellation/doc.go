// Package cancellation is the domain: one request to cancel one bare-metal
// server, from the submission that a person sends to the ticket that SoftLayer
// opens, or to the reason why there is none.
//
// The package owns the words and the order of the steps. It knows no Slack, no
// HTTP, no SQL and no environment; it declares what it needs of
// those as interfaces in ports.go. Three parts use the same types:
//
//   - [Desk] answers people: it reads a server's [Card] and takes submissions.
//     Deciding and recording happen at one choke point, [Desk.Submit], in one
//     transaction, before the person is told anything.
//   - [Filer] files accepted requests and finds out what became of a POST whose
//     answer was lost. Each step starts from the stored row alone, so it can be
//     repeated after a crash at any point.
//   - [Notifier] shows people a request's present state, and reports overdue requests.
//
// Three things must never happen: a second ticket, a ticket for another server, and a
// statement about an outcome that the program does not know. The state table in
// state.go is the only place that says which state may follow which.
package cancellation
