package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/weirhttp/weir/bench/internal/document"
)

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		name   string
		missed bool
		err    error
		want   int
	}{
		{"all is well", false, nil, 0},
		{"a bar was missed", true, nil, Failed},
		{"a failure", false, errors.New("x"), Failed},
		{"wrong usage", true, Wrong(errors.New("x")), Usage},
		{"wrong usage, told by another", false, fmt.Errorf("y: %w", Wrong(errors.New("x"))), Usage},
		{"help", false, Wrong(flag.ErrHelp), 0},
		{"no mistake", false, Wrong(nil), 0},
	} {
		if got := Main("test", func(context.Context) (bool, error) { return c.missed, c.err }); got != c.want {
			t.Errorf("%s: status %d, want %d", c.name, got, c.want)
		}
	}
	got := Main("test", func(ctx context.Context) (bool, error) {
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
		return false, nil
	})
	if got != Failed {
		t.Errorf("interrupted: status %d", got)
	}
}

func TestOutput(t *testing.T) {
	marks := document.MarksOf("test")
	name := filepath.Join(t.TempDir(), "document.md")
	parse := func(args ...string) *Output {
		o := &Output{}
		fs := flag.NewFlagSet("test", flag.ContinueOnError)
		o.Flags(fs, marks)
		if err := fs.Parse(args); err != nil {
			t.Fatal(err)
		}
		return o
	}
	if parse("--into", name).Check() == nil {
		t.Error("a document that is not there is taken")
	}
	if err := parse().Check(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(name, []byte("before\n"+marks.Begin+"old\n"+marks.End+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := parse("--into", name)
	if err := errors.Join(o.Check(), o.Write(func(w io.Writer, markdown bool) { fmt.Fprintln(w, "new", markdown) })); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(text), "\nnew true\n") || strings.Contains(string(text), "old") {
		t.Errorf("%s, %v", text, err)
	}
}
