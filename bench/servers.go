package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weirhttp/weir/bench/internal/registry"
	"github.com/weirhttp/weir/bench/servers"
)

// The servers that the others are compared with: of Go's and C's own answers, and of Python's applications.
const (
	subject       = "weir"
	pythonSubject = "weir run"
)

// A server is a row of the report: an entry of the registry, with its program.
type server struct {
	Name    string   `json:"name"`
	Family  string   `json:"family"`
	Kind    string   `json:"kind"`
	About   string   `json:"about,omitempty"`
	Version string   `json:"version"`
	Args    []string `json:"args,omitempty"` // behind those of the entry
	Command []string `json:"command"`        // with its placeholders
	Closing []string `json:"closing,omitempty"`
	Closes  bool     `json:"closes,omitempty"` // every connection behind its first answer
	Waits   bool     `json:"waits,omitempty"`  // it lets clients wait

	entry  registry.Entry
	binary string
	apps   string // the folder of Python's applications
}

// A missing server is left out of a run, which says so.
type missing struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// shown is the command for people, with its placeholders.
func (s server) shown(closing bool) string {
	words := slices.Clone(s.Command)
	if closing {
		words = append(words, s.Closing...)
	}
	line := strings.Join(append(words, s.Args...), " ")
	return strings.ReplaceAll(line, "{binary}", s.Family)
}

// hostsApps tells whether it runs Python's applications, and not routes of its own.
func (s server) hostsApps() bool { return s.Kind == "python" && !s.Waits }

// offers tells whether the server has what the case asks for.
func (s server) offers(c benchCase) bool {
	if s.Closes && (c.depth > 1 || c.Kind == idleMemory) {
		return false
	}
	if l := s.entry.Longpoll; c.Kind == waiting && (l == nil || l.Most > 0 && c.connections > l.Most) {
		return false
	}
	for _, route := range c.routes() {
		if _, ok := s.entry.Routes[route]; !ok {
			return false
		}
	}
	return true
}

// loadEntries reads the registry: the entries of this module, in the order in which reports list them, and then those of a folder.
func loadEntries(module, own string) ([]registry.Entry, error) {
	entries, err := registry.Load(nil, servers.Files, module)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(entries, func(a, b registry.Entry) int { return rank(a.Name) - rank(b.Name) })
	if own == "" {
		return entries, nil
	}
	base, err := filepath.Abs(own)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(base); err != nil {
		return nil, fmt.Errorf("-registry: %w", err)
	}
	return registry.Load(entries, os.DirFS(base), base)
}

// order is that of reports: weir, what has no equal work to do, and then the servers.
var order = []string{subject, "floor", "gnet", "gnet reuseport", "nginx", "fasthttp", "hertz", "nethttp",
	pythonSubject, "weir run threads", "weir run gevent", "gunicorn sync", "gunicorn gthread", "gunicorn gevent",
	"uwsgi http router", "uwsgi http-socket", "nginx + uwsgi", "nginx + gunicorn",
	"waitress", "tornado", "gevent.pywsgi", "cheroot", "twisted", "uvicorn",
	"tornado long-poll", "gevent long-poll", "Pushpin"}

func rank(name string) int {
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return len(order)
}

func entryNames(entries []registry.Entry) []string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return names
}

// buildServers finds or builds what was chosen, and lists the rows and what cannot be had here.
func (o *options) buildServers(ctx context.Context) (rows []server, left []missing, err error) {
	for _, e := range o.entries {
		if e.Family == subject && o.weir != "" {
			e.Find = registry.Find{Program: o.weir}
		}
		fmt.Fprintln(os.Stderr, "preparing", e.Name)
		p, err := e.Prepare(ctx, filepath.Join(o.dir, "bin"))
		if errors.Is(err, registry.ErrMissing) {
			left = append(left, missing{e.Name, err.Error()})
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		row := serverOf(p)
		row.apps = filepath.Join(o.dir, "python", "apps")
		rows = append(rows, row)
		if e.Name == subject {
			rows = append(rows, o.variantsOf(row)...)
		}
	}
	if len(rows) == 0 {
		return nil, left, errors.New("none of the servers is installed")
	}
	return rows, left, nil
}

func serverOf(p registry.Prepared) server {
	return server{Name: p.Name, Family: p.Family, Kind: p.Kind, About: p.About, Version: p.VersionText,
		Command: p.Start.Command, Closing: p.Start.Closing, Closes: p.Closes, Waits: p.Longpoll != nil, entry: p.Entry, binary: p.Binary}
}

func (o *options) variantsOf(row server) (rows []server) {
	for _, v := range o.variants {
		row.Name, row.Args = subject+" "+v.name, v.args
		row.About = strings.Join(v.args, " ")
		rows = append(rows, row)
	}
	return rows
}
