package main

import (
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/weirhttp/weir/server"
)

// manCommand prints the manual page: all commands and all their flags, in the macros of man(7).
type manCommand struct{}

func (manCommand) Run(ctx *kong.Context) error {
	_, err := os.Stdout.WriteString(manual(ctx.Model))
	return err
}

// roff has what troff takes for its own written so that it is text.
var roff = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "\n", " ")

// builtFrom is the day of the sources that weir was built from, "" when it is not known.
func builtFrom() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if day, _, isTime := strings.Cut(s.Value, "T"); s.Key == "vcs.time" && isTime {
			return day
		}
	}
	return ""
}

// manual is the page.
func manual(model *kong.Application) string {
	var page strings.Builder
	// A line that begins with a dot or a quote would be a request: those of ours begin with a letter or a font.
	line := func(format string, args ...any) { fmt.Fprintf(&page, format+"\n", args...) }
	line(`.TH WEIR 1 "%s" "weir %s" "User Commands"`, builtFrom(), roff.Replace(server.Version))
	line(".SH NAME\nweir \\- %s", roff.Replace(strings.TrimSuffix(model.Help, ".")))
	line(".SH SYNOPSIS")
	for i, command := range commandsOf(model) {
		if i > 0 {
			line(".br")
		}
		line(`\fBweir %s\fR`, roff.Replace(command.Summary()))
	}
	line(".SH DESCRIPTION\n%s", roff.Replace("The word run may be left out. Every option of a command that serves can be given on the command line, in the environment (WEIR_WORKERS=4 is --workers=4), and in a "+
		"file, weir.toml or that of --config, in this order of precedence; weir config prints what comes of it. Durations are numbers of seconds, or 500ms and 2m."))
	said := make(map[string]string) // of flags: where the page has them
	for _, command := range commandsOf(model) {
		line(".SH %s\n%s", strings.ToUpper("weir "+command.Name), roff.Replace(command.Help))
		for _, argument := range command.Positional {
			line(".TP\n\\fI%s\\fR\n%s", roff.Replace(argument.Name), roff.Replace(argument.Help))
		}
		group, elsewhere := "", make(map[string][]string)
		for _, f := range shown(command) {
			key := f.Name + " " + f.Help
			if where := said[key]; where != "" {
				elsewhere[where] = append(elsewhere[where], `\fB`+roff.Replace("--"+f.Name)+`\fR`)
				continue
			}
			said[key] = command.Name
			if f.Group != nil && f.Group.Title != group {
				group = f.Group.Title
				line(".SS %s", roff.Replace(group))
			}
			var names []string
			for _, name := range append(spellings(f), aliases(f)...) {
				names = append(names, `\fB`+roff.Replace(name)+`\fR`)
			}
			value := ""
			if !f.IsBool() {
				value = `=\fI` + roff.Replace(f.FormatPlaceHolder()) + `\fR`
			}
			line(".TP\n%s%s\n%s", strings.Join(names, ", "), value, roff.Replace(f.Help))
		}
		for _, where := range slices.Sorted(maps.Keys(elsewhere)) {
			line(".PP\nAs for weir %s: %s.", where, strings.Join(elsewhere[where], ", "))
		}
	}
	line(".SH EXIT STATUS\n0, 1 when something has failed, 2 when the command line or the configuration is wrong.")
	line(".SH SEE ALSO\n%s", roff.Replace("The directory docs of the source: python.md, configuration.md, development.md and others."))
	return page.String()
}
