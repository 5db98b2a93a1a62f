package main

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/alecthomas/kong"
)

// What weir is told comes from several places. Each of them becomes options in the form of a command line, and an option hides those of its
// name in the places behind: the command line, GUNICORN_CMD_ARGS, the environment, the configuration file. What is left is
// parsed as one command line.

// option is an option with its values, or an argument.
type option struct {
	name  string   // the long one, without dashes; appKey: an argument; "": what is no option
	words []string // of the command line; none where an option is turned off
	from  string
}

// commandLine is the place of what was typed.
const commandLine = "command line"

// settings are what all places say to one command.
type settings struct {
	command *kong.Node
	options []option
	slips   []slip
}

// slip is a variable for no option, and the one that it is near to.
type slip struct{ variable, near string }

// warn tells of what may be slips.
func (s *settings) warn() {
	for _, slip := range s.slips {
		slog.Warn("variable is for no option", "variable", slip.variable, "near", slip.near)
	}
}

// gather reads all places. The settings are nil when args are for no command that serves.
func gather(model *kong.Application, args []string) (*settings, error) {
	command, args := servingCommand(model, args)
	if command == nil {
		return nil, nil
	}
	s := &settings{command: command}
	flags := flagsOf(command)
	places := []func() ([]option, error){
		func() ([]option, error) { return flags.split(args, commandLine), nil },
		func() ([]option, error) { return s.environmentOptions(flags) },
		func() ([]option, error) { return fileOptions(model, s) },
	}
	if command.Name == "run" {
		places = slices.Insert(places, 1, func() ([]option, error) { return gunicornOptions(flags) })
		places = slices.Insert(places, 3, portOption)
	}
	for _, place := range places {
		more, err := place()
		if err != nil {
			return nil, err
		}
		s.add(more)
	}
	return s, nil
}

// servingCommand is the command that args are for, and what is behind its name. That of run may be left out. nil: it has no
// settings.
func servingCommand(model *kong.Application, args []string) (*kong.Node, []string) {
	if len(args) == 0 {
		return nil, nil
	}
	for _, command := range model.Children {
		if command.Name == args[0] {
			if flagsOf(command)["--config"] == nil {
				return nil, nil
			}
			return command, args[1:]
		}
	}
	for _, command := range model.Children {
		if command.Name == "run" && startsRun(args) {
			return command, args
		}
	}
	return nil, nil
}

// add adds the options of a place, where those before do not say otherwise.
func (s *settings) add(place []option) {
	before := s.options
	for _, o := range place {
		if o.name == "" || !slices.ContainsFunc(before, func(b option) bool { return b.name == o.name }) {
			s.options = append(s.options, o)
		}
	}
}

// value is the last value of an option, and whether there is one.
func (s *settings) value(name string) (value, from string, ok bool) {
	for _, o := range s.options {
		if o.name == name && len(o.words) > 0 {
			if _, joined, is := strings.Cut(o.words[0], "="); is {
				value = joined
			} else {
				value = o.words[len(o.words)-1]
			}
			from, ok = o.from, true
		}
	}
	return value, from, ok
}

// from is the place of an option, "default" when nobody has said anything.
func (s *settings) from(name string) string {
	for _, o := range s.options {
		if o.name == name {
			return o.from
		}
	}
	if f := flagsOf(s.command)["--"+name]; f != nil {
		for _, variable := range f.Envs { // which the parser reads
			if _, set := os.LookupEnv(variable); set { // an empty value is one
				return variable
			}
		}
	}
	return "default"
}

// misread is what the parser has against args.
func (s *settings) misread(args []string, err error) error {
	text := plain(err.Error())
	if s == nil && len(args) > 0 && err.Error() == "unexpected argument "+args[0] {
		text += ": it is no command, and nothing here that weir run could serve; if it is a module elsewhere: weir run " + args[0] + " --chdir DIR"
	}
	return s.located(&usageError{text})
}

// located is err with the place of the option that it is about: its text begins with the options that do not fit, and the first that anybody has given is
// meant, or with "application". What was typed has no place.
func (s *settings) located(err error) error {
	if s == nil || err == nil {
		return err
	}
	var names []string
	switch text := err.Error(); {
	case strings.HasPrefix(text, "--"):
		names = longName.FindAllString(text, -1)
	case strings.HasPrefix(text, "application "):
		names = []string{appKey}
	}
	for _, name := range names {
		switch from := s.from(strings.TrimPrefix(name, "--")); from {
		case "default":
		case commandLine:
			return err
		default:
			return fmt.Errorf("%s: %w", from, err)
		}
	}
	return err
}

// plain is what the parser says of a word that cannot be, in the words of the other messages.
func plain(text string) string {
	if m := unknownFlag.FindStringSubmatch(text); m != nil && unlikeGunicorn[m[1]] != "" {
		return m[1] + " is gunicorn's: " + unlikeGunicorn[m[1]]
	}
	text = noValue.ReplaceAllString(text, "the value is missing")
	return noNumber.ReplaceAllString(text, "want a whole number, not $1")
}

