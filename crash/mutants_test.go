//go:build linux

package crash

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// mutantBound is how many schedules the harness may need to find a broken program.
const mutantBound = 200

// mutants are versions of the program that are broken on purpose, each with what the judge
// must find. The first is found at once, and every round looks for it.
var mutants = []struct {
	name     string
	patches  []patch
	shows    []figure
	failover bool // it shows where PostgreSQL fails over
}{
	{"it acknowledges before it commits", []patch{{
		"internal/cancellation/desk.go", "recorded, err := d.Intake.Record(ctx, record)",
		`recorded, err := Recorded{Request: record.Request, Fresh: true}, error(nil)
	go func() { _, _ = d.Intake.Record(context.WithoutCancel(ctx), record) }()`,
	}}, []figure{lost}, false},
	{"the fence is dropped", []patch{{
		"internal/store/apply.go", "` and version = ` + behindStep(5) + ` and state = ` + behindStep(6)",
		"` and cast(` + behindStep(5) + ` as bigint) is not null and cast(` + behindStep(6) + ` as text) is not null`",
	}}, []figure{disordered, blind, twice, bothOpen}, false},
	{"it POSTs from filing after a restart", []patch{
		{
			"internal/cancellation/filer.go",
			`return f.persist(ctx, h, verdict{to: Unknown, why: Reason{Code: WhyStopped}}, true)`,
			"return f.checkAndPost(ctx, h)",
		},
		{"internal/cancellation/state.go", "{Filing, Filed, ByWorker},", "{Filing, Filing, ByWorker},\n\t{Filing, Filed, ByWorker},"},
	}, []figure{blind, twice, bothOpen}, false},
	{"it skips the clean reads", []patch{
		{"internal/cancellation/settle.go", "case !over:", "case false && !over:"},
		{"internal/cancellation/settle.go", "case r.CleanSince.IsZero():", "case false && r.CleanSince.IsZero():"},
		{"internal/cancellation/settle.go", "case began.Sub(r.CleanSince) <", "case false && began.Sub(r.CleanSince) <"},
	}, []figure{blind, twice, bothOpen}, false},
	{"it reads where it does not write", []patch{
		{"internal/store/session.go", "err != nil || at.identity != identityOf(session) {", "false && (err != nil || at.identity != identityOf(session)) {"},
		{"internal/store/session.go", "e.read.SetMaxIdleConns(0)", "e.read.SetMaxIdleConns(readers)"},
		{"internal/store/session.go", "sessionAge = 3 * time.Second", "sessionAge = time.Hour"},
	}, []figure{unsettled, falseWords, untold, lost}, true},
	{"one read ends a request", []patch{{
		"internal/following/judge.go", "if e.Begun.Sub(known.Since) < cancellation.SightingGap {",
		"if false && e.Begun.Sub(known.Since) < cancellation.SightingGap {",
	}}, []figure{falseEnd}, false},
	{"it takes a hidden server for a gone one", []patch{
		{"internal/following/reading.go", "rights.AllHardware, err", "true || rights.AllHardware, err"},
	}, []figure{falseEnd}, false},
	{"a dead follower keeps its turn", []patch{{
		"internal/store/following.go", "lease_owner = $1 or lease_until <= $3", "lease_owner = $1 or lease_until <= $3 - 3600000",
	}}, []figure{lostEnd}, false},
	{"it writes a text again whose answer was lost", []patch{
		{"internal/correspondence/send.go", "case ticket.has(u):", "case false && ticket.has(u):"},
		{"internal/correspondence/send.go", "err == nil && ticket.has(u)", "false && ticket.has(u)"},
		{"internal/correspondence/send.go", "return s.move(ctx, h, NotSent, WhyAbsent, \"\")", "return s.move(ctx, h, Recorded, WhyWaiting, \"\")"},
		{"internal/correspondence/update.go", "Unknown:   {Sent, NotSent},", "Unknown:   {Sent, NotSent, Recorded},"},
	}, []figure{wroteTwice}, false},
	{"two send what one proposed", []patch{{
		"internal/store/ticket_updates.go", "); last != nil || err != nil {", "); false && (last != nil || err != nil) {",
	}}, []figure{wroteTwice}, false},
	{"it files what was left out of a list", []patch{{
		"internal/cancellation/batchvote.go", "case !slices.Contains(without, r.ID):", "case true || !slices.Contains(without, r.ID):",
	}}, []figure{against}, false},
	{"it records a list in two transactions", []patch{{
		"internal/cancellation/batch.go", "recorded, err := d.Batches.RecordBatch(ctx, b, records)",
		`half := (len(records) + 1) / 2
	recorded, err := d.Batches.RecordBatch(ctx, b, records[:half])
	for _, rec := range records[half:] {
		if err == nil && recorded.Requests != nil {
			var one Recorded
			one, err = d.Intake.Record(ctx, rec)
			recorded.Requests = append(recorded.Requests, one.Request)
		}
	}`,
	}}, []figure{torn, lost}, false},
	{"it records the same list twice", []patch{
		{"internal/cancellation/batch.go", "s.Reason, s.Content, s.Confirmation)", "s.Reason, s.Content, s.Confirmation, time.Now().String())"},
		{"internal/cancellation/request.go", "s.Reason, s.Content, s.Confirmation,\n\t})", "s.Reason, s.Content, s.Confirmation, time.Now().UnixNano(),\n\t})"},
	}, []figure{torn}, false},
	{"one approval files what needs two", []patch{
		{"internal/cancellation/vote.go", "if len(next.Approvals) >= max(r.Decision.Approvals, 1) {", "if len(next.Approvals) >= 1 {"},
		{"internal/cancellation/file.go", "missing := len(valid) < max(d.Approvals, 1);", "missing := len(valid) < 1;"},
	}, []figure{against}, false},
	{"it tells a line twice", []patch{{
		"internal/cancellation/notifier.go", "notice.Channel, notice.TS = at.Channel, at.TS\n\t\treturn n.shown(ctx, notice)",
		"if _, isLine := notice.Kind.Line(); isLine && notice.Posts < 2 {\n\t\t\treturn n.soon(ctx, notice)\n\t\t}\n\t\tnotice.Channel, notice.TS = at.Channel, at.TS\n\t\treturn n.shown(ctx, notice)",
	}}, []figure{orphaned}, false},
}

// Building them all takes long, so that each patch still matches its text is tested apart.
func TestEveryPatchMeetsItsText(t *testing.T) {
	t.Parallel()
	all := [][]patch{swift.patches, askew.patches}
	for _, m := range mutants {
		all = append(all, slices.Concat(swift.patches, m.patches))
	}
	for _, patches := range all {
		_, err := patched(patches)
		require.NoError(t, err)
	}
}

// hunt runs schedules with a broken program until one shows what is wrong with it.
type hunt struct {
	broken   *binary
	shows    []figure
	failover bool
	ctx      context.Context // over once it is found
	stop     context.CancelFunc

	mu    sync.Mutex
	found string
	tried int
}

func (h *hunt) try(t *testing.T, seed uint64) {
	if h.ctx.Err() != nil {
		return
	}
	s := draw(seed)
	if h.failover && s.failover == nil {
		return
	}
	s.binary = h.broken
	o := run(h.ctx, t, s)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx.Err() != nil {
		return
	}
	h.tried++
	for _, v := range o.found {
		if slices.Contains(h.shows, v.figure) {
			h.found = fmt.Sprintf("%s\n  %s: %.300s", s, v.figure, v.shown)
			h.stop()
			return
		}
	}
}
