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

// warnOfGunicornConfig tells which options the file of gunicorn's that is not read would set.
func warnOfGunicornConfig(dir string) {
	text, err := os.ReadFile(filepath.Join(dir, "gunicorn.conf.py"))
	if err != nil {
		return
	}
	var names []string
	for _, m := range gunicornSetting.FindAllSubmatch(text, -1) {
		if name := "--" + strings.ReplaceAll(string(m[1]), "_", "-"); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slog.Warn("gunicorn.conf.py is not read; what it sets is to be given as options", "options", strings.Join(names, " "))
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
