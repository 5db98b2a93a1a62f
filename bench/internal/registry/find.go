package registry

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// daemonDirs are searched after PATH, which seldom has them.
var daemonDirs = []string{"/usr/sbin", "/usr/local/sbin", "/sbin"}

// Python is the interpreter of the servers that are written in it: the system's, which Debian's packages belong to. A program may set it
// before it asks for anything.
var Python = "/usr/bin/python3"

// ErrMissing is wrapped when a server cannot be had on this machine, and is left out of the comparison.
var ErrMissing = errors.New("not installed")

// A Prepared is an entry with its program.
type Prepared struct {
	Entry
	Binary      string
	VersionText string
}

// Installed tells whether the program is there, or what builds it; an error wraps ErrMissing and says how to get it.
func (e Entry) Installed() error {
	switch {
	case e.Find.Build != "":
		_, err := lookUp("go")
		return e.missing("Go (https://go.dev/dl)", err)
	case e.Find.Compile != "":
		_, err := compiler()
		return e.missing("C compiler", err)
	case e.Find.Module != "":
		if err := CanImport(e.Find.Module, e.Find.Package); err != nil {
			return err
		}
	default:
		if _, err := e.program(); err != nil {
			return e.missing(e.Find.Program, err)
		}
	}
	for _, name := range e.Find.Needs {
		if _, err := lookUp(name); err != nil {
			return e.missing(name, err)
		}
	}
	return nil
}

// CanImport tells whether Python has a module; an error wraps ErrMissing and says how to get it.
func CanImport(module, debian string) error {
	return missing("module "+module+" of "+Python, debian, exec.Command(Python, "-c", "import "+module).Run())
}

func (e Entry) missing(what string, err error) error { return missing(what, e.Find.Package, err) }

func missing(what, debian string, err error) error {
	switch {
	case err == nil:
		return nil
	case debian != "":
		return fmt.Errorf("%w: there is no %s; Debian's package is %s", ErrMissing, what, debian)
	}
	return fmt.Errorf("%w: there is no %s", ErrMissing, what)
}

// Prepare finds the program, or builds it into the folder bin. An error that does not wrap ErrMissing is of the build.
func (e Entry) Prepare(ctx context.Context, bin string) (Prepared, error) {
	p := Prepared{Entry: e}
	if err := e.Installed(); err != nil {
		return p, err
	}
	var err error
	switch {
	case e.Find.Build != "":
		p.Binary = filepath.Join(bin, filepath.Base(e.Find.Build))
		err = e.build(ctx, "go", "build", "-o", p.Binary, ".")
	case e.Find.Compile != "":
		var cc string
		if cc, err = compiler(); err != nil {
			return p, err
		}
		source := filepath.Base(e.Find.Compile)
		p.Binary = filepath.Join(bin, strings.TrimSuffix(source, filepath.Ext(source)))
		err = e.build(ctx, cc, "-O2", "-pthread", "-o", p.Binary, source)
	case e.Find.Module != "":
		p.Binary = Python
	default:
		p.Binary, err = e.program()
	}
	if err != nil {
		return p, err
	}
	p.VersionText = e.VersionOf(ctx, p.Binary)
	return p, nil
}

// build runs a compiler in the folder of the source.
func (e Entry) build(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	if e.Find.Build != "" {
		cmd.Dir = e.path(e.Find.Build)
	} else {
		cmd.Dir = filepath.Dir(e.path(e.Find.Compile))
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", e.Name, err, out)
	}
	return nil
}

func (e Entry) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(e.base, name)
}

func (e Entry) program() (string, error) {
	if strings.Contains(e.Find.Program, "/") {
		path := e.path(e.Find.Program)
		_, err := os.Stat(path)
		return path, err
	}
	return lookUp(e.Find.Program)
}

func lookUp(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range daemonDirs {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

func compiler() (string, error) {
	if path, err := lookUp("gcc"); err == nil {
		return path, nil
	}
	return lookUp("cc")
}

// VersionOf asks the program that was found or built.
func (e Entry) VersionOf(ctx context.Context, binary string) string {
	words := slices.Clone(e.Version.Command)
	if e.Find.Module != "" && len(words) == 0 {
		words = []string{binary, "-c", "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))", cmp.Or(e.Version.Module, e.Find.Module)}
	}
	if len(words) > 0 {
		args := Values{Binary: binary, Python: Python}.fill(words)
		// Some tell it on standard error, and some with an exit status.
		out, _ := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		if line == "" {
			return "unknown"
		}
		return line
	}
	return goVersion(binary, e.Version.Module)
}

// goVersion reads what a Go binary itself says it was built from: the module, else the commit, else the version of Go.
func goVersion(binary, module string) string {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "unknown"
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && module == "" && len(setting.Value) >= 12 {
			return setting.Value[:12]
		}
	}
	return info.GoVersion
}
