package main

import (
	"fmt"
	"slices"
	"strings"

	"cancel-server/internal/policytool"
)

// typoDistance is how many edits a name may be from a setting's and still be
// taken for a slip of the fingers. The shortest setting has 9 letters, so that
// a name taken for one agrees with it in 7 letters at least: no short name of
// another program is met, nor systemd's LISTEN_FDS, which is 3 edits away.
const typoDistance = 2

// checkNames says which names in environ (KEY=VALUE, as os.Environ has them)
// were meant for this program and are none of its settings. One whose value is
// empty is not set.
func checkNames(environ []string) []string {
	names := knownNames()
	var problems []string
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" {
			continue
		}
		if problem := names.check(name); problem != "" {
			problems = append(problems, policytool.Printable(name)+": "+problem)
		}
	}
	return problems
}

// settingNames are the names that checkNames compares with.
type settingNames struct {
	settings, files []string
}

func knownNames() settingNames {
	var names settingNames
	for _, row := range SettingRows() {
		names.settings = append(names.settings, row.Name)
		if row.File {
			names.files = append(names.files, row.Name+"_FILE")
		}
	}
	return names
}

func (n settingNames) check(name string) string {
	all := slices.Concat(n.settings, n.files)
	base, isFile := strings.CutSuffix(name, "_FILE")
	switch {
	case slices.Contains(all, name):
		return ""
	case isFile && slices.Contains(n.settings, base):
		return fmt.Sprintf("%s is not read from a file; set %s itself (a file is read for %s)", base, base, strings.Join(n.files, ", "))
	}
	if near := nearest(name, all); near != "" {
		return "not a setting; did you mean " + near + "?"
	}
	return ""
}

// nearest returns the name that is the fewest edits away, capitals or not, the
// first of several, and "" where all are more than typoDistance away.
func nearest(name string, names []string) string {
	best, found := typoDistance+1, ""
	for _, candidate := range names {
		if d := editDistance(strings.ToUpper(name), candidate); d < best {
			best, found = d, candidate
		}
	}
	return found
}

// editDistance is Levenshtein's: how many letters to insert, delete or replace
// to make a into b. Where the lengths alone are more than typoDistance apart it
// returns their difference, a lower bound.
func editDistance(a, b string) int {
	if gap := max(len(a)-len(b), len(b)-len(a)); gap > typoDistance {
		return gap
	}
	above := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			replaced := above[j]
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(replaced, above[j+1]+1, row[j]+1)
		}
		above = row
	}
	return above[len(b)]
}
