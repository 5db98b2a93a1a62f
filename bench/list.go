package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/registry"
	"github.com/weirhttp/weir/bench/internal/table"
)

// listCommand tells what could be measured here.
func listCommand(_ context.Context, args []string) error {
	fs := newFlags("list", "weir-bench list tells the servers and the cases, and what is missing here.\n")
	var own string
	registryFlag(fs, &own)
	missing := fs.Bool("packages", false, "only Debian's packages of what is missing, for apt-get install")
	if err := fs.parse(args, 0); err != nil {
		return usage(err)
	}
	module, err := program.Module()
	if err != nil {
		return usage(err)
	}
	entries, err := loadEntries(module, own)
	if err != nil {
		return usage(err)
	}
	if *missing {
		fmt.Println(strings.Join(packages(entries), " "))
		return nil
	}
	list(os.Stdout, entries)
	if names := packages(entries); len(names) > 0 {
		fmt.Println("\nmake bench-deps installs what is missing:", strings.Join(names, " "))
	}
	return nil
}

// packages of what is not installed, and has one: servers, frameworks and wrk.
func packages(entries []registry.Entry) (names []string) {
	for _, e := range entries {
		if e.Installed() == nil {
			continue
		}
		for _, name := range strings.Fields(e.Find.Package) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for _, c := range allCases {
		if f := frameworks[c.App]; c.installed() != nil && !slices.Contains(names, f.debian) {
			names = append(names, f.debian)
		}
	}
	if _, err := exec.LookPath("wrk"); err != nil {
		names = append(names, "wrk")
	}
	return names
}

func list(w io.Writer, entries []registry.Entry) {
	var lines [][]string
	for _, e := range entries {
		state := "installed"
		switch {
		case e.Installed() != nil:
			state = e.Installed().Error()
		case e.Find.Build != "" || e.Find.Compile != "":
			state = "is built"
		}
		s := serverOf(registry.Prepared{Entry: e})
		var cases []string
		mine := 0 // cases of servers of its kind
		for _, c := range allCases {
			if (c.App != "") == s.hostsApps() && (c.Kind != waiting || s.Waits) {
				mine++
			}
			if s.offers(c) {
				cases = append(cases, c.Name)
			}
		}
		all := strings.Join(cases, " ")
		if len(cases) == mine {
			all = "all of its kind"
		}
		lines = append(lines, []string{e.Name, e.Kind, state, e.About, all})
	}
	table.Write(w, []string{"SERVER", "KIND", "HERE", "WHAT", "CASES"}, lines, false)
	fmt.Fprintln(w)
	lines = nil
	for _, c := range allCases {
		var in []string
		for _, p := range presets {
			if p.cases == nil || slices.Contains(p.cases, c.Name) {
				in = append(in, p.name)
			}
		}
		lines = append(lines, []string{c.Name, c.Kind, strings.Join(in, " "), c.Title})
	}
	table.Write(w, []string{"CASE", "KIND", "PRESETS", "WHAT"}, lines, false)
}
