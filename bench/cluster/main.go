// Command cluster measures several weirs on a cluster of NATS servers: how soon clients have what is published at any of them, that
// each gets every message of its topic once and in order, and how long it takes when a NATS server or a weir is killed.
//
//	cluster --weir ../bin/weir --nats bin/nats-server
//	cluster --weir ../bin/weir --nats bin/nats-server --topics 200 --clients 5 --duration 20s
//
// The exit status is 0 when every bar was met, 1 when one was missed or the run failed, 2 for wrong usage. Linux only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/weirhttp/weir/bench/internal/document"
	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/proc"
	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// The main goroutine starts every process, and the kernel ends them with the thread that started them.
func init() { runtime.LockOSThread() }

func main() { os.Exit(run(os.Args[1:])) }

type options struct {
	weir, nats      string // binaries
	topics, clients int    // clients of a topic
	rate            int    // messages a second, in all
	duration        time.Duration
	output          program.Output
}

func parseOptions(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("cluster", flag.ContinueOnError)
	fs.StringVar(&o.weir, "weir", "../bin/weir", "weir's binary")
	fs.StringVar(&o.nats, "nats", "bin/nats-server", "NATS's binary")
	fs.IntVar(&o.topics, "topics", 1500, "topics")
	fs.IntVar(&o.clients, "clients", 10, "clients of each topic")
	fs.IntVar(&o.rate, "rate", 500, "messages a second, of all topics together")
	fs.DurationVar(&o.duration, "duration", time.Minute, "how long messages are published, from 20s on")
	o.output.Flags(fs, document.MarksOf("bench-cluster"))
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case fs.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case o.topics < 1 || o.clients < 1 || o.rate < 1 || o.rate > 100_000:
		return nil, errors.New("--topics, --clients and --rate must be 1 or more")
	case o.duration < 20*time.Second:
		return nil, errors.New("--duration must be 20s or more: an election takes up to 9 s")
	case o.topics*o.clients+500 > proc.DescriptorLimit():
		return nil, fmt.Errorf("%d clients need more descriptors than the %d that a process may have", o.topics*o.clients, proc.DescriptorLimit())
	}
	for _, path := range []*string{&o.weir, &o.nats} {
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return nil, err
		}
		if _, err := os.Stat(*path); err != nil {
			return nil, err
		}
	}
	return o, o.output.Check()
}

func run(args []string) int {
	proc.RaiseDescriptorLimit()
	return program.Main("cluster", func(ctx context.Context) (missed bool, err error) {
		o, err := parseOptions(args)
		if err != nil {
			return false, program.Wrong(err)
		}
		lines, err := measure(ctx, o)
		if err != nil {
			return false, err
		}
		for _, l := range lines {
			missed = missed || l.Missed()
		}
		where := machine.Describe()
		return missed, o.output.Write(func(w io.Writer, markdown bool) {
			fmt.Fprintf(w, "%s. 3 NATS servers, 3 weirs, %d topics with %d clients each, %d messages/s for %v.\n\n", where, o.topics, o.clients, o.rate, o.duration)
			verdict.Write(w, lines, markdown)
		})
	})
}
