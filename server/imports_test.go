package server_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/weirhttp/weir"

// mayImport says which folders of this module a folder imports, tests aside. A folder means those below it too,
// unless they have an entry of their own. A folder without an entry is an error: decide which way it points.
var mayImport = map[string][]string{
	"httpparse":         {},
	"app":               {}, // and what is below imports app: see allowedInside
	"app/apptest":       {"app"},
	"app/static":        {"app"},
	"loop":              {},
	"server/exchange":   {"app", "server/tally"},
	"server/accesslog":  {"app"},
	"server/tally":      {},
	"server/settings":   {"httpparse", "app", "server/accesslog", "server/exchange", "server/tally"},
	"server/h1":         {"httpparse", "app", "loop", "server/accesslog", "server/exchange", "server/forwarded", "server/settings", "server/tally"},
	"server/ws":         {"app", "loop", "server/exchange"},
	"server/h2":         {"httpparse", "app", "server/accesslog", "server/exchange", "server/forwarded", "server/settings", "server/tally"},
	"server":            {"httpparse", "app", "loop", "server/accesslog", "server/exchange", "server/h1", "server/h2", "server/ws", "server/secure", "server/forwarded", "server/proxyproto", "server/gateway", "server/settings", "server/tally"},
	"hub":               {"app"},
	"hub/nats":          {"hub"},
	"hub/nats/embedded": {},
	"hub/storetest":     {"hub"},
	"python":            {"app", "loop", "hub"},
	"cmd":               {"httpparse", "app", "app/static", "loop", "server/accesslog", "server/exchange", "server/h1", "server", "hub", "hub/nats", "hub/nats/embedded", "python", "server/secure", "server/forwarded", "server/acme", "server/admin", "python/watch", "hub/grip", "server/logfile"},
	"python/watch":      {},
	"hub/grip":          {"app", "hub"},
	"server/secure":     {"loop"},
	"server/forwarded":  {"httpparse"},
	"examples":          {"app", "server", "hub", "python"},
	"server/proxyproto": {"loop", "server/forwarded"},
	"server/gateway":    {"httpparse", "app", "loop", "server/accesslog", "server/exchange", "server/settings", "server/tally"},
	"server/acme":       {},
	"server/admin":      {"httpparse", "loop", "server", "server/tally", "hub", "python"},
	"server/logfile":    {},
}

// withoutRule are folders that are not of this module, or hold no Go that is built with it.
var withoutRule = []string{"bench", "bin", "docs", ".ci", ".git"}

// ruleOf is the entry of mayImport that dir falls under, "" when there is none.
func ruleOf(dir string) (rule string) {
	for folder := range mayImport {
		if (dir == folder || strings.HasPrefix(dir, folder+"/")) && len(folder) > len(rule) {
			rule = folder
		}
	}
	return rule
}

// TestImports holds the direction of imports: one way through the house. It parses the files, because the result of
// a test that runs another program is cached past a violation.
func TestImports(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		name = filepath.ToSlash(name)
		if entry.IsDir() {
			if slices.Contains(withoutRule, name) || entry.Name() == "testdata" || name != "." && strings.HasPrefix(entry.Name(), ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		dir, _ := strings.CutSuffix(filepath.ToSlash(filepath.Dir(name)), "/.")
		rule := ruleOf(dir)
		if rule == "" {
			t.Errorf("%s: no rule says what %s may import", name, dir)
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			target, ours := strings.CutPrefix(imported, module+"/")
			if !ours {
				if imported == module {
					t.Errorf("%s imports %s", name, imported)
				}
				continue
			}
			to := ruleOf(target)
			if !slices.Contains(mayImport[rule], to) && !(to == rule && allowedInside(rule, dir, target)) {
				t.Errorf("%s imports %s, which %s may not", name, target, rule)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 30 {
		t.Errorf("%d files were looked at", files)
	}
}

// allowedInside tells whether dir imports target, both under rule: middleware and adapters import the contract, and
// neither the contract nor one another imports them.
func allowedInside(rule, dir, target string) bool {
	if rule == "app" {
		return dir != "app" && target == "app"
	}
	return true
}

// TestParserKnowsNoSockets: httpparse is a grammar over octets.
func TestParserKnowsNoSockets(t *testing.T) {
	paths, err := filepath.Glob("../httpparse/*.go")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if imported == "io" || imported == "net" || strings.HasPrefix(imported, "net/") {
				t.Errorf("%s imports %s", path, imported)
			}
		}
	}
}
