// Package program is what the measuring programs have in common: exit statuses, the signals that end them, and where their tables go.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/document"
)

// Failed is the exit status when a bar was missed or a run failed, Usage that of a wrong command line.
const (
	Failed = 1
	Usage  = 2
)

// A UsageError is what is wrong with the command line.
type UsageError struct{ error }

// Wrong makes a UsageError of an error; nil and a call for help stay what they are.
func Wrong(err error) error {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	return UsageError{err}
}

// Main runs a program and returns its exit status. The context of measure ends with a signal; a second one ends the process.
func Main(name string, measure func(ctx context.Context) (missed bool, err error)) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop)
	missed, err := measure(ctx)
	if err == nil && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return Tell(name, err)
	case missed:
		return Failed
	}
	return 0
}

// Pause sleeps unless the program is told to stop: then it returns why.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Tell says on standard error what went wrong with a program, and returns its exit status.
func Tell(name string, err error) int {
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	if errors.As(err, &UsageError{}) {
		return Usage
	}
	return Failed
}

// Output is where tables go: to standard output, and into a document.
type Output struct {
	marks    document.Marks
	markdown bool
	into     string // a document, "" for none
}

// Flags are the options of the output, whose tables a document has between marks.
func (o *Output) Flags(fs *flag.FlagSet, marks document.Marks) {
	o.marks = marks
	fs.BoolVar(&o.markdown, "markdown", false, "print the tables as markdown")
	fs.StringVar(&o.into, "into", "", "put the tables, as markdown, into this document as well")
}

// Check finds a typing error before the figures are there.
func (o *Output) Check() error {
	if o.into == "" {
		return nil
	}
	_, err := o.marks.Read(o.into)
	return err
}

// Write has the tables rendered.
func (o *Output) Write(render func(w io.Writer, markdown bool)) error {
	render(os.Stdout, o.markdown)
	if o.into == "" {
		return nil
	}
	var tables strings.Builder
	render(&tables, true)
	return o.marks.Write(o.into, tables.String())
}
