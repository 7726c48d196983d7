package main

import (
	"fmt"
	"slices"
	"strings"

	"cancel-server/internal/authz"
	"cancel-server/internal/policytool"
)

// typoDistance is how many edits away from a setting a name still counts as a typo. The
// shortest setting has 9 letters, so a typo agrees with it in at least 7: that spares short
// names of other programs, and systemd's LISTEN_FDS, which is 3 edits away.
const typoDistance = 2

// checkNames returns which names in environ (KEY=VALUE, as from os.Environ) are probably
// misspelt settings of this program. It ignores empty values.
func checkNames(environ []string) []string {
	var problems []string
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" {
			continue
		}
		if problem := checkName(name); problem != "" {
			problems = append(problems, policytool.Printable(name)+": "+problem)
		}
	}
	return problems
}

// knownNames returns the names of all settings, and those of their files.
func knownNames() (names, files []string) {
	for _, s := range settings {
		names = append(names, s.name)
		if s.secret {
			files = append(files, s.name+"_FILE")
		}
	}
	return names, files
}

func checkName(name string) (problem string) {
	names, files := knownNames()
	all := slices.Concat(names, files)
	base, isFile := strings.CutSuffix(name, "_FILE")
	switch {
	case slices.Contains(all, name):
		return ""
	case isFile && slices.Contains(names, base):
		return fmt.Sprintf("%s is not read from a file; set %s itself (a file is read for %s)", base, base, strings.Join(files, ", "))
	}
	if near := nearest(name, all); near != "" {
		return "not a setting; did you mean " + near + "?"
	}
	return ""
}

// nearest returns the first of the names that are the fewest edits away, ignoring case, and
// "" if all are more than typoDistance away.
func nearest(name string, names []string) string {
	best, found := typoDistance+1, ""
	for _, candidate := range names {
		if d := authz.EditDistance(strings.ToUpper(name), candidate); d < best {
			best, found = d, candidate
		}
	}
	return found
}
