package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// A row is a server that is measured.
type row struct {
	name    string
	peer    bool   // bars do not hold for it
	missing string // why it cannot run
	settle  int    // how many times longer it needs to take in new requests; 0 for once
	atOnce  int    // connections that may be new at once, 0 for openAtOnce
	pace    int    // polls a second that it takes in, 0 for as fast as can be
	retry   bool   // what it answers with 5xx before a wake is sent again
	prepare func(port int) (launch, error)
}

// A launch is how a row is started on a port.
type launch struct {
	argv    []string
	env     []string
	publish string        // address where messages are published, "" for the server's own
	grip    bool          // they are published as to Pushpin
	rest    time.Duration // between the first answer and the first poll
	clean   func()        // after the end; nil for nothing
}

// comparedWith is the number of waiters in the comparison, and the most that peers are measured with.
const comparedWith = 5000

// openAtOnce is fewer than any server's queue of new connections takes.
const openAtOnce = 100

// rows builds what is measured and looks for what is installed.
func (o *options) rows(ctx context.Context) ([]row, error) {
	weir := o.weir
	if weir == "" {
		var err error
		if weir, err = o.build(ctx, "weir", "..", "./cmd/weir"); err != nil {
			return nil, err
		}
	}
	rows := []row{{name: "weir", prepare: func(port int) (launch, error) {
		return launch{argv: slices.Concat([]string{weir, "demo", "--bind", local(port)}, o.weirArgs)}, nil
	}}}
	if !o.peers {
		return rows, o.checkOnly(rows)
	}
	folder, err := filepath.Abs(filepath.Join(o.dir, "longpoll", "peers"))
	if err != nil {
		return nil, err
	}
	rows = append(rows, pythonRow(ctx, "tornado", "tornado", filepath.Join(folder, "serve_tornado.py")),
		pythonRow(ctx, "gevent.pywsgi", "gevent", filepath.Join(folder, "serve_gevent.py")), pushpinRow())
	for _, r := range rows {
		if r.missing != "" {
			fmt.Fprintf(os.Stderr, "%s is MISSING: %s\n", r.name, r.missing)
		}
	}
	return rows, o.checkOnly(rows)
}

func (o *options) checkOnly(rows []row) error {
	for _, name := range o.only {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.name == name }) {
			return fmt.Errorf("--only: there is no server %q (peers need --peers)", name)
		}
	}
	return nil
}

func (o *options) build(ctx context.Context, name, module, pkg string) (string, error) {
	binary, err := filepath.Abs(filepath.Join(o.dir, "bin", name))
	if err != nil {
		return "", err
	}
	fmt.Fprintln(os.Stderr, "building", name)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, pkg)
	cmd.Dir = filepath.Join(o.dir, module)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return binary, nil
}

// python is the system's, which Debian's packages are for.
const python = "/usr/bin/python3"

func pythonRow(ctx context.Context, name, module, script string) row {
	r := row{name: name, peer: true, settle: 3, prepare: func(port int) (launch, error) {
		return launch{argv: []string{python, script, local(port)}, env: []string{"PYTHONDONTWRITEBYTECODE=1"}}, nil
	}}
	if exec.CommandContext(ctx, python, "-c", "import "+module).Run() != nil {
		r.missing = "not installed (apt-get install python3-" + module + ")"
	}
	return r
}
