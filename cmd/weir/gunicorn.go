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

// gunicornArgs makes the arguments of "weir run" of those of the process: the command's name may be left out, and options come from the
// environment too. Those of other commands are left as they are.
func gunicornArgs(model *kong.Application, args []string) ([]string, error) {
	var run *kong.Node
	for _, command := range model.Children {
		if len(args) > 0 && command.Name == args[0] && command.Name != "run" {
			return args, nil
		}
		if command.Name == "run" {
			run = command
		}
	}
	switch {
	case len(args) == 0 || run == nil:
		return args, nil
	case args[0] == "run":
		args = args[1:]
	case !startsRun(args):
		return args, nil
	}
	flags := flagsOf(run)
	given := options(flags, args)
	inherited, err := shellWords(os.Getenv("GUNICORN_CMD_ARGS"))
	if err != nil {
		return nil, &usageError{"GUNICORN_CMD_ARGS: " + err.Error()}
	}
	out := []string{"run"}
	isGiven := func(name string) bool {
		return slices.ContainsFunc(given, func(o option) bool { return o.name == name })
	}
	bind := isGiven("bind")
	for _, o := range options(flags, inherited) { // the command line comes before the environment
		bind = bind || o.name == "bind"
		if o.name == "" || !isGiven(o.name) {
			out = append(out, o.words...)
		}
	}
	if port := os.Getenv("PORT"); port != "" && !bind {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, &usageError{fmt.Sprintf("PORT must be the number of a port, not %q", port)}
		}
		out = append(out, "--bind=0.0.0.0:"+port)
	}
	return append(out, args...), nil
}

var dotted = regexp.MustCompile(`^[\pL_][\pL\pN_]*(\.[\pL_][\pL\pN_]*)*$`)

// startsRun tells whether args are those of "weir run" without the command: the first names a callable in a module, or is an option that
// weir itself does not have.
func startsRun(args []string) bool {
	first := args[0]
	if strings.HasPrefix(first, "-") {
		return first != "-h" && first != "--help"
	}
	module, _, callable := strings.Cut(first, ":")
	if !dotted.MatchString(module) {
		return false
	}
	return callable || strings.Contains(first, ".") || exists(first+".py") || exists(filepath.Join(first, "__init__.py"))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// option is an option with its value, or an argument whose name is "".
type option struct {
	name  string // the long one
	words []string
}

// flagsOf returns the flags of a command by all their names, with dashes.
func flagsOf(command *kong.Node) map[string]*kong.Flag {
	flags := make(map[string]*kong.Flag)
	for _, f := range command.Flags {
		flags["--"+f.Name] = f
		for _, alias := range f.Aliases {
			flags["--"+alias] = f
		}
		if f.Short != 0 {
			flags["-"+string(f.Short)] = f
		}
	}
	return flags
}

// options tells the options and the arguments of a command line apart.
func options(flags map[string]*kong.Flag, args []string) (out []option) {
	for i := 0; i < len(args); i++ {
		word := args[i]
		if word == "--" {
			for _, rest := range args[i:] {
				out = append(out, option{words: []string{rest}})
			}
			return out
		}
		name, _, joined := strings.Cut(word, "=")
		if !strings.HasPrefix(word, "--") && strings.HasPrefix(word, "-") && len(word) > 2 {
			name, joined = word[:2], true // -w4
		}
		f := flags[name]
		if f == nil {
			out = append(out, option{words: []string{word}})
			continue
		}
		o := option{f.Name, []string{word}}
		if !joined && !f.IsBool() && i+1 < len(args) {
			i++
			o.words = append(o.words, args[i])
		}
		out = append(out, o)
	}
	return out
}

// shellWords splits text into words as a POSIX shell does, without expansions.
func shellWords(text string) (words []string, err error) {
	var word strings.Builder
	inWord := false
	var quote rune
	escaped := false
	for _, c := range text {
		switch {
		case escaped:
			if quote == '"' && c != '"' && c != '\\' {
				word.WriteByte('\\')
			}
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteRune(c)
			}
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("a quotation has no end")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
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
