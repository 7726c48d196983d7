package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/policytool"

	"github.com/kelseyhightower/envconfig"
)

// list is a comma-separated list. Elements are trimmed; an empty one is an error.
type list []string

// Decode splits value; envconfig calls it.
func (l *list) Decode(value string) (err error) {
	*l, err = splitList(value)
	return err
}

func splitList(value string) ([]string, error) {
	elements := strings.Split(value, ",")
	for i, element := range elements {
		elements[i] = strings.TrimSpace(element)
		if elements[i] == "" {
			return nil, errors.New("an element is empty")
		}
	}
	return elements, nil
}

// deadlines holds the day by which each data center or pod must be empty, at midnight UTC, by its name
// in lower case: che01, dal09.pod03.
type deadlines map[string]time.Time

// closingPlace matches the short name of a data center, and of one of its pods.
var closingPlace = regexp.MustCompile(`^[a-z]{3}[0-9]{2}(\.pod[0-9]{2})?$`)

// Decode reads PLACE=YYYY-MM-DD, comma-separated; envconfig calls it.
func (d *deadlines) Decode(value string) error {
	elements, err := splitList(value)
	if err != nil {
		return err
	}
	found := deadlines{}
	for _, element := range elements {
		place, day, _ := strings.Cut(element, "=")
		place = strings.ToLower(strings.TrimSpace(place))
		at, err := time.Parse(time.DateOnly, strings.TrimSpace(day))
		if _, twice := found[place]; err != nil || twice || !closingPlace.MatchString(place) || strings.HasPrefix(place, "pod") {
			return errors.New("an element is no place with its day, or names a place again")
		}
		found[place] = at
	}
	*d = found
	return nil
}

// String writes them as the setting is written, in the order of the places.
func (d deadlines) String() string {
	var elements []string
	for _, place := range slices.Sorted(maps.Keys(d)) {
		elements = append(elements, place+"="+d[place].Format(time.DateOnly))
	}
	return strings.Join(elements, ",")
}

// databaseOf returns the path of a SQLite file, the URL of a PostgreSQL database, or neither.
func databaseOf(setting secret) (path, url string) {
	raw := setting.Reveal()
	if strings.HasPrefix(raw, "postgres://") || strings.HasPrefix(raw, "postgresql://") {
		return "", raw
	}
	if path, is := strings.CutPrefix(raw, "sqlite:"); is {
		return path, ""
	}
	return "", ""
}

// loadBeside reads the settings for a verb alongside bot serve. It returns an error if the
// SQLite file does not exist: opening a mistyped path would make a file, and bind it.
func loadBeside() (config, error) {
	cfg, err := loadConfig()
	return cfg, cmp.Or(err, checkThere(cfg))
}

// loadDatabase reads DATABASE_URL alone, as loadBeside does.
func loadDatabase() (config, error) {
	cfg, err := loadSettings(func(name string) bool { return name == "DATABASE_URL" }, func(config, map[string]bool) []string { return nil })
	return cfg, cmp.Or(err, checkThere(cfg))
}

// checkThere returns an error if the SQLite file does not exist.
func checkThere(cfg config) error {
	if path, _ := databaseOf(cfg.DatabaseURL); path != "" {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: there is no database %q; bot serve creates it", errUsage, path)
		}
	}
	return nil
}

// configError lists everything that is wrong with the environment. The exit code is 2.
type configError struct {
	// Problems read "NAME: what is wrong; what to do". None contains a value, since a secret may be
	// on the wrong line. Problems of a policy name its file.
	Problems []string
}

// Error returns the problems, one a line.
func (e *configError) Error() string {
	return "reading the settings:\n  " + strings.Join(e.Problems, "\n  ")
}

// loadConfig reads the settings from the environment of this process, the only one that
// envconfig can read. Call it before any goroutine runs: it unsets variables that are empty,
// since envconfig would not take an empty one for unset.
//
// The error is a *configError with all problems at once.
func loadConfig() (config, error) {
	return loadSettings(func(string) bool { return true }, checkTogether)
}

