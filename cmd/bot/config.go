package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"cancel-server/internal/authz"
)

// Config is what the environment says. LoadConfig fills it once, at start.
//
// Each field with tags is one setting: they name the variable, its default, what it
// means (desc), whether NAME_FILE exists beside it (file), the form of a value
// that has to be parsed (form), and a default that only the running program
// can know, in words (shown). The table of -h is made from them.
type Config struct {
	SlackBotToken       Secret        `envconfig:"SLACK_BOT_TOKEN" required:"true" file:"true" desc:"Slack bot token, xoxb-…"`
	SlackAppToken       Secret        `envconfig:"SLACK_APP_TOKEN" file:"true" desc:"Slack app-level token, xapp-…; set: Socket Mode"`
	SlackSigningSecrets Secrets       `envconfig:"SLACK_SIGNING_SECRET" file:"true" desc:"Slack signing secret; set: HTTP; a comma-separated list while a secret is rotated" form:"a comma-separated list without empty elements"`
	SlackAPIURL         string        `envconfig:"SLACK_API_URL" default:"https://slack.com/api/" desc:"Slack Web API, with trailing slash; https, or http to loopback"`
	SoftLayerUsername   string        `envconfig:"SOFTLAYER_USERNAME" default:"apikey" desc:"classic SoftLayer user, or apikey with an IBM Cloud API key"`
	SoftLayerAPIKey     Secret        `envconfig:"SOFTLAYER_API_KEY" required:"true" file:"true" desc:"the key of SOFTLAYER_USERNAME"`
	SoftLayerEndpoint   string        `envconfig:"SOFTLAYER_ENDPOINT_URL" default:"https://api.softlayer.com/rest/v3.1" desc:"SoftLayer REST base; https, or http to loopback"`
	SoftLayerRate       float64       `envconfig:"SOFTLAYER_RATE" default:"10" desc:"SoftLayer calls a second, whole deployment" form:"a number above 0, such as 10"`
	PolicyFile          string        `envconfig:"POLICY_FILE" desc:"path of a Cedar policy; or, instead of it, REQUEST_GROUPS and APPROVE_GROUPS"`
	RequestGroups       List          `envconfig:"REQUEST_GROUPS" desc:"Slack user-group or user ids that may ask, comma-separated" form:"a comma-separated list without empty elements"`
	ApproveGroups       List          `envconfig:"APPROVE_GROUPS" desc:"Slack user-group or user ids that approve, comma-separated; none: requesters file alone; required with REQUEST_GROUPS" form:"a comma-separated list without empty elements"`
	ProtectedTags       List          `envconfig:"PROTECTED_TAGS" default:"protected" desc:"tags of servers that nobody cancels here, comma-separated, in upper or lower case; not with POLICY_FILE" form:"a comma-separated list without empty elements"`
	DatabaseURL         Secret        `envconfig:"DATABASE_URL" default:"sqlite:cancel-server.db" file:"true" desc:"where requests are kept: sqlite:PATH for one process, postgres://… for any number"`
	ListenAddr          string        `envconfig:"LISTEN_ADDR" default:"127.0.0.1:3000" desc:"host:port for Slack's requests, in HTTP mode"`
	AdminAddr           string        `envconfig:"ADMIN_ADDR" default:"127.0.0.1:9091" desc:"host:port for /livez and /readyz"`
	TicketURL           string        `envconfig:"TICKET_URL" default:"https://cloud.ibm.com/unifiedsupport/cases?number={number}" desc:"link to a ticket, a template with {id} or {number} or both; https, or http to loopback"`
	NotifyChannel       string        `envconfig:"NOTIFY_CHANNEL" desc:"id of a Slack channel where approvers are asked, and which hears of requests that take too long, and of a changed policy file that is refused; the bot must be a member"`
	OperatorContact     string        `envconfig:"OPERATOR_CONTACT" desc:"who runs this bot, such as #infra-help: people who have to ask somebody are told to ask there"`
	ServersPerDay       int           `envconfig:"MAX_SERVERS_PER_DAY" default:"50" desc:"how many servers one person may ask for in a day (UTC)" form:"a whole number above 0, such as 50"`
	FilingsPerHour      int           `envconfig:"MAX_FILINGS_PER_HOUR" default:"60" desc:"how many tickets the whole deployment files in an hour; beyond it filing waits" form:"a whole number above 0, such as 60"`
	UndoWindow          time.Duration `envconfig:"UNDO_WINDOW" default:"0s" desc:"how long an accepted request can be undone before it is filed" form:"a duration, such as 10m"`
	ApprovalExpiry      time.Duration `envconfig:"APPROVAL_EXPIRY" default:"72h" desc:"how long a request waits for approval" form:"a duration, such as 72h"`
	SettleTime          time.Duration `envconfig:"SETTLE_TIME" default:"5m" desc:"how long SoftLayer's books must stay clean before a request whose answer was lost is sent once more; at least POST_TIMEOUT, and 1m" form:"a duration, such as 5m"`
	PostTimeout         time.Duration `envconfig:"POST_TIMEOUT" default:"90s" desc:"how long SoftLayer may take to answer a cancellation; at least 10s" form:"a duration, such as 90s"`
	LogLevel            slog.Level    `envconfig:"LOG_LEVEL" default:"info" desc:"debug, info, warn or error" form:"one of debug, info, warn and error"`
	LogFormat           string        `envconfig:"LOG_FORMAT" shown:"text on a terminal, json elsewhere" desc:"text or json"`

	// Policy is what PolicyFile holds; nil without one.
	Policy *authz.Policy
}

