package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/registry"
)

func TestOptions(t *testing.T) {
	opts, err := parseOptions([]string{
		"--preset", "quick", "--rounds", "3", "--servers", "fasthttp,weir", "--cases", "idle-19k,close",
		"--weir-args", "spread=--accept=reuseport --loops 4", "--weir-args", "--loops=1", "--load", "go",
	})
	if err != nil {
		t.Fatal(err)
	}
	if opts.rounds != 3 || opts.duration != time.Second || opts.wrk != "" {
		t.Errorf("got %+v", opts)
	}
	if names := entryNames(opts.entries); !slices.Equal(names, []string{"weir", "fasthttp"}) {
		t.Errorf("servers: %v", names)
	}
	if len(opts.cases) != 2 || opts.cases[0].Name != "close" {
		t.Errorf("cases: %v", opts.cases)
	}
	want := []weirVariant{
		{"spread", []string{"--accept=reuseport", "--loops", "4"}},
		{"--loops=1", []string{"--loops=1"}},
	}
	if !slices.EqualFunc(opts.variants, want, func(a, b weirVariant) bool {
		return a.name == b.name && slices.Equal(a.args, b.args)
	}) {
		t.Errorf("variants: %v", opts.variants)
	}
}

func TestWrongUsage(t *testing.T) {
	cases := map[string]string{
		"--servers apache":                   "apache",
		"--registry /nowhere":                "-registry",
		"--cases fast":                       "fast",
		"--cases close,":                     `""`,
		"--rounds 0":                         "-rounds",
		"--rounds x":                         "x",
		"--duration 1500ms":                  "-duration",
		"--duration 1h":                      "-duration",
		"--load ab":                          "ab",
		"--nonsense":                         "nonsense",
		"more":                               "more",
		"--weir-args spread":                 "NAME=ARGS",
		"--weir-args =--x":                   "NAME=ARGS",
		"--weir-args --a --weir-args --a":    "--a",
		"--servers gnet --weir-args --loops": "-weir-args",
		"--weir /nowhere/weir":               "/nowhere/weir",
		"--weir /etc/passwd":                 "not a program",
		"--weir /tmp":                        "not a program",
		"--servers weir --cases longpoll-1k,python-raw": "python-raw",
		"--servers fasthttp --cases longpoll-1k":        "weir-bench list",
		"--preset some":                                 "quick, core, python, longpoll, full",
		"--into /nowhere":                               "-into",
	}
	for line, want := range cases {
		_, err := parseOptions(strings.Fields(line))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line with %q", line, err, want)
		}
	}
}

// TestChosenServers: cases without servers have all that are in them; a preset keeps its own; what a server is not in is left out of a preset.
func TestChosenServers(t *testing.T) {
	for _, c := range []struct{ args, servers, cases []string }{
		{[]string{"-cases", "longpoll-5k"}, []string{"weir", "tornado long-poll", "gevent long-poll", "Pushpin"}, []string{"longpoll-5k"}},
		{[]string{"-cases", "longpoll-5k", "-preset", "core"}, []string{"weir"}, []string{"longpoll-5k"}},
		{[]string{"-servers", "weir run, waitress", "-cases", "python-raw"}, []string{"weir run", "waitress"}, []string{"python-raw"}},
		{[]string{"-servers", "nginx", "-preset", "quick"}, []string{"nginx"}, []string{"plaintext-64", "pipelined", "rate-common"}},
		{[]string{"-servers", "Pushpin", "-preset", "longpoll"}, []string{"Pushpin"}, []string{"longpoll-1k", "longpoll-5k"}},
	} {
		opts, err := parseOptions(c.args)
		if err != nil {
			t.Errorf("%q: %v", c.args, err)
			continue
		}
		if got := entryNames(opts.entries); !slices.Equal(got, c.servers) || !slices.Equal(namesOf(opts.cases), c.cases) {
			t.Errorf("%q: %q, %q", c.args, got, namesOf(opts.cases))
		}
	}
}

// TestPresets: what they name is there, and the first takes less than two minutes.
func TestPresets(t *testing.T) {
	for _, p := range presets {
		opts, err := parseOptions([]string{"--preset", p.name})
		if err != nil {
			t.Errorf("%s: %v", p.name, err)
			continue
		}
		m := &measurer{opts: opts}
		for _, e := range opts.entries {
			m.servers = append(m.servers, serverOf(registry.Prepared{Entry: e}))
		}
		if len(p.servers) > 0 && len(m.servers) != len(p.servers) || len(p.cases) > 0 && len(opts.cases) != len(p.cases) {
			t.Errorf("%s: %d servers, %d cases", p.name, len(m.servers), len(opts.cases))
		}
		most := map[string]time.Duration{"quick": 105 * time.Second, "core": 12 * time.Minute, "python": 30 * time.Minute, "longpoll": 13 * time.Minute, "full": 24 * time.Hour}[p.name]
		if got := m.estimate(); got > most || opts.rounds < leastRounds {
			t.Errorf("%s: %d rounds in about %v", p.name, opts.rounds, got)
		}
	}
}

// TestRegistryFolder: a server of the user's own is in every preset.
func TestRegistryFolder(t *testing.T) {
	dir := t.TempDir()
	text := "name = 'mine'\nkind = 'go'\nfind.program = 'mine'\nstart.command = ['{binary}']\nroutes.plaintext = '/'\n"
	if err := os.WriteFile(filepath.Join(dir, "mine.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	opts, err := parseOptions([]string{"--preset", "quick", "--registry", dir})
	if err != nil || !slices.Contains(entryNames(opts.entries), "mine") || slices.Contains(entryNames(opts.entries), "hertz") {
		t.Errorf("got %v, %v", opts, err)
	}
}
