//go:build linux

package crash

import (
	"slices"
)

// plain is the program as it is.
var plain = &binary{name: "plain"}

// swift has the seams, and shorter times.
var swift = &binary{name: "swift", patches: slices.Concat(seams, shorter), added: seamFiles}

// askew is swift with a wall clock that is shifted by CRASH_SHIFT seconds. The monotonic
// clock, timers and the database's clock stay.
var askew = &binary{name: "askew", patches: slices.Concat(swift.patches, shifted), added: seamFiles}

var shifted = []patch{{
	"GOROOT/src/time/time.go", "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n",
	`
var crashShift = func() int64 {
	text, _ := syscall.Getenv("CRASH_SHIFT")
	if len(text) > 0 && text[0] == '-' {
		seconds, _ := atoi(text[1:])
		return -int64(seconds)
	}
	seconds, _ := atoi(text)
	return int64(seconds)
}()

func Now() Time {
	sec, nsec, mono := runtimeNow()
	sec += crashShift
`,
}, {"GOROOT/src/time/time.go", "import (\n", "import (\n\t\"syscall\"\n"}}

// seams puts the decorators of testdata/seams.go into cmd/bot's wiring.
var seams = []patch{
	{"cmd/bot/serve.go", "Requests: journal,", "Requests: crashJournal{journal},"},
	{"cmd/bot/serve.go", "Intake: journal,", "Intake: crashJournal{journal},"},
	{"cmd/bot/serve.go", "Queue: journal,", "Queue: crashJournal{journal},"},
	{"cmd/bot/serve.go", "Notices: journal,", "Notices: crashJournal{journal},"},
	{"cmd/bot/serve.go", "Desk: desk, Batches: journal,", "Desk: desk, Batches: crashJournal{journal},"},
	{"cmd/bot/serve.go", "Writer: b.writer}", "Writer: crashWriter{b.writer}}"},
	{"cmd/bot/serve.go", "Announcer: announcer,", "Announcer: crashAnnouncer{announcer},"},
	{"cmd/bot/serve.go", "cfg.marking(b.app)", "newCrashApp(cfg.marking(b.app))"},
	{"cmd/bot/resolve.go", "Requests: journal,", "Requests: crashJournal{journal},"},
	{
		"cmd/bot/serve.go", "Ledger: journal, Journal: journal, Books: v.softlayer, Writer: b.writer,",
		"Ledger: crashTexts{journal}, Journal: journal, Books: v.softlayer, Writer: crashPen{b.writer},",
	},
	{
		"cmd/bot/serve.go", "Ledger: journal, Books: v.softlayer, Wake: b.wakeTellers,",
		"Ledger: crashLedger{journal}, Books: crashBooks{v.softlayer}, Wake: b.wakeTellers,",
	},
	{
		"cmd/bot/serve.go", "Ledger: journal, People: b.directory, Mail: announcer,",
		"Ledger: crashBoxes{journal}, People: b.directory, Mail: crashMail{announcer},",
	},
}

var seamFiles = map[string]string{"cmd/bot/crash_seams.go": "testdata/seams.go"}

