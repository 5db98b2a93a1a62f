package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// common are the options that --help shows of a command that has many; --help-all shows them all.
var common = []string{
	"help", "help-all", "config", "bind", "loops", "workers", "worker-class", "threads", "preload", "reload", "chdir", "python", "virtualenv", "env",
	"timeout", "graceful-timeout", "max-requests", "access-log", "log-level", "admin", "static", "certfile", "keyfile", "forwarded-allow-ips",
}

var helpOptions = kong.HelpOptions{Compact: true, WrapUpperBound: 100, ValueFormatter: kong.DefaultHelpValueFormatter}

// inShort is what the help of an option says first.
func inShort(value *kong.Value) string {
	short := value.Help
	for _, end := range []string{". ", "; ", " (default"} {
		short, _, _ = strings.Cut(short, end)
	}
	return strings.TrimSuffix(short, ".") + "."
}

// printHelp prints the help of a command, without what is rarely needed.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	command := ctx.Selected()
	if command == nil || flagsOf(command)["--help-all"] == nil {
		return kong.DefaultHelpPrinter(options, ctx)
	}
	var left []*kong.Flag
	for _, f := range command.Flags {
		if !f.Hidden && !slices.Contains(common, f.Name) {
			left = append(left, f)
			f.Hidden = true
		}
	}
	options.ValueFormatter = inShort
	err := kong.DefaultHelpPrinter(options, ctx)
	for _, f := range left {
		f.Hidden = false
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(ctx.Stdout, "\nThere are %d more, and more to say of these: weir %s --help-all\n", len(left), command.Name)
	return err
}

// helpAll is a flag that prints the help of a command with all options.
type helpAll bool

// IgnoreDefault tells kong that the flag does nothing when it is not given.
func (helpAll) IgnoreDefault() {}

// BeforeReset is called by kong when the flag is given, before anything is checked.
func (helpAll) BeforeReset(ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(helpOptions, ctx); err != nil {
		return err
	}
	ctx.Kong.Exit(0)
	return nil
}
