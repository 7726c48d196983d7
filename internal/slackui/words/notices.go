package words

import (
	"fmt"
)

// maxProblems is how many of a policy's problems a message names.
const maxProblems = 5

// PolicyRefused notifies operators that a changed policy is not in force, and why.
func (w Writer) PolicyRefused(problems []string) Message {
	lines := []line{
		head("⚠️ The changed policy is not in force"),
		sentence("The file has mistakes, so the policy before it still decides. Correct the file; no restart is needed."),
	}
	for i, problem := range problems {
		if i == maxProblems {
			lines = append(lines, sentence(fmt.Sprintf("And %d more; the log has them all.", len(problems)-i)))
			break
		}
		lines = append(lines, sentence(Cut(public(problem), 300)))
	}
	return message(lines...)
}
