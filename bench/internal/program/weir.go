package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Weir is the weir that is measured, and how it is started.
type Weir struct {
	Args   []string // behind those of the program's own
	Module string   // the folder of the bench module; Check finds it
	Path   string   // the binary; "" until Build has made it
}

// Flags are the options of it.
func (w *Weir) Flags(fs *flag.FlagSet) {
	fs.StringVar(&w.Path, "weir", "", "path of a built weir (default: build it from this repository)")
	fs.Func("weir-args", "more arguments of weir demo, split at spaces", func(value string) error {
		w.Args = strings.Fields(value)
		return nil
	})
}

// Check finds a typing error before anything is measured.
func (w *Weir) Check() (err error) {
	if w.Module, err = Module(); err != nil || w.Path == "" {
		return err
	}
	if w.Path, err = Executable(w.Path); err != nil {
		return fmt.Errorf("--weir: %w", err)
	}
	return nil
}

// Executable is the absolute path of a program that can be started.
func Executable(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", err
	case info.IsDir() || info.Mode()&0o111 == 0:
		return "", fmt.Errorf("%s is not a program", path)
	}
	return path, nil
}

// Build makes the program when none was named.
func (w *Weir) Build(ctx context.Context) error {
	if w.Path != "" {
		return nil
	}
	w.Path = filepath.Join(w.Module, "bin", "weir")
	fmt.Fprintln(os.Stderr, "building weir")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", w.Path, "./cmd/weir")
	cmd.Dir = filepath.Dir(w.Module)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building weir, as no --weir names one: %w\n%s", err, out)
	}
	return nil
}

// Module is the folder of the bench module, when a program was started in it, or in one that is above or below.
func Module() (string, error) {
	for _, dir := range []string{".", "bench", ".."} {
		if _, err := os.Stat(filepath.Join(dir, "peers", "gnet", "main.go")); err == nil {
			return filepath.Abs(dir)
		}
	}
	return "", errors.New("run it in weir's bench folder, or in the one above it")
}

// Parse takes flags and nothing else. What is wrong is told by the error alone, in a line; help goes to standard output.
func Parse(fs *flag.FlagSet, args []string) error {
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(os.Stdout)
		fs.Usage()
	case err != nil:
		err = fmt.Errorf("%w (see -h)", err)
	case fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q (flags only, see -h)", fs.Arg(0))
	}
	return err
}
