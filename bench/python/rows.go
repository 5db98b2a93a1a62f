package python

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/weirhttp/weir/bench/internal/registry"
	"github.com/weirhttp/weir/bench/servers"
)

// Names in the registry of the rows that are looked at closer.
const (
	weir       = "weir run"
	weirFamily = "weir"
)

// workers is how many processes call the application, in every server that can have several.
const workers = 2

// A row is a server that is measured.
type row struct {
	registry.Prepared
	missing string // why it cannot run
}

// rows are the registry's servers in Python, and weir, which is the first one.
func (o *options) rows(ctx context.Context) ([]row, error) {
	registry.Python = o.python
	entries, err := registry.Load(nil, servers.Files, o.dir)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, e := range entries {
		switch {
		case e.Kind != "python":
			continue
		case e.Family == weirFamily:
			e.Find = registry.Find{Program: o.weir}
		}
		r := row{Prepared: registry.Prepared{Entry: e}}
		if r.Prepared, err = e.Prepare(ctx, filepath.Join(o.dir, "bin")); err != nil {
			r.missing = err.Error()
		}
		rows = append(rows, r)
	}
	rank := func(r row) int {
		switch {
		case r.Name == weir:
			return 0
		case r.Family == weirFamily:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(rows, func(a, b row) int { return rank(a) - rank(b) })
	return rows, nil
}

// split tells servers that run applications from those that have one of their own, which lets clients wait.
func split(rows []row) (hosts, waiters []row) {
	for _, r := range rows {
		if r.Longpoll != nil {
			waiters = append(waiters, r)
		} else {
			hosts = append(hosts, r)
		}
	}
	return hosts, waiters
}

// chooseRows keeps those that --only names.
func (o *options) chooseRows(rows []row) ([]row, error) {
	for _, name := range o.only {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.Name == name }) {
			return nil, fmt.Errorf("--only: there is no server %q", name)
		}
	}
	return slices.DeleteFunc(rows, func(r row) bool { return len(o.only) > 0 && !slices.Contains(o.only, r.Name) }), nil
}
