package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/python"
	"github.com/weirhttp/weir/server"
)

// runCommand serves a Python WSGI application. SIGHUP has its workers replaced.
type runCommand struct {
	applicationFlags

	Workers           int    `short:"w" placeholder:"N" help:"Number of worker processes (default: WEB_CONCURRENCY, or the number of CPUs that may be used)."`
	WorkerClass       string `short:"k" default:"sync" placeholder:"CLASS" help:"How workers call the application: sync, threads or gevent (default: ${default}; gthread is another name of threads)."`
	Threads           int    `placeholder:"N" help:"Calls at a time in each worker of the class threads; above 1 it chooses that class."`
	WorkerConnections int    `default:"1000" placeholder:"N" help:"Calls at a time in each worker of the class gevent (default: ${default})."`
	Preload           bool   `help:"Import the application once, and fork the workers, which share memory then."`
	reloadFlags

	Timeout           time.Duration `short:"t" default:"30s" help:"How long a call may go on without a sign of life, 0 for any; then 504, and its worker is killed."`
	MaxRequests       int           `default:"0" placeholder:"N" help:"Requests after which a worker is replaced, 0 for any number."`
	MaxRequestsJitter int           `default:"0" placeholder:"N" help:"Up to how many more each worker may take."`
	MaxWorkerRSS      int64         `name:"max-worker-rss" default:"0" placeholder:"MIB" help:"Resident memory above which a worker is replaced, 0 for any."`
	Queue             int           `default:"8192" placeholder:"N" help:"Requests that may wait for a worker; 503 beyond it (default: ${default})."`
	QueueTimeout      time.Duration `default:"10s" help:"How long they may wait, 0 for any; then 503."`
	BodyBuffer        int           `default:"262144" placeholder:"OCTETS" help:"Content of a request that is kept in memory; longer content waits in a file until it is whole (default: ${default})."`
	StreamBodies      bool          `help:"Hand request content over as it comes. A slow client keeps a worker then."`
	RetryIdempotent   bool          `help:"Have GET and HEAD answered by another worker when theirs has died and nothing was sent."`

	Daemon bool `short:"D" hidden:""`
	gunicornFlags

	serveFlags `group:"Server"`
}

func (r *runCommand) Run() (err error) {
	l, err := newLifecycle()
	if err != nil {
		return err
	}
	defer func() { l.close(err) }()
	if err := r.applicationFlags.check(); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	config, err := r.serveFlags.serverConfig() // before anything is started
	if err == nil {
		err = r.checkFiles(&config)
	}
	if err != nil {
		return err
	}
	topics, err := r.hubFlags.open(r.gripFlags.maxMessage())
	if err != nil {
		return err
	}
	defer r.hubFlags.close()
	defer topics.Close()
	r.adminFlags.topics = topics
	options, err := r.options(topics)
	if err != nil {
		return err
	}
	warnOfGunicornConfig(r.Chdir)
	watcher, err := r.reloadFlags.watch(&options)
	if err != nil {
		return err
	}
	defer watcher.close()
	workers := newWorkforce()
	prepare := func() error {
		supervisor, err := python.New(options)
		if err != nil {
			return startFailed(err)
		}
		workers.appoint(supervisor, 0)
		watcher.follow(supervisor)
		r.adminFlags.watchWorkers(supervisor)
		py := supervisor.Python()
		r.summary.describe(options, py)
		slog.Info(r.reloadFlags.state(), "python", py.Version, "interpreter", py.Path, "because", py.Why, "workers", options.Workers, "class", options.Class)
		l.holders = []io.Closer{r.hubFlags.holder(topics)}
		return nil
	}
	application := r.gripFlags.around(workers.application, topics, r.hubFlags.store != nil)
	l.resize, l.keepsWorkers = workers.resize, r.Reload
	l.reconfigure = func(fresh *cli, changed bool) error {
		return r.reload(l, &fresh.Run, application, topics, workers, changed)
	}
	r.Inline = true // what may block is in the workers
	err = r.serve(l, r.App, application, loopsBesideWorkers, prepare)
	ctx, cancel := l.patience()
	defer cancel()
	if ended := workers.shutdown(ctx); ended != nil && !l.quick && err == nil { // or else that says it
		err = fmt.Errorf("workers were killed: %w", ended)
	}
	return err
}

// checkAll tells what is wrong with the flags. An application may be missing, for weir config prints what there is.
func (r *runCommand) checkAll() error {
	if err := r.applicationFlags.checkGiven(); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	return r.serveFlags.checkAll()
}

// check tells what is wrong with the flags that are about workers.
func (r *runCommand) check() error {
	if r.Daemon {
		return errDaemon
	}
	_, _, err := r.checkWorkers()
	return err
}

