package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// configCommand prints what a command would be given. It is parsed as that command: see run in main.go.
type configCommand struct {
	Arguments []string `arg:"" optional:"" passthrough:"" help:"run (the default) or demo, and its options."`
}

// printConfig prints the settings of a command as a configuration file, with where each comes from. The error tells what is wrong with them.
func printConfig(s *settings) error {
	var text strings.Builder
	line := func(setting, from string) { fmt.Fprintf(&text, "%-48s # %s\n", setting, from) }
	for _, argument := range s.command.Positional {
		if value := argument.Target.String(); value != "" {
			setting, err := assignment(appKey, value)
			if err != nil {
				return err
			}
			line(setting, s.from(appKey))
		}
	}
	for _, f := range s.command.Flags {
		from := s.from(f.Name)
		switch {
		case f.Hidden || f.Name == "help" || f.Name == "help-all" || f.Name == "config":
			continue
		case from == "default" && !f.HasDefault && !f.IsBool():
			line("# "+f.Name, "not set")
			continue
		case f.Tag.Has("secret"):
			line("# "+f.Name, "not shown, "+from)
			continue
		}
		setting, err := assignment(f.Name, f.Target.Interface())
		if err != nil {
			return err
		}
		line(setting, from)
	}
	if _, err := fmt.Print(text.String()); err != nil {
		return err
	}
	if command, ok := s.command.Target.Addr().Interface().(interface{ checkAll() error }); ok {
		return command.checkAll()
	}
	return nil
}

// assignment is a line of TOML.
func assignment(key string, value any) (string, error) {
	if d, ok := value.(time.Duration); ok {
		value = d.String()
	}
	text, err := toml.Marshal(map[string]any{key: value})
	return strings.TrimSuffix(string(text), "\n"), err
}
