package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"
)

// defaultConfig is the configuration file that is read, if there is one, when none is named.
const defaultConfig = "weir.toml"

// appKey is the key of run's argument.
const appKey = "app"

// fileOptions are those of the configuration file, whose keys are the long names of options, with dashes or underscores. One file may serve all
// commands: what is another's option is left alone.
func fileOptions(model *kong.Application, s *settings) (out []option, err error) {
	path, from, named := s.value("config")
	if !named {
		path = defaultConfig
	}
	if filepath.Ext(path) == ".py" {
		message := fmt.Sprintf("%s: --config %s: a configuration file is TOML, as weir config prints it; Python is not run", from, path)
		if names, err := gunicornSettings(path); err == nil && len(names) > 0 {
			message += ", what it sets is to be given as options: " + strings.Join(names, " ")
		}
		return nil, &usageError{message}
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, nil
	}
	if err != nil {
		return nil, &usageError{"--config: " + err.Error()}
	}
	var keys map[string]any
	if err := toml.Unmarshal(text, &keys); err != nil {
		var where *toml.DecodeError
		if errors.As(err, &where) {
			line, _ := where.Position()
			return nil, &usageError{fmt.Sprintf("%s, line %d: %v", path, line, err)}
		}
		return nil, &usageError{path + ": " + err.Error()}
	}
	flags, known := flagsOf(s.command), knownKeys(model)
	spellings := make(map[string]string) // of the options that were met, by their names
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		name := strings.ReplaceAll(key, "_", "-")
		values, err := texts(keys[key])
		if err != nil {
			return nil, &usageError{fmt.Sprintf("%s: %s: %v", path, key, err)}
		}
		f := flags["--"+name]
		_, boolean := keys[key].(bool)
		_, whole := keys[key].(int64)
		switch {
		case name == appKey && len(s.command.Positional) > 0:
			if len(values) == 1 {
				out = append(out, option{appKey, values, path})
			}
		case f != nil && len(spellings[f.Name]) > 0:
			return nil, &usageError{fmt.Sprintf("%s: %s and %s are the same option: leave one of them out", path, spellings[f.Name], key)}
		case f != nil && !f.IsBool() && boolean:
			return nil, &usageError{fmt.Sprintf("%s: %s is no switch: it cannot be %v", path, key, keys[key])}
		case f != nil && f.PlaceHolder == "OCTAL" && whole: // 660 and 0o660 are numbers alike, and not the same one
			return nil, &usageError{fmt.Sprintf("%s: %s must be text, the bits in octal, such as \"027\"", path, key)}
		case f != nil && len(values) != 1 && !f.IsSlice():
			return nil, &usageError{fmt.Sprintf("%s: %s has one value", path, key)}
		case f != nil && name != "config":
			o, err := flags.make(f, key, path, values)
			if err != nil {
				return nil, err
			}
			spellings[f.Name] = key
			out = append(out, o)
		case f != nil || !slices.Contains(known, name):
			message := fmt.Sprintf("%s: there is no option %q", path, key)
			if near := nearest(name, known); near != "" && near != name {
				message += fmt.Sprintf("; %q is near", near)
			}
			return nil, &usageError{message}
		}
	}
	return out, nil
}

// knownKeys are the keys that some command knows.
func knownKeys(model *kong.Application) []string {
	known := []string{appKey}
	for _, command := range model.Children {
		known = append(known, flagsOf(command).names()...)
	}
	slices.Sort(known)
	return slices.Compact(known)
}

// texts are the values of a key as a command line has them: one, those of a list, or the NAME=VALUE of a table.
func texts(value any) (out []string, err error) {
	switch value := value.(type) {
	case string, bool, int64, float64:
		return []string{fmt.Sprint(value)}, nil
	case []any:
		for _, one := range value {
			more, err := texts(one)
			if err != nil || len(more) != 1 {
				return nil, errors.New("a list has strings, numbers or booleans")
			}
			out = append(out, more...)
		}
		return out, nil
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			more, err := texts(value[name])
			if err != nil || len(more) != 1 {
				return nil, errors.New("a table has strings, numbers or booleans")
			}
			out = append(out, name+"="+more[0])
		}
		return out, nil
	}
	return nil, errors.New("want a string, a number, a boolean, a list or a table")
}
