package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// servers builds what is measured.
func (o *options) servers(ctx context.Context) ([]row, error) {
	weir := o.weir
	if weir == "" {
		var err error
		if weir, err = o.build(ctx, "weir", "..", "./cmd/weir"); err != nil {
			return nil, err
		}
	}
	rows := []row{{name: "weir", command: func(port int) []string {
		return slices.Concat([]string{weir, "demo", "--test-routes", "--bind", local(port)}, o.weirArgs)
	}}}
	if !o.peers {
		return rows, nil
	}
	for _, name := range []string{"fasthttp", "nethttp"} {
		binary, err := o.build(ctx, "abuse-"+name, ".", "./abuse/peers/"+name)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{name: name, peer: true, command: func(port int) []string {
			return []string{binary, "--addr", local(port)}
		}})
	}
	return append(rows, o.pythonRows(ctx)...), nil
}

func local(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

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

// pythonRows are the Python servers, with their own settings, and a row without figures for each one that is not
// installed.
func (o *options) pythonRows(ctx context.Context) []row {
	folder, err := filepath.Abs(filepath.Join(o.dir, "abuse", "peers", "python"))
	if err != nil {
		folder = ""
	}
	servers := []struct {
		name, module string
		args         func(addr string) []string
	}{
		{"gunicorn sync", "gunicorn", func(addr string) []string { return []string{"-m", "gunicorn", "-b", addr, "application"} }},
		{"gunicorn gthread", "gunicorn", func(addr string) []string {
			return []string{"-m", "gunicorn", "-k", "gthread", "-b", addr, "application"}
		}},
		{"gevent", "gevent", func(addr string) []string { return []string{filepath.Join(folder, "serve_gevent.py"), addr} }},
		{"waitress", "waitress", func(addr string) []string {
			return []string{"-m", "waitress", "--listen", addr, "application:application"}
		}},
	}
	var rows []row
	for _, s := range servers {
		r := row{name: s.name, peer: true, env: []string{"PYTHONPATH=" + joinPath(folder, os.Getenv("PYTHONPATH")), "PYTHONDONTWRITEBYTECODE=1"}}
		r.command = func(port int) []string { return append([]string{python}, s.args(local(port))...) }
		if exec.CommandContext(ctx, python, "-c", "import "+s.module).Run() != nil {
			r.missing = "not installed"
		}
		rows = append(rows, r)
	}
	return rows
}

func joinPath(first, rest string) string {
	if rest == "" {
		return first
	}
	return first + string(filepath.ListSeparator) + rest
}