// reload goes on with other flags. Workers are replaced, whether their options have changed or not: the application may be another one. When the new
// ones cannot serve, all stays as it was.
func (r *runCommand) reload(l *lifecycle, fresh *runCommand, application app.Application, topics *hub.Hub, workers *workforce, changed bool) error {
	if err := fresh.applicationFlags.check(); err != nil {
		return err
	}
	options, err := fresh.options(topics)
	if err != nil {
		return err
	}
	if !changed {
		if err = r.serveFlags.reload(l, &fresh.serveFlags, application); err == nil {
			workers.current.Load().Replace()
		}
		return err
	}
	supervisor, err := python.New(options)
	if err != nil {
		return startFailed(err)
	}
	if err := r.serveFlags.reload(l, &fresh.serveFlags, application); err != nil {
		_ = supervisor.Close()
		return err
	}
	workers.appoint(supervisor, options.GracefulTimeout)
	r.adminFlags.watchWorkers(supervisor)
	slog.Info("workers with other options have taken over", "workers", options.Workers, "class", options.Class)
	return nil
}

// loopsBesideWorkers is how many loops there are beside workers, which need most of the CPUs: a loop serves some 90,000 requests a second, a worker
// with a framework some 10,000. More loops than that have less to do each time that they are woken: raw hello takes 19 us of CPU with two loops on
// two CPUs, 13 with one.
func loopsBesideWorkers(cpus int) int { return (cpus + 3) / 4 }

// startFailed prints the traceback of an application that does not start. The error that is left is one line.
func startFailed(err error) error {
	var start *python.StartError
	if !errors.As(err, &start) {
		return err
	}
	traceback, cure := start.Split()
	fmt.Fprint(os.Stderr, traceback)
	return errors.New(cure)
}

// checkWorkers tells what is wrong with the numbers, and otherwise which class workers have, and how many there are to be, 0 for as many as there are CPUs.
func (r *runCommand) checkWorkers() (class python.Class, workers int, err error) {
	if class, err = workerClass(r.WorkerClass, r.Threads); err != nil {
		return "", 0, err
	}
	workers = r.Workers
	if workers == 0 {
		if workers, err = concurrency(os.Getenv("WEB_CONCURRENCY")); err != nil {
			return "", 0, err
		}
	}
	for _, limit := range []struct {
		name         string
		value, least int64
	}{
		{"workers", int64(workers), 0},
		{"threads", int64(r.Threads), 0},
		{"worker-connections", int64(r.WorkerConnections), 1},
		{"timeout", int64(r.Timeout), 0},
		{"max-requests", int64(r.MaxRequests), 0},
		{"max-requests-jitter", int64(r.MaxRequestsJitter), 0},
		{"max-worker-rss", r.MaxWorkerRSS, 0},
		{"queue", int64(r.Queue), 1},
		{"queue-timeout", int64(r.QueueTimeout), 0},
		{"body-buffer", int64(r.BodyBuffer), 0},
	} {
		if limit.value < limit.least {
			return "", 0, &usageError{fmt.Sprintf("--%s must be %d or more", limit.name, limit.least)}
		}
	}
	return class, workers, nil
}

// options are those of the supervisor.
func (r *runCommand) options(topics *hub.Hub) (python.Options, error) {
	class, workers, err := r.checkWorkers()
	if err != nil {
		return python.Options{}, err
	}
	return python.Options{
		App: r.App, Python: r.Python, Virtualenv: r.Virtualenv, Chdir: r.Chdir, Path: r.path(), Env: r.Env,
		Workers: cmp.Or(workers, setMaxProcs()), Class: class, Threads: max(r.Threads, 1), Connections: r.WorkerConnections, Preload: r.Preload,
		Timeout: noLimit(r.Timeout), Queue: r.Queue, QueueTime: noLimit(r.QueueTimeout),
		MaxRequests: r.MaxRequests, MaxRequestsJitter: r.MaxRequestsJitter, MaxRSS: r.MaxWorkerRSS << 20,
		GracefulTimeout: max(r.GracefulTimeout, time.Millisecond), BodyBuffer: max(r.BodyBuffer, 1), StreamBodies: r.StreamBodies,
		RetryIdempotent: r.RetryIdempotent, Software: "weir/" + server.Version, Hub: topics, Output: outputLogger(),
	}, nil
}

// concurrency reads WEB_CONCURRENCY.
func concurrency(value string) (int, error) {
	if value == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return 0, &usageError{fmt.Sprintf("WEB_CONCURRENCY must be a number from 1 on, not %q", value)}
	}
	return n, nil
}