// loadSettings reads only the settings that are wanted, for a verb that needs no others, and
// ignores what is wrong with the rest.
func loadSettings(wanted func(name string) bool, together func(config, map[string]bool) []string) (config, error) {
	cfg, problems, refused := readSettings(wanted, together)
	problems = slices.Concat(problems, refused, checkNames(os.Environ()))
	if len(problems) > 0 {
		return config{}, &configError{problems}
	}
	return cfg, nil
}

// readSettings returns the settings as far as they can be read, what is wrong with them, and what is
// wrong with the policy file.
func readSettings(wanted func(name string) bool, together func(config, map[string]bool) []string) (cfg config, problems, refused []string) {
	given := map[string]bool{}
	for _, s := range settings {
		if !wanted(s.name) {
			continue
		}
		var problem string
		if given[s.name], problem = s.read(&cfg); problem != "" {
			problems = append(problems, problem)
		}
	}
	problems = append(problems, together(cfg, given)...)
	if cfg.Policy, refused = policytool.Read("POLICY_FILE", cfg.PolicyFile); cfg.Policy != nil {
		cfg.ProtectedTags = nil // its default belongs to REQUEST_GROUPS
	}
	// One endpoint has one spelling: the store is bound to it.
	cfg.SoftLayerEndpoint = strings.TrimRight(cfg.SoftLayerEndpoint, "/")
	return cfg, problems, refused
}

// read reads and checks one setting. It returns whether the environment or a file gives a
// value, and what is wrong with it.
func (s setting) read(cfg *config) (given bool, problem string) {
	path := ""
	if s.secret {
		path = os.Getenv(s.name + "_FILE")
	}
	value := os.Getenv(s.name)
	switch {
	case value != "" && path != "":
		return true, s.name + ": set together with " + s.name + "_FILE; unset one of them"
	case path != "":
		problem = s.readFile(cfg, path)
	default:
		problem = s.readVariable(cfg)
	}
	if problem == "" {
		if wrong := s.check(cfg); wrong != "" {
			problem = s.name + ": " + wrong
		}
	}
	return value != "" || path != "", problem
}

func (s setting) readFile(cfg *config, path string) (problem string) {
	value, err := readSecretFile(path)
	if err != nil {
		return fmt.Sprintf("%s_FILE: the file cannot be used: %v; name a file that holds the value of %s", s.name, err, s.name)
	}
	if s.field(cfg).(envconfig.Decoder).Decode(value) != nil {
		return s.name + ": the file does not hold " + s.form + "; correct it"
	}
	return ""
}

// readVariable has envconfig read one setting as a struct of its own. Given all settings, envconfig
// would stop at the first problem. No problem contains envconfig's error, which quotes the value.
func (s setting) readVariable(cfg *config) (problem string) {
	if os.Getenv(s.name) == "" {
		_ = os.Unsetenv(s.name) // fails only for a name that no variable can have
	}
	target := reflect.ValueOf(s.field(cfg)).Elem()
	wrapper := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Value", Type: target.Type(), Tag: s.tag()}}))
	err := envconfig.Process("", wrapper.Interface())
	var unparsed *envconfig.ParseError
	switch {
	case errors.As(err, &unparsed):
		return s.name + ": not " + s.form + "; correct it"
	case err != nil:
		return s.name + ": required and not set; set it or " + s.name + "_FILE: " + s.meaning
	}
	target.Set(wrapper.Elem().Field(0))
	return ""
}

func (s setting) tag() reflect.StructTag {
	tag := fmt.Sprintf("envconfig:%q", s.name)
	switch s.standard {
	case "", byOutput:
	case required:
		tag += ` required:"true"`
	default:
		tag += fmt.Sprintf(" default:%q", s.standard)
	}
	return reflect.StructTag(tag)
}

// escalation is the channel where more people are told of what needs somebody; "" for none.
func (c config) escalation() string { return cmp.Or(c.ReportChannel, c.NotifyChannel) }
