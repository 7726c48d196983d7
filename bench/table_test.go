//go:build bench

package bench

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
)

// figures are what was measured of the bot and of what stood next to it, by the contender's name.
type figures map[string]float64

// row is one line of the table.
type row struct {
	name string
	figures
	aim  aim
	from string // the case that measures it, as -bench selects it
}

// aim is the limit that a row should keep. The zero aim is no limit.
type aim struct {
	text string
	met  func(row) bool
}

func atMost(most float64) aim {
	return aim{"≤ " + short(most), func(r row) bool { return r.figures[theBot] <= most }}
}

func atLeast(least float64) aim {
	return aim{"≥ " + short(least), func(r row) bool { return r.figures[theBot] >= least }}
}

// atMostOfFloor compares the bot with its floor.
func atMostOfFloor(most float64) aim {
	return aim{"≤ " + short(most) + " × floor", func(r row) bool { return r.ratio() <= most }}
}

func atLeastOfFloor(least float64) aim {
	return aim{"≥ " + short(least) + " × floor", func(r row) bool { return r.ratio() >= least }}
}

// ratio is the bot's figure divided by its floor's: net-http's if there is one, else bare-store's, else 0.
func (r row) ratio() float64 {
	for _, floor := range []string{netHTTP, bareStore} {
		if figure := r.figures[floor]; figure > 0 {
			return r.figures[theBot] / figure
		}
	}
	return 0
}

// table is what the benchmark prints at its end.
type table struct {
	mu   sync.Mutex
	rows []row
}

// row adds a line to the table, and reports the same figures in the unit of the benchmark's own line, which
// other tools read.
func (l *lab) row(name, unit string, aim aim, f figures) {
	if l.database == postgres {
		name += ", PostgreSQL"
	}
	for _, contender := range []string{theBot, netHTTP, bareStore, slackGo} {
		figure, measured := f[contender]
		if !measured {
			continue
		}
		l.ReportMetric(figure, contender+"-"+unit)
	}
	l.table.mu.Lock()
	defer l.table.mu.Unlock()
	l.table.rows = append(l.table.rows, row{name, f, aim, strings.TrimPrefix(l.Name(), "Benchmark")})
}

// print writes the table in Markdown, as README.md has it.
func (t *table) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 1, ' ', 0)
	line := func(cells ...string) { fmt.Fprintln(w, "| "+strings.Join(cells, "\t| ")+"\t|") }
	line("row", "ours", "net/http", "bare rows", "slack-go", "ours/floor", "aim", "", "ROWS")
	line("---", "--:", "--:", "--:", "--:", "--:", "---", "---", "---")
	for _, r := range t.rows {
		line(r.name, r.figure(theBot), r.figure(netHTTP), r.figure(bareStore), r.figure(slackGo), orDash(r.ratio(), r.ratio() > 0),
			r.aim.text, r.verdict(), "`"+r.from+"`")
	}
	_ = w.Flush() // to the terminal
}

func (r row) verdict() string {
	switch {
	case r.aim.met == nil:
		return ""
	case r.aim.met(r):
		return "met"
	}
	return "MISSED"
}

func (r row) figure(contender string) string {
	figure, measured := r.figures[contender]
	return orDash(figure, measured)
}

func orDash(figure float64, measured bool) string {
	if !measured {
		return "–"
	}
	return short(figure)
}

// short is a figure in three digits, or whole if it has more.
func short(figure float64) string {
	if figure >= 100 {
		return strconv.FormatFloat(figure, 'f', 0, 64)
	}
	return strconv.FormatFloat(figure, 'g', 3, 64)
}
