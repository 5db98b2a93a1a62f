package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// A family is one program; several servers may come of it.
type family struct {
	name   string
	module string // whose version the report names, as the binary records it
}

var families = []family{
	{name: "weir"},
	{name: "gnet", module: "github.com/panjf2000/gnet/v2"},
	{name: "fasthttp", module: "github.com/valyala/fasthttp"},
	{name: "nethttp"},
}

func familyNames() []string {
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = f.name
	}
	return names
}

func chooseFamilies(list string) ([]string, error) {
	return choose("servers", list, familyNames())
}

// A server is a row of the report: a binary with arguments.
type server struct {
	Name    string   `json:"name"`
	Family  string   `json:"family"`
	Version string   `json:"version"`
	Binary  string   `json:"-"`
	Args    []string `json:"args"` // without the address
}

// command is what is run for a case.
func (s server) command(c benchCase, addr string) []string {
	if s.Family == "weir" {
		return slices.Concat([]string{s.Binary, "demo", "--bind", addr}, s.Args)
	}
	args := slices.Concat([]string{s.Binary, "--addr", addr}, s.Args)
	if s.Family == "gnet" && c.closing {
		args = append(args, "--close") // it reads no headers, so it must be told
	}
	return args
}

// buildServers builds what was chosen and lists the rows. gnet is there twice:
// which way of accepting is faster depends on the machine and the case, and
// weir is compared with the better of the two.
func (o *options) buildServers(ctx context.Context) ([]server, error) {
	var servers []server
	for _, f := range families {
		if !slices.Contains(o.peers, f.name) {
			continue
		}
		binary, err := o.build(ctx, f.name)
		if err != nil {
			return nil, err
		}
		row := server{Name: f.name, Family: f.name, Binary: binary, Version: versionOf(binary, f.module)}
		servers = append(servers, row)
		switch f.name {
		case "gnet":
			row.Name, row.Args = "gnet reuseport", []string{"--reuseport"}
			servers = append(servers, row)
		case "weir":
			for _, v := range o.variants {
				row.Name, row.Args = "weir "+v.name, v.args
				servers = append(servers, row)
			}
		}
	}
	return servers, nil
}

func (o *options) build(ctx context.Context, name string) (string, error) {
	if name == "weir" && o.weir != "" {
		return o.weir, nil
	}
	binary := filepath.Join(o.dir, "bin", name)
	dir, pkg := o.dir, "./peers/"+name
	if name == "weir" {
		dir, pkg = filepath.Dir(o.dir), "./cmd/weir"
	}
	fmt.Fprintln(os.Stderr, "building", name)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, pkg)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return binary, nil
}

// versionOf reads what the binary itself says it was built from.
func versionOf(binary, module string) string {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "unknown"
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && module == "" && len(setting.Value) >= 12 {
			return setting.Value[:12]
		}
	}
	return info.GoVersion
}
