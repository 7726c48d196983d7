package policytool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"cancel-server/internal/authz"
)

// Read reads a policy file. Each problem begins with the setting that names the file. An
// empty path has neither policy nor problems.
func Read(setting, path string) (policy *authz.Policy, problems []string) {
	if path == "" {
		return nil, nil
	}
	text, err := ReadFile(path, authz.MaxSource)
	if err != nil {
		return nil, []string{fmt.Sprintf("%s: the file cannot be used: %v; name a file that holds a Cedar policy", setting, err)}
	}
	return parse(setting, path, text)
}

func parse(setting, path string, text []byte) (policy *authz.Policy, problems []string) {
	policy, err := authz.Parse(path, text)
	if err != nil {
		for problem := range strings.Lines(err.Error()) {
			problems = append(problems, setting+": "+strings.TrimSpace(problem))
		}
	}
	return policy, problems
}

// ReadFile reads a file, up to one byte more than most: the path may name an endless device. Errors
// do not name the path, which may be a secret put there by mistake.
func ReadFile(path string, most int64) (content []byte, err error) {
	defer func() {
		if at, is := errors.AsType[*fs.PathError](err); is {
			err = at.Err
		}
	}()
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most+1))
}
