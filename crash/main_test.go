//go:build linux

package crash

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"cancel-server/internal/cleanroom"
)

// What to run. Without flags it is a tiny round.
var (
	schedules  = flag.Int("schedules", 0, "how many schedules to run; 0 for a tiny round")
	firstSeed  = flag.Uint64("seed", 1, "the first one's seed; the others follow")
	onlySeed   = flag.Uint64("only", 0, "run the schedule of this seed alone, and show its timeline")
	workers    = flag.String("workers", "12", "how many run at once; they mostly wait")
	failovers  = flag.Bool("failovers", false, "let PostgreSQL fail over in a third of its schedules, each on two servers of its own")
	allMutants = flag.Bool("mutants", false, "look for every broken program, not for the first alone")
)

// tinyRound is how many schedules a tiny round has.
const tinyRound = 6

func TestMain(m *testing.M) {
	cleanroom.Prepare()
	err := flag.Set("test.parallel", *workers)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if workshop, err = os.MkdirTemp("", "crash-binaries-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(workshop) // of the system's temporary folder
	os.Exit(code)
}