// List is a comma-separated list: elements are trimmed, an empty one is an
// error.
type List []string

// Decode splits value; envconfig calls it.
func (l *List) Decode(value string) (err error) {
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

// FilesAlone tells whether APPROVE_GROUPS is the written-out none: requesters
// have their cancellations filed with no second person.
func (c Config) FilesAlone() bool {
	return len(c.ApproveGroups) == 1 && c.ApproveGroups[0] == "none"
}

// SQLitePath returns the PATH of a DATABASE_URL sqlite:PATH, "" for any other.
func (c Config) SQLitePath() string {
	path, ok := strings.CutPrefix(c.DatabaseURL.Reveal(), "sqlite:")
	if !ok {
		return ""
	}
	return path
}

// PostgresURL returns a DATABASE_URL postgres://…, "" for any other.
func (c Config) PostgresURL() string {
	raw := c.DatabaseURL.Reveal()
	if strings.HasPrefix(raw, "postgres://") || strings.HasPrefix(raw, "postgresql://") {
		return raw
	}
	return ""
}

// databaseMade refuses a SQLite file that is not there: opening it would make it, and
// bind it, where a path was mistyped. Every verb but serve asks this first.
func (c Config) databaseMade() error {
	path := c.SQLitePath()
	if path == "" {
		return nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: there is no database %q; bot serve makes it", errUsage, path)
	}
	return nil
}

// ConfigError is everything that is wrong with the environment. The caller
// prints it and ends with exit code 2.
type ConfigError struct {
	// Problems reads "NAME: what is wrong; what to do", one entry a problem.
	// No entry holds a value, as a secret may stand on the wrong line; but what is wrong
	// within a policy names its file.
	Problems []string
}

// Error lists the problems, one a line.
func (e *ConfigError) Error() string {
	return "reading the settings:\n  " + strings.Join(e.Problems, "\n  ")
}

// LoadConfig reads the settings from the environment of this process, which is
// the only one that envconfig v1.4.0 can read; tests set it with t.Setenv. Call
// it before any goroutine runs: a setting that is there but empty counts
// as not set, and LoadConfig unsets it, since envconfig tells the two apart.
//
// The error is a *ConfigError with all problems at once.
func LoadConfig() (Config, error) {
	return loadConfig(func(string) bool { return true }, checkTogether)
}

// loadConfig reads the settings that are wanted, for a verb that needs no others: what is
// missing or wrong among those is not its concern.
func loadConfig(wanted func(name string) bool, together func(Config, map[string]bool) []string) (Config, error) {
	var cfg Config
	reader := settingsReader{given: map[string]bool{}, broken: map[string]bool{}}
	fields := reflect.ValueOf(&cfg).Elem()
	for _, field := range settingFields() {
		if name := field.Tag.Get("envconfig"); !wanted(name) {
			reader.broken[name] = true
			continue
		}
		reader.read(field, fields.FieldByIndex(field.Index))
	}
	problems := append(reader.problems, checkForms(cfg, reader.broken)...)
	problems = append(problems, together(cfg, reader.given)...)
	policy, refused := readPolicy("POLICY_FILE", cfg.PolicyFile)
	problems = append(problems, refused...)
	problems = append(problems, checkNames(os.Environ())...)
	if len(problems) > 0 {
		return Config{}, &ConfigError{Problems: problems}
	}
	if cfg.Policy = policy; policy != nil {
		cfg.ProtectedTags = nil // its default belongs to REQUEST_GROUPS
	}
	// One endpoint has one spelling: the store is bound to it.
	cfg.SoftLayerEndpoint = strings.TrimRight(cfg.SoftLayerEndpoint, "/")
	return cfg, nil
}

// readPolicy reads a policy file, and says all that is wrong with it, each beginning
// with the setting that names the file. With no path there is neither.
func readPolicy(setting, path string) (policy *authz.Policy, problems []string) {
	if path == "" {
		return nil, nil
	}
	text, err := readPolicyText(path)
	if err != nil {
		return nil, []string{fmt.Sprintf("%s: the file cannot be used: %v; name a file that holds a Cedar policy", setting, err)}
	}
	return parsePolicy(setting, path, text)
}

// readPolicyText reads no more of a policy file than shows that it is too large: the
// path may name an endless device.
func readPolicyText(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, authz.MaxSource+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	return text, nil
}

func parsePolicy(setting, path string, text []byte) (policy *authz.Policy, problems []string) {
	policy, err := authz.Parse(path, text)
	if err != nil {
		for problem := range strings.Lines(err.Error()) {
			problems = append(problems, setting+": "+strings.TrimSpace(problem))
		}
	}
	return policy, problems
}

func settingFields() []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(reflect.TypeFor[Config]()), func(field reflect.StructField) bool {
		return field.Tag.Get("envconfig") == ""
	})
}

