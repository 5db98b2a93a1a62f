package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	opts, err := parseOptions([]string{
		"--quick", "--rounds", "3", "--servers", "fasthttp,weir", "--cases", "idle,close",
		"--weir-args", "spread=--accept=reuseport --loops 4", "--weir-args", "--loops=1", "--load", "go",
	})
	if err != nil {
		t.Fatal(err)
	}
	if opts.rounds != 3 || opts.duration != 2*time.Second || opts.wrk != "" {
		t.Errorf("got %+v", opts)
	}
	if names := entryNames(opts.entries); !slices.Equal(names, []string{"weir", "fasthttp"}) {
		t.Errorf("servers: %v", names)
	}
	if len(opts.cases) != 2 || opts.cases[0].name != "close" {
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
		"--idle-connections 999999":          "descriptors",
	}
	for line, want := range cases {
		_, err := parseOptions(strings.Fields(line))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line with %q", line, err, want)
		}
	}
}
