// weir serves applications over HTTP.
package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"

	"github.com/alecthomas/kong"
	"go.uber.org/automaxprocs/maxprocs"

	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/accesslog"
)

// cli is the command line.
type cli struct {
	Demo    demoCommand    `cmd:"" help:"Serve the demo application."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Printf("weir %s %s %s/%s\n", server.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

func main() { os.Exit(run(os.Args[1:])) }

// run is main with its exit status: 0, 1 when the command failed, 2 when the command line is wrong.
func run(args []string) int {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	exit := -1
	parser, err := kong.New(&cli{},
		kong.Name("weir"),
		kong.Description("An event-loop HTTP server for WSGI-style applications."),
		kong.Vars{"accept": string(server.DefaultAccept), "accessLogFormat": string(accesslog.Combined)},
		kong.Exit(func(code int) { exit = code }),
	)
	if err != nil {
		panic(err) // the cli struct is wrong
	}
	command, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err == nil {
		err = command.Run()
	}
	var usage *usageError
	var parse *kong.ParseError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &parse), errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "weir: %v (weir --help lists what there is)\n", err)
		return 2
	}
	fmt.Fprintf(os.Stderr, "weir: %v\n", err)
	return 1
}

// usageError is a wrong value on the command line that the parser cannot see.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

// setMaxProcs has GOMAXPROCS follow the CPU quota of the container, if there is one, and returns it.
func setMaxProcs(log *slog.Logger) (cpus int) {
	_, err := maxprocs.Set(maxprocs.Logger(func(format string, args ...any) {
		log.Info(fmt.Sprintf(format, args...))
	}))
	if err != nil {
		log.Warn("CPU quota not known, GOMAXPROCS stays as it is", "error", err)
	}
	return runtime.GOMAXPROCS(0)
}

// sparePerCPU is how many goroutines may run for each CPU when calls are watched: an application that computes keeps one of
// these places, and a loop needs one to go on. The system shares the CPUs out among them.
const sparePerCPU = 4

// addSpareProcs raises GOMAXPROCS above the number of loops, unless the user has set it.
func addSpareProcs(cpus int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(sparePerCPU * cpus)
	}
}