// settingsReader reads setting after setting and keeps what went wrong.
type settingsReader struct {
	problems []string
	given    map[string]bool // by the environment or by a file, well or not
	broken   map[string]bool // its problem stands in problems already
}

func (r *settingsReader) read(field reflect.StructField, target reflect.Value) {
	name := field.Tag.Get("envconfig")
	fileName, path := name+"_FILE", ""
	if field.Tag.Get("file") == "true" {
		path = os.Getenv(fileName)
	}
	value := os.Getenv(name)
	r.given[name] = value != "" || path != ""
	switch {
	case value != "" && path != "":
		r.refuse(name, "set together with "+fileName+"; unset one of them")
	case path != "":
		r.readFile(field, target, path)
	default:
		r.readVariable(field, target)
	}
}

func (r *settingsReader) readFile(field reflect.StructField, target reflect.Value, path string) {
	name := field.Tag.Get("envconfig")
	value, err := readSecretFile(path)
	if err != nil {
		r.broken[name] = true
		r.problems = append(r.problems, fmt.Sprintf("%s_FILE: the file cannot be used: %v; name a file that holds the value of %s", name, err, name))
		return
	}
	if err := target.Addr().Interface().(envconfig.Decoder).Decode(value); err != nil {
		r.refuse(name, "the file does not hold "+field.Tag.Get("form")+"; correct it")
	}
}

// readVariable has envconfig read one setting as a struct of its own: over the
// whole Config it would stop at the first problem. Its error quotes the value,
// so that only its type is used.
func (r *settingsReader) readVariable(field reflect.StructField, target reflect.Value) {
	name := field.Tag.Get("envconfig")
	if os.Getenv(name) == "" {
		_ = os.Unsetenv(name) // fails only for a name that is none
	}
	alone := reflect.New(reflect.StructOf([]reflect.StructField{field}))
	err := envconfig.Process("", alone.Interface())
	var unparsed *envconfig.ParseError
	switch {
	case errors.As(err, &unparsed):
		r.refuse(name, "not "+field.Tag.Get("form")+"; correct it")
	case err != nil:
		r.refuse(name, "required and not set; set it or "+name+"_FILE: "+field.Tag.Get("desc"))
	default:
		target.Set(alone.Elem().Field(0))
	}
}

func (r *settingsReader) refuse(name, problem string) {
	r.broken[name] = true
	r.problems = append(r.problems, name+": "+problem)
}
