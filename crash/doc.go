// Package crash shows the promises of this program (docs/design.md 1.1, 1.2, 1.5, 6.2 to 6.4, 6.6,
// 6.8 and 6.10) by breaking everything around it. It holds tests only:
//
//	make crash                                              # a full round of schedules, and the mutants
//	cd crash
//	go test -tags crash -run TestSchedules -args -schedules 1000 -seed 1 -workers 16
//	go test -tags crash -run TestSchedules -v -args -only 421 # one schedule again, with its timeline
//	go test -tags crash -run TestSchedules -args -schedules 1000 -failovers # PostgreSQL fails over in some
//	go test -tags crash -run TestMutants -args -mutants
//
// Without the tag crash only the judge and the patches are tested: go test ./... stays short.
//
// A schedule runs the real binary as child processes against both fakes, over real
// HTTP and websockets on loopback, while people ask for servers and write into tickets,
// staff answer, approve, close and reopen tickets, servers go, and an operator resolves
// what is stuck. In half of the schedules people ask for lists of 2 to 12 servers, of which some
// are on several lists; leads approve them, leave servers out or decline, requesters withdraw, and
// an operator freezes filing for a while. Vendors' faults strike, and the processes are killed and stopped: at
// random moments, while a vendor has their request, and at every named boundary between
// two steps. Everything in a schedule is drawn from its seed; only its timing differs
// from run to run.
//
// A judge then compares the fakes' records and everything that was sent to Slack with the
// database, which it reads with plain SQL. What people did about lists it takes from what they sent:
// each list is recorded whole and once or not at all, and nothing reaches SoftLayer that was left out,
// declined or withdrawn before, or that fewer leads approved than its rule wants. It must find nothing wrong. [TestMutants] breaks
// the program on purpose, and the judge must find that.
//
// A schedule runs on SQLite, or on a PostgreSQL database of its own with one or three
// replicas: see [cancel-server/internal/postgrestest] for which server. With three the
// replicas' clocks are ten minutes apart in some.
//
// With -failovers PostgreSQL fails over in a third of its schedules, each on a primary and
// a synchronous standby of its own: the standby is promoted, and the address leads to it,
// while the old primary crashes, is cut off, or keeps some or all of its sessions. It needs
// PostgreSQL's programs on this host.
//
// The binaries are built with go build -overlay, so that production code has no hook:
// decorators stand at the seams of cmd/bot's wiring, and the constants that make a
// schedule slow are shorter. Both are listed here; an overlay whose text is not found
// in the source fails the build of the harness. A share of the schedules runs the
// program as it is.
//
// It needs Linux: processes are stopped by signals, and end with the harness.
package crash
