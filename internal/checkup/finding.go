package checkup

import (
	"fmt"
	"strings"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	OK   Level = "OK"
	Warn Level = "WARN" // something is missing or risky, and the main job works
	Fail Level = "FAIL" // the main job does not work, or not for everybody
	Skip Level = "SKIP" // nobody can tell from here
)

// Finding is what a check found, in one line.
type Finding struct {
	Name  string `json:"name"` // of the check
	Level Level  `json:"level"`
	Found string `json:"found"`        // a sentence
	Do    string `json:"do,omitempty"` // what to do about it, a sentence; "" for nothing
}

// Line returns the finding as people read it.
func (f Finding) Line() string {
	return fmt.Sprintf("%-4s  %s", f.Level, strings.TrimSpace(f.Found+" "+f.Do))
}

// IsProblem reports whether somebody should do something.
func (f Finding) IsProblem() bool { return f.Level == Warn || f.Level == Fail }

// Problems returns the findings that are problems, in their order.
func Problems(all []Finding) []Finding {
	var problems []Finding
	for _, f := range all {
		if f.IsProblem() {
			problems = append(problems, f)
		}
	}
	return problems
}

// nothingToDo is what follows checks without a problem.
const nothingToDo = "nothing; the bot can serve."

// Next returns the next thing to do: about the first failure or, if there is none, the first warning.
func Next(all []Finding) string {
	for _, level := range []Level{Fail, Warn} {
		for _, f := range all {
			if f.Level == level && f.Do != "" {
				return f.Do
			}
		}
	}
	return nothingToDo
}

// Failed reports whether a finding is a failure.
func Failed(all []Finding) bool {
	for _, f := range all {
		if f.Level == Fail {
			return true
		}
	}
	return false
}

func ok(found string, args ...any) Finding {
	return Finding{Level: OK, Found: fmt.Sprintf(found, args...)}
}

func skip(found string, args ...any) Finding {
	return Finding{Level: Skip, Found: fmt.Sprintf(found, args...)}
}

func warn(do, found string, args ...any) Finding {
	return Finding{Level: Warn, Found: fmt.Sprintf(found, args...), Do: do}
}

func fail(do, found string, args ...any) Finding {
	return Finding{Level: Fail, Found: fmt.Sprintf(found, args...), Do: do}
}
