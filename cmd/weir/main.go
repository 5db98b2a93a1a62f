// weir serves applications over HTTP.
package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/alecthomas/kong"
	"go.uber.org/automaxprocs/maxprocs"

	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/accesslog"
	"github.com/weirhttp/weir/server/forwarded"
)

// cli is the command line.
type cli struct {
	Run        runCommand        `cmd:"" group:"Serve" help:"Serve a Python WSGI application: weir run module:callable. The word run may be left out."`
	Demo       demoCommand       `cmd:"" group:"Serve" help:"Serve the demo application."`
	Check      checkCommand      `cmd:"" group:"Look" help:"Import a Python WSGI application, make one request, and tell whether all is well."`
	Publish    publishCommand    `cmd:"" group:"Hub" help:"Publish a message to a topic of a hub on NATS."`
	Tail       tailCommand       `cmd:"" group:"Hub" help:"Print the messages of a topic of a hub on NATS as they come."`
	Config     configCommand     `cmd:"" group:"Look" help:"Print what weir run, or another command, would be given, and where each value comes from."`
	Completion completionCommand `cmd:"" group:"Install" help:"Print what completes weir's command line in a shell: bash, zsh or fish."`
	Man        manCommand        `cmd:"" group:"Install" help:"Print the manual page, in the form that man reads."`
	Version    versionCommand    `cmd:"" group:"Look" help:"Print the version."`
}

type versionCommand struct{}

func (versionCommand) Run() error {
	_, err := fmt.Printf("weir %s %s %s/%s\n", server.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

func main() { os.Exit(run(os.Args[1:])) }

// newParser returns the parser of the command line. exit is called where it has answered by itself (--help).
func newParser(c *cli, exit func(code int)) *kong.Kong {
	parser, err := kong.New(c,
		kong.Name("weir"),
		kong.Description("An event-loop HTTP server for WSGI-style applications."),
		kong.Vars{"accept": string(server.DefaultAccept), "accessLogFormat": string(accesslog.Combined), "loopback": strings.Join(forwarded.Loopback, ",")},
		kong.Exit(exit),
		seconds,
		helpOptions,
		kong.Help(printHelp),
	)
	if err != nil {
		panic(err) // the cli struct is wrong
	}
	return parser
}

// run is main with its exit status: 0, 1 when the command failed, 2 when the command line is wrong.
func run(args []string) int {
	logToStandardError()
	args = habitual(args)
	exit := -1
	parser := newParser(new(cli), func(code int) { exit = code })
	prints := len(args) > 0 && args[0] == "config" && !(len(args) > 1 && isHelp(args[1]))
	if prints {
		if args = args[1:]; len(args) == 0 {
			args = []string{"run"}
		}
	}
	var command *kong.Context
	begun.args = args
	settings, err := gather(parser.Model, args)
	if settings != nil {
		args = settings.commandLine()
	}
	switch {
	case err != nil:
	case prints && settings == nil && !strings.HasPrefix(args[0], "-"):
		err = &usageError{"config: " + args[0] + " has no configuration"}
	default:
		if command, err = parser.Parse(args); err != nil {
			err = settings.misread(args, err)
		}
	}
	if exit >= 0 { // --help
		return exit
	}
	switch {
	case err != nil:
	case prints:
		settings.warn()
		err = settings.located(printConfig(settings))
	default:
		if settings != nil {
			begun.values = settings.values() // before the command changes its own
		}
		err = runLogged(command, settings)
	}
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "weir: %v (weir --help lists what there is)\n", err)
		return 2
	}
	fmt.Fprintf(os.Stderr, "weir: %v\n", err)
	return 1
}

// runLogged runs a command. Its logs are open meanwhile, if it has any.
func runLogged(command *kong.Context, settings *settings) (err error) {
	if logs := logsOf(command); logs != nil {
		if err := logs.openLogs(); err != nil {
			return settings.located(err)
		}
		defer func() { logs.closeLogs(err) }()
		settings.warn()
	}
	return settings.located(command.Run())
}

// usageError is a wrong value on the command line that the parser cannot see.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

// setMaxProcs has GOMAXPROCS follow the CPU quota of the container, if there is one, and returns it: the number of CPUs that
// may be used.
var setMaxProcs = sync.OnceValue(func() (cpus int) {
	log := slog.Default()
	_, err := maxprocs.Set(maxprocs.Logger(func(format string, args ...any) {
		log.Info(fmt.Sprintf(format, args...))
	}))
	if err != nil {
		log.Warn("CPU quota not known, GOMAXPROCS stays as it is", "error", err)
	}
	return runtime.GOMAXPROCS(0)
})

// gcPercent is GOGC where the user has not set it. The loops make little garbage, so that collecting it twice as often costs
// nothing that could be measured, and very many clients that wait take a tenth less memory.
const gcPercent = 50

func setGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// sparePerCPU is by how many GOMAXPROCS is raised for each CPU while the application blocks: what computes keeps a place. The system
// shares the CPUs out.
const sparePerCPU = 3

// spareProcs is by how many GOMAXPROCS may be raised; not at all when the user has set it.
func spareProcs(cpus int) int {
	if os.Getenv("GOMAXPROCS") != "" {
		return 0
	}
	return sparePerCPU * cpus
}