// shorter lists the constants that are divided so that a schedule takes seconds: what is
// waited for after a failure, and how long calls, leases and steps may take. The bounds
// that a promise rests on (the age of a read before the POST, the time of an
// acknowledgement) stay.
var shorter = []patch{
	{"internal/store/session.go", "sessionAge = time.Minute", "sessionAge = 3 * time.Second"},
	{"internal/store/postgres.go", "timeLimit: 15 * time.Second", "timeLimit: 5 * time.Second"},
	{"internal/store/batches.go", "batchPause = 3 * time.Second", "batchPause = 300 * time.Millisecond"},
	{"internal/cancellation/batch.go", "leastTurn = 250 * time.Millisecond", "leastTurn = 20 * time.Millisecond"},
	{"internal/cancellation/loop.go", "Lease: 10 * time.Second,", "Lease: time.Second,"},
	{"internal/cancellation/loop.go", "Poll: time.Second,", "Poll: 100 * time.Millisecond,"},
	{"internal/cancellation/loop.go", "const stepTime = time.Minute", "const stepTime = 6 * time.Second"},
	{"internal/cancellation/filer.go", "pause := time.Second <<", "pause := 100 * time.Millisecond <<"},
	{"internal/cancellation/filer.go", "min(pause, time.Minute)", "min(pause, 3*time.Second)"},
	{"internal/cancellation/notifier.go", "callTime  = 10 * time.Second", "callTime  = 2 * time.Second"},
	{"internal/cancellation/notifier.go", "lostPause = callTime + time.Minute", "lostPause = callTime + 2*time.Second"},
	{"internal/cancellation/notifier.go", "2*callTime + 5*time.Second", "2*callTime + time.Second"},
	{"internal/cancellation/notifier.go", "const nowherePause = 10 * time.Minute", "const nowherePause = 2 * time.Second"},
	{"internal/cancellation/desk.go", "const patience = 5 * time.Second", "const patience = 500 * time.Millisecond"},
	{"internal/cancellation/sighting.go", "const SightingGap = 15 * time.Minute", "const SightingGap = 600 * time.Millisecond"},
	{"internal/cancellation/sighting.go", "const SightingDelay = 5 * time.Minute", "const SightingDelay = 2 * time.Second"},
	{"internal/following/follower.go", "turnLease   = 5 * time.Minute", "turnLease   = 2 * time.Second"},
	{"internal/following/follower.go", "poll        = 4 * time.Minute", "poll        = 200 * time.Millisecond"},
	{"internal/following/follower.go", "leastPeriod = time.Second", "leastPeriod = 200 * time.Millisecond"},
	{"internal/following/follower.go", "rightsAge   = time.Hour", "rightsAge   = time.Second"},
	{"internal/following/follower.go", "ledgerTime  = 10 * time.Second", "ledgerTime  = 3 * time.Second"},
	{"internal/following/judge.go", "const readAgain = 24 * time.Hour", "const readAgain = time.Second"},
	{"internal/correspondence/sender.go", "pause := min(time.Second<<", "pause := min(100*time.Millisecond<<"},
	{"internal/correspondence/sender.go", "reachTime   = time.Minute", "reachTime   = 500 * time.Millisecond"},
	{"internal/audit/seal.go", "sealEvery  = 3 * time.Second", "sealEvery  = 300 * time.Millisecond"},
	{"internal/waiting/teller.go", "poll       = 10 * time.Second", "poll       = 500 * time.Millisecond"},
	{"internal/waiting/teller.go", "retryPause = 5 * time.Minute", "retryPause = 500 * time.Millisecond"},
	{"internal/letters/sender.go", "callTime     = 10 * time.Second", "callTime     = 2 * time.Second"},
	{"internal/letters/sender.go", "lostPause    = callTime + time.Minute", "lostPause    = callTime + 2*time.Second"},
	{"internal/letters/sender.go", "jobTime      = 25 * time.Second", "jobTime      = 6 * time.Second"},
	{"internal/letters/sender.go", "leaseTime    = jobTime + 10*time.Second", "leaseTime    = jobTime + time.Second"},
	{"internal/letters/sender.go", "refusedPause = 10 * time.Minute", "refusedPause = time.Second"},
	{"internal/letters/sender.go", "pause := time.Second << min(b.state.Attempts, 9)", "pause := 100 * time.Millisecond << min(b.state.Attempts, 9)"},
	{"cmd/bot/serve.go", "letterPoll = 5 * time.Second", "letterPoll = 500 * time.Millisecond"},
	{"internal/slackui/directory.go", "groupPause = 20 * time.Second", "groupPause = time.Second"},
	{"internal/slackui/directory.go", "lookupTime = 10 * time.Second", "lookupTime = 2 * time.Second"},
	{"internal/slackui/webapi/client.go", "patientTime = 10 * time.Second", "patientTime = 2 * time.Second"},
	{"internal/slackui/app.go", "lookTime     = 10 * time.Second", "lookTime     = 2 * time.Second"},
	{"internal/slackui/receive/socket.go", "openStagger = 30 * time.Second", "openStagger = 3 * time.Second"},
	{"internal/slackui/receive/socket_connection.go", "pingTime  = 30 * time.Second", "pingTime  = 4 * time.Second"},
	{"internal/slackui/receive/socket_slot.go", "firstPause  = time.Second", "firstPause  = 100 * time.Millisecond"},
	{"internal/slackui/receive/socket_slot.go", "longPause   = time.Minute", "longPause   = 2 * time.Second"},
	{"internal/slackui/receive/socket_slot.go", "healthyTime = 10 * time.Second", "healthyTime = time.Second"},
	{"internal/cancellation/loop.go", "maxOutagePause = 15 * time.Second", "maxOutagePause = 1500 * time.Millisecond"},
	{"cmd/bot/serve.go", "listenedPoll = 15 * time.Second", "listenedPoll = 1500 * time.Millisecond"},
	{"internal/softlayer/client.go", "o.Timeout = 10 * time.Second", "o.Timeout = 2 * time.Second"},
}
