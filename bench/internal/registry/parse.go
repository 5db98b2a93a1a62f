package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/pelletier/go-toml/v2"
)

// Parse reads one entry. A key that is not known is an error which names the nearest one that is. Paths in it are relative to base.
func Parse(text []byte, base string) (Entry, error) {
	e := Entry{base: base}
	decoder := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	err := decoder.Decode(&e)
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &unknown):
		var all []error
		for _, missing := range unknown.Errors {
			line, _ := missing.Position()
			all = append(all, fmt.Errorf("line %d: %s", line, unknownKey(missing.Key())))
		}
		return e, errors.Join(all...)
	case errors.As(err, &wrong):
		line, _ := wrong.Position()
		return e, fmt.Errorf("line %d: %w", line, err)
	case err != nil:
		return e, err
	}
	return e, e.check()
}

// Load reads every *.toml of a folder, in the order of their names. What was read before and has the same name is replaced, so that a
// folder of one's own can change an entry.
func Load(entries []Entry, files fs.FS, base string) ([]Entry, error) {
	names, err := fs.Glob(files, "*.toml")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	from := map[string]string{} // the file of a name
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		e, err := Parse(text, base)
		if err != nil {
			return nil, oneLine(path.Base(name), err)
		}
		if other, twice := from[e.Name]; twice {
			return nil, fmt.Errorf("%s: %s has the name %q too", name, other, e.Name)
		}
		from[e.Name] = name
		if i := slices.IndexFunc(entries, func(old Entry) bool { return old.Name == e.Name }); i >= 0 {
			entries[i] = e
		} else {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// oneLine makes a message of all errors that were joined.
func oneLine(name string, err error) error {
	return fmt.Errorf("%s: %s", name, strings.ReplaceAll(err.Error(), "\n", "; "))
}

func unknownKey(key toml.Key) string {
	level := reflect.TypeFor[Entry]()
	for _, part := range key[:len(key)-1] {
		field, ok := fieldOf(level, part)
		if !ok {
			break
		}
		level = field
	}
	last := key[len(key)-1]
	return fmt.Sprintf("unknown key %q%s", strings.Join(key, "."), meant(last, keysOf(level)))
}

// keysOf are the keys of a table that is decoded into t.
func keysOf(t reflect.Type) (keys []string) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("toml"); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("toml") == key {
			if f.Type.Kind() == reflect.Slice || f.Type.Kind() == reflect.Pointer {
				return f.Type.Elem(), true
			}
			return f.Type, true
		}
	}
	return nil, false
}

// meant tells the nearest of what is known.
func meant(word string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	nearest := slices.MinFunc(known, func(a, b string) int {
		return levenshtein.ComputeDistance(word, a) - levenshtein.ComputeDistance(word, b)
	})
	return fmt.Sprintf("; the nearest known one is %q", nearest)
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