var (
	longName    = regexp.MustCompile(`--[a-z][-a-z0-9]*`)
	negative    = regexp.MustCompile(`^-\.?[0-9]`)
	unknownFlag = regexp.MustCompile(`^unknown flag (-[-\w]+)`)
	noValue     = regexp.MustCompile(`(?:expected \w+ value but got "EOL" \(<EOL>\)|missing value, expecting .*)$`)
	noNumber    = regexp.MustCompile(`expected a valid \d+ bit u?int but got (".*")$`)
)

// commandLine is what all places together say. The words of the command line itself stay in their order: it may be wrong.
func (s *settings) commandLine() []string {
	var given, added []string
	for _, o := range s.options {
		if o.from == commandLine {
			given = append(given, o.words...)
		} else {
			added = append(added, o.words...)
		}
	}
	return slices.Concat([]string{s.command.Name}, added, given)
}

// flagSet are the flags of a command by all their names, with dashes.
type flagSet map[string]*kong.Flag

func flagsOf(command *kong.Node) flagSet {
	flags := make(flagSet)
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

// split tells the options and the arguments of a command line apart.
func (flags flagSet) split(args []string, from string) (out []option) {
	for i := 0; i < len(args); i++ {
		word := args[i]
		if word == "--" {
			out = append(out, option{words: []string{word}, from: from})
			for _, rest := range args[i+1:] {
				out = append(out, option{appKey, []string{rest}, from})
			}
			return out
		}
		if !strings.HasPrefix(word, "-") {
			out = append(out, option{appKey, []string{word}, from})
			continue
		}
		name, _, joined := strings.Cut(word, "=")
		if !strings.HasPrefix(word, "--") && len(word) > 2 {
			name, joined = word[:2], true // -w4
		}
		f := flags[name]
		if f == nil {
			out = append(out, option{words: []string{word}, from: from})
			continue
		}
		o := option{f.Name, []string{word}, from}
		if !joined && !f.IsBool() && i+1 < len(args) {
			i++
			if negative.MatchString(args[i]) { // or else the parser would look for an option of this name
				o.words = []string{"--" + f.Name + "=" + args[i]}
			} else {
				o.words = append(o.words, args[i])
			}
		}
		out = append(out, o)
	}
	return out
}

// make makes an option of values. name is the one that the user has written.
func (flags flagSet) make(f *kong.Flag, name, from string, values []string) (o option, err error) {
	o = option{name: f.Name, from: from}
	if !f.IsBool() {
		for _, value := range values {
			o.words = append(o.words, "--"+f.Name+"="+value)
		}
		return o, nil
	}
	on, err := strconv.ParseBool(strings.Join(values, " "))
	if err != nil {
		return o, &usageError{fmt.Sprintf("%s: %s must be true or false, not %q", from, name, strings.Join(values, " "))}
	}
	if on {
		o.words = []string{"--" + f.Name}
	}
	return o, nil
}

// environmentOptions are those in variables WEIR_NAME. Several values of one are separated as the words of a shell. Other variables that begin so may belong to
// somebody else; one that looks like a slip is worth a warning.
func (s *settings) environmentOptions(flags flagSet) (out []option, err error) {
	for _, variable := range slices.Sorted(slices.Values(os.Environ())) {
		variable, value, _ := strings.Cut(variable, "=")
		name, ours := strings.CutPrefix(variable, "WEIR_")
		if !ours || value == "" {
			continue
		}
		name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		f := flags["--"+name]
		if f == nil {
			if near := nearest(name, flags.names()); near != "" {
				s.slips = append(s.slips, slip{variable, "WEIR_" + strings.ToUpper(strings.ReplaceAll(near, "-", "_"))})
			}
			continue
		}
		values := []string{value}
		if f.IsSlice() {
			if values, err = shellWords(value); err != nil {
				return nil, &usageError{variable + ": " + err.Error()}
			}
		}
		o, err := flags.make(f, variable, "environment", values)
		if err != nil {
			return nil, err
		}
		o.from = variable
		out = append(out, o)
	}
	return out, nil
}

// names are the long names of flags, without dashes.
func (flags flagSet) names() (names []string) {
	for name := range maps.Keys(flags) {
		if long, ok := strings.CutPrefix(name, "--"); ok {
			names = append(names, long)
		}
	}
	slices.Sort(names)
	return names
}

// nearest is the one of names that is at most two slips away from name (Levenshtein); "": none is.
func nearest(name string, names []string) (near string) {
	least := 3
	for _, candidate := range names {
		if d := levenshtein.ComputeDistance(name, candidate); d < least && d < len(name) {
			near, least = candidate, d
		}
	}
	return near
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
