package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// What people are used to from gunicorn: the command line without a command, options in GUNICORN_CMD_ARGS, PORT, and durations that
// are numbers of seconds.

// gunicornFlags are options of gunicorn's that need nothing of weir, so that command lines which have them go on to work.
type gunicornFlags struct {
	CaptureOutput          bool   `hidden:"" help:"Always so: what workers print is in the log."`
	EnableStdioInheritance bool   `short:"R" hidden:"" help:"Always so."`
	WorkerTmpDir           string `hidden:"" help:"Workers have no heartbeat file."`
	Name                   string `short:"n" hidden:"" help:"Processes are not renamed."`
}

// unlikeGunicorn are options of gunicorn's that weir does not have, and what to do instead.
var unlikeGunicorn = map[string]string{
	"--reuse-port":      "give --accept reuseport",
	"--check-config":    "weir check MODULE:CALLABLE tells whether all is well",
	"--print-config":    "weir config prints what comes of all options",
	"--no-sendfile":     "leave it out, wsgi.file_wrapper always uses sendfile",
	"--reload-engine":   "leave it out, --reload is told of changes by the system",
	"--spew":            "leave it out, python3 -m trace prints what a program executes",
	"--statsd-host":     metricsInstead,
	"--statsd-prefix":   metricsInstead,
	"--dogstatsd-tags":  metricsInstead,
	"--paste":           pasteInstead,
	"--paster":          pasteInstead,
	"--paste-global":    pasteInstead + " with global_conf",
	"--ssl-version":     "give --tls-min",
	"--ciphers":         "leave it out, cipher suites are Go's choice; there is --tls-min",
	"--log-config":      logInstead,
	"--log-config-dict": logInstead,
	"--log-config-json": logInstead,
	"--logger-class":    logInstead,
	"--log-syslog":      syslogInstead,

	"--log-syslog-to":                      syslogInstead,
	"--log-syslog-prefix":                  syslogInstead,
	"--log-syslog-facility":                syslogInstead,
	"--disable-redirect-access-to-syslog":  "leave it out, --access-log goes where it says",
	"--do-handshake-on-connect":            "leave it out, a handshake keeps nobody else waiting; there is --handshake-timeout",
	"--suppress-ragged-eofs":               "leave it out, a client that goes without a word is no failure",
	"--strip-header-spaces":                strictInstead,
	"--tolerate-dangerous-framing":         strictInstead,
	"--permit-unconventional-http-method":  "leave it out, any method that RFC 9110 allows is one",
	"--permit-unconventional-http-version": strictInstead,
	"--permit-obsolete-folding":            strictInstead,
	"--casefold-http-method":               "leave it out, methods are passed on as they come",
	"--header-map":                         "leave it out, fields whose names have underscores are dropped",
}

const (
	metricsInstead = "metrics are collected at --admin ADDRESS, and not sent"
	pasteInstead   = "write a module that calls paste.deploy's loadapp"
	logInstead     = "weir logs to standard error or --error-logfile; there are --log-format and --log-level"
	syslogInstead  = "weir logs to standard error or --error-logfile; have systemd or another collector take it from there"
	strictInstead  = "leave it out, weir always refuses such requests, because others may read them differently"
)

// workerClasses are parts of the names of gunicorn's classes of workers, and the class of weir's that does what they do.
var workerClasses = []struct{ part, class string }{{"gevent", "gevent"}, {"eventlet", "gevent"}, {"thread", "threads"}, {"tornado", "threads"}, {".sync", "sync"}, {"#sync", "sync"}}

// unlikeWorkerClass says which class to take in the place of one of gunicorn's; "": it is none.
func unlikeWorkerClass(name string) string {
	if strings.Contains(name, "uvicorn") || strings.Contains(name, "aiohttp") {
		return "is for ASGI or aiohttp, and weir serves WSGI applications"
	}
	for _, c := range workerClasses {
		if strings.Contains(strings.ToLower(name), c.part) {
			return "is gunicorn's: give " + c.class
		}
	}
	return ""
}

// habitual is the command for what people try with any program.
func habitual(args []string) []string {
	switch {
	case len(args) == 1 && slices.Contains([]string{"--version", "-v", "-V"}, args[0]):
		return []string{"version"}
	case len(args) > 0 && args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	}
	return args
}

// gunicornOptions are those in GUNICORN_CMD_ARGS.
func gunicornOptions(flags flagSet) ([]option, error) {
	words, err := shellWords(os.Getenv("GUNICORN_CMD_ARGS"))
	if err != nil {
		return nil, &usageError{"GUNICORN_CMD_ARGS: " + err.Error()}
	}
	return flags.split(words, "GUNICORN_CMD_ARGS"), nil
}

// portOption is what PORT means: platforms set it.
func portOption() ([]option, error) {
	port := os.Getenv("PORT")
	if port == "" {
		return nil, nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, &usageError{fmt.Sprintf("PORT must be the number of a port, not %q", port)}
	}
	return []option{{name: "bind", words: []string{"--bind=0.0.0.0:" + port}, from: "PORT"}}, nil
}

var dotted = regexp.MustCompile(`^[\pL_][\pL\pN_]*(\.[\pL_][\pL\pN_]*)*$`)

// startsRun tells whether args are those of "weir run" without the command: the first names a callable in a module, or is an option that
// weir itself does not have.
func startsRun(args []string) bool {
	first := args[0]
	if strings.HasPrefix(first, "-") {
		return !isHelp(first)
	}
	module, _, callable := strings.Cut(first, ":")
	if !dotted.MatchString(module) {
		return false
	}
	return callable || strings.Contains(first, ".") || exists(first+".py") || exists(filepath.Join(first, "__init__.py"))
}

// errDaemon refuses --daemon, which gunicorn has.
var errDaemon = &usageError{"--daemon: weir stays in the foreground; have systemd or another supervisor start it, as deploy/ shows, or use systemd-run"}

func isHelp(word string) bool { return word == "-h" || word == "--help" }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// gunicornSetting is an assignment at the top level of a gunicorn.conf.py.
var gunicornSetting = regexp.MustCompile(`(?m)^([a-z_]+)\s*(?::[^=\n]*)?=[^=]`)

// gunicornSettings are the options that a file of gunicorn's would set.
func gunicornSettings(path string) (names []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for _, m := range gunicornSetting.FindAllSubmatch(text, -1) {
		if name := "--" + strings.ReplaceAll(string(m[1]), "_", "-"); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// warnOfGunicornConfig tells of a file of gunicorn's that is not read.
func warnOfGunicornConfig(dir string) {
	if names, err := gunicornSettings(filepath.Join(dir, "gunicorn.conf.py")); err == nil {
		slog.Warn("gunicorn.conf.py is not read; what it sets is to be given as options", "options", strings.Join(names, " "))
	}
}

// seconds reads durations: numbers are seconds, and Go's units are understood.
var seconds = kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		if _, wrong := strconv.ParseFloat(text, 64); wrong == nil {
			d, err = time.ParseDuration(text + "s")
		}
	}
	if err != nil {
		return fmt.Errorf("want a duration such as 30 (seconds), 500ms or 2m, not %q", text)
	}
	target.SetInt(int64(d))
	return nil
}))
