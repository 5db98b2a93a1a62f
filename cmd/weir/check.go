package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/weirhttp/weir/python"
	"github.com/weirhttp/weir/server"
)

// checkCommand tells whether an application of Python's can be imported, and answers a request by the rules of PEP 3333: those that wsgiref.validate knows in Python, and
// those of app.Validator.
type checkCommand struct {
	applicationFlags

	Path          string        `default:"/" placeholder:"PATH" help:"What is asked for, with its query (default: ${default})."`
	Method        string        `default:"GET" placeholder:"METHOD" help:"Method of the request (default: ${default})."`
	WorkerClass   string        `short:"k" default:"sync" placeholder:"CLASS" help:"How the worker calls the application: sync, threads or gevent (default: ${default})."`
	Timeout       time.Duration `short:"t" default:"30s" help:"How long the answer may take."`
	ImportTimeout time.Duration `default:"60s" help:"How long the import may take."`
	Config        string        `short:"c" placeholder:"FILE" help:"Configuration file (default: weir.toml, if there is one)."`
}

// endTime is how long the worker may take to end, when it has answered.
const endTime = 10 * time.Second

func (c *checkCommand) Run() error {
	if err := c.applicationFlags.check(); err != nil {
		return err
	}
	class, err := workerClass(c.WorkerClass, 1)
	if err != nil {
		return err
	}
	if c.Timeout <= 0 || c.ImportTimeout <= 0 {
		return &usageError{"--timeout and --import-timeout must be more than 0"}
	}
	request, err := http.NewRequest(c.Method, "http://127.0.0.1:8000"+c.Path, nil)
	if err != nil || !strings.HasPrefix(c.Path, "/") {
		return &usageError{fmt.Sprintf("--method and --path must be those of a request such as GET /, not %s %s", c.Method, c.Path)}
	}
	if err := c.servable(); err != nil {
		return err
	}
	said := &said{}
	supervisor, err := c.start(python.Options{
		App: c.App, Python: c.Python, Virtualenv: c.Virtualenv, Chdir: c.Chdir, Path: c.path(), Env: c.Env, Class: class, Timeout: c.Timeout, QueueTime: c.Timeout,
		GracefulTimeout: endTime, Validate: true, Software: "weir/" + server.Version, Logger: slog.New(said),
	})
	if err != nil {
		said.show(os.Stderr)
		return startFailed(err)
	}
	report := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	line := func(name string, text string, args ...any) { fmt.Fprintf(report, name+"\t"+text+"\n", args...) }
	py := supervisor.Python()
	line("application", "%s, class %s", c.App, class)
	line("python", "%s, %s (%s)", py.Version, py.Path, py.Why)
	for _, w := range supervisor.Stats().Workers {
		line("import", "%.3f s", w.Import.Seconds())
	}
	line("request", "%s %s", c.Method, c.Path)
	a := ask(supervisor.Application, request, c.Timeout)
	if a.cut || a.status == "" {
		_ = supervisor.Close() // it may never end by itself
	} else {
		_ = supervisor.Shutdown(context.Background()) // what close() and atexit print is there then
	}
	problems := append(said.problems(), a.objections...)
	if len(problems) == 0 && strings.HasPrefix(a.status, "5") {
		problems = append(problems, "the status tells of a failure")
	}
	if a.status != "" {
		line("status", "%s, after %.3f s", a.status, a.took.Seconds())
	}
	for i, h := range a.headers {
		name := "headers"
		if i > 0 {
			name = ""
		}
		line(name, "%s: %s", h.Name, h.Value)
	}
	more := ""
	if a.cut {
		more = ", and more that was not waited for"
	}
	line("content", "%d octets%s", a.octets, more)
	for i, problem := range problems {
		name := "wrong"
		if i > 0 {
			name = ""
		}
		line(name, "%s", problem)
	}
	if err := report.Flush(); err != nil {
		return err
	}
	said.show(os.Stderr)
	if len(problems) > 0 {
		return errors.New("check: " + c.App + " is not in order")
	}
	fmt.Printf("%s is in order\n", c.App)
	return nil
}

// servable tells what is wrong with what weir run would be given: the options of c that it has too, and what the environment and the configuration file
// say beside.
func (c *checkCommand) servable() error {
	commands := newParser(new(cli), func(int) {}).Model
	node, args := servingCommand(commands, begun.args)
	run, _ := servingCommand(commands, []string{"run"})
	words := []string{"run"}
	for _, o := range flagsOf(node).split(args, commandLine) {
		if o.name == "" || o.name == appKey || flagsOf(run)["--"+o.name] != nil {
			words = append(words, o.words...)
		}
	}
	served, s, err := read(words)
	if err != nil {
		return err
	}
	return s.located(served.Run.checkAll())
}

// start is python.New that does not wait for an import without end.
func (c *checkCommand) start(options python.Options) (supervisor *python.Supervisor, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		supervisor, err = python.New(options)
	}()
	select {
	case <-done:
		return supervisor, err
	case <-time.After(c.ImportTimeout):
		return nil, fmt.Errorf("importing %s takes longer than --import-timeout, %v", c.App, c.ImportTimeout) // the worker ends with weir
	}
}
