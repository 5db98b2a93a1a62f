package python

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// small is little enough for a test.
var small = sizes{run: 200 * time.Millisecond, warm: 50 * time.Millisecond, inProcess: time.Millisecond, quiet: 50 * time.Millisecond, slow: 5, idle: 10, open: 500 * time.Millisecond,
	held: 20, wakes: 2, settle: 20 * time.Millisecond, long: 2 << 20}

func TestCost(t *testing.T) {
	o := smallOptions(t, "cost")
	r := measureAll(t.Context(), o, standInRows(o))
	if len(r.failures) > 0 || len(r.lines) != 2 || len(r.tables) != 0 {
		t.Fatalf("failures %q, %d lines, %d tables", r.failures, len(r.lines), len(r.tables))
	}
	for _, l := range r.lines {
		if l.Runs != 2 || l.Measured == "" || len(l.Failures) > 0 {
			t.Errorf("%+v", l)
		}
	}
	for _, markdown := range []bool{false, true} {
		var text strings.Builder
		r.write(&text, machine.Machine{CPU: "a CPU"}, markdown)
		for _, want := range []string{"a CPU", "Flask hello, 64 connections: CPU a request above", "- uwsgi http router is MISSING: not installed\n"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%q is not in %s", want, text.String())
			}
		}
	}
}

// TestFaults: a run with an error is told, and is in no figure.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ name, value, failure string }{
		{"STANDIN_FAULT", "wrong", "Hello, Wrong!"},
		{"STANDIN_FAULT", "die", "last words"},
		{"STANDIN_WRK", "Non-2xx or 3xx responses: 3", "Non-2xx"},
	} {
		t.Run(c.value, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			o := smallOptions(t, "cost", "--rounds", "1")
			r := measureAll(t.Context(), o, standInRows(o)[:1])
			if !r.failed() {
				t.Error("it is no failure")
			}
			for _, l := range r.lines {
				if l.Runs > 0 || l.Measured != "" {
					t.Errorf("%+v", l)
				}
			}
			if got := oneLine(r.lines[len(r.lines)-1].Failures); !strings.Contains(got, c.failure) {
				t.Errorf("failures of cost: %q", got)
			}
		})
	}
}

func TestOtherCases(t *testing.T) {
	o := smallOptions(t, "sleeper,slow,idle,hold,stream", "--rounds", "1")
	r := measureAll(t.Context(), o, standInRows(o))
	if len(r.failures) > 0 || len(r.lines) != 3+1+1+2+6 || len(r.tables) != 4 {
		t.Fatalf("failures %q, %d lines, %d tables", r.failures, len(r.lines), len(r.tables))
	}
	for _, l := range r.lines {
		if l.Runs != 1 || l.Measured == "" || len(l.Failures) > 0 {
			t.Errorf("%+v", l)
		}
	}
	if l := r.lines[0]; l.Measured != "4.00 ms" || l.Verdict != verdict.Met {
		t.Errorf("%+v", l)
	}
	for _, f := range r.tables {
		for _, line := range f.lines {
			if len(line) != len(f.heads) {
				t.Errorf("%s: %d cells, %d heads: %q", f.title, len(line), len(f.heads), line)
			}
		}
	}
	for i, want := range []int{3, 3, 3, 1} {
		if got := len(r.tables[i].lines); got != want {
			t.Errorf("%s: %d lines", r.tables[i].title, got)
		}
	}
	for i, left := range map[int]string{1: "5", 2: "10"} {
		if line := r.tables[i].lines[1]; line[5] != left || line[6] != "" {
			t.Errorf("%q", line)
		}
	}
	if line := r.tables[3].lines[0]; line[5] != "2" {
		t.Errorf("%q", line)
	}
}

// TestOtherFaults: a run with an error is told where weir's figure would be.
func TestOtherFaults(t *testing.T) {
	for _, c := range []struct{ fault, cases, failure string }{
		{"sleep", "sleeper", "/sleep: status 500"},
		{"die", "slow", "last words"},
		{"hold", "hold", "not held: status 501"},
		{"up", "stream", "an upload of 2097152 octets is answered with 200 OK \"2097151\""},
		{"down", "stream", "a download of 2097152 octets is answered with 200 OK and 2097151 octets"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Setenv("STANDIN_FAULT", c.fault)
			o := smallOptions(t, c.cases, "--rounds", "1")
			r := measureAll(t.Context(), o, standInRows(o)[:1])
			told := false
			for _, l := range r.lines {
				if strings.Contains(oneLine(l.Failures), c.failure) {
					told = l.Measured == "" && l.Runs == 0
				}
			}
			if !told || !r.failed() {
				t.Errorf("%+v, failures %q", r.lines, r.failures)
			}
		})
	}
}

// TestStopsAnswering: a peer that answers nobody is told, and that is no failure.
func TestStopsAnswering(t *testing.T) {
	t.Setenv("STANDIN_FAULT", "hang")
	o := smallOptions(t, "idle", "--rounds", "1")
	r := measureAll(t.Context(), o, standInRows(o)[1:2])
	if line := r.tables[0].lines[0]; line[5] != "0" || line[6] != "stops answering" || r.failed() {
		t.Errorf("%q, failures %q", line, r.failures)
	}
}

func TestJudgeDisturbances(t *testing.T) {
	lines := []*verdict.Line{{}, {}, {}}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	judgeDisturbances(lines, []disturbance{
		{reading{perSecond: 100, cpu: 10, p999: ms(2)}, reading{perSecond: 80, cpu: 14, p999: ms(5)}, 20},
		{reading{perSecond: 110, cpu: 11, p999: ms(3)}, reading{perSecond: 90, cpu: 15, p999: ms(9)}, 20},
		{reading{perSecond: 120, cpu: 12, p999: ms(4)}, reading{perSecond: 70, cpu: 16, p999: ms(4)}, 20},
	})
	for i, want := range []verdict.Line{
		{Measured: "5.00 ms", Detail: "worst of 3: 9.00 ms, undisturbed 3.00 ms", Verdict: "met, worst not"},
		{Measured: "73 %", Detail: "80/s of 110/s", Verdict: verdict.NotMet},
		{Measured: "1.36", Detail: "15.00 us, undisturbed 11.00 us", Verdict: verdict.NotMet},
	} {
		if l := lines[i]; l.Measured != want.Measured || l.Detail != want.Detail || l.Verdict != want.Verdict {
			t.Errorf("%+v, want %+v", *l, want)
		}
	}
}

func TestStopped(t *testing.T) {
	for _, c := range []struct {
		b    besides
		want bool
	}{
		{besides{p50: time.Millisecond, p99: 2 * time.Second, requests: 100, errors: 1}, false},
		{besides{p50: 800 * time.Millisecond, requests: 100, errors: 1}, true},
		{besides{p50: time.Millisecond, requests: 100, errors: 60}, true},
	} {
		if got := c.b.stopped(); got != c.want {
			t.Errorf("%+v: %v", c.b, got)
		}
	}
}

func TestSocketErrorsAreTold(t *testing.T) {
	t.Setenv("STANDIN_WRK", "Socket errors: connect 0, read 2, write 0, timeout 0")
	o := smallOptions(t, "cost", "--rounds", "1")
	r := measureAll(t.Context(), o, standInRows(o)[:2])
	if got := oneLine(r.remarks); len(r.failures) > 0 || !strings.Contains(got, "weir run: Socket errors: connect 0, read 2") {
		t.Errorf("failures %q, remarks %q", r.failures, got)
	}
}

func TestUsage(t *testing.T) {
	before, after := usage{1 * time.Second, 2 * time.Second}, usage{1500 * time.Millisecond, 4 * time.Second}
	if got := after.since(before); got != (usage{500 * time.Millisecond, 2 * time.Second}) || got.all() != 2500*time.Millisecond {
		t.Errorf("%+v, %v", got, got.all())
	}
}

// TestRows: they are the registry's, and those that cannot run say why.
func TestRows(t *testing.T) {
	o := smallOptions(t, "cost")
	rows, err := o.rows(t.Context())
	if err != nil || len(rows) < 10 || rows[0].Name != weir || rows[0].Binary != o.weir {
		t.Fatalf("%+v, %v", rows, err)
	}
	for _, r := range rows {
		if r.Name == gunicornSync && !strings.Contains(r.missing, "Debian's package is gunicorn") {
			t.Errorf("%s is missing: %q", r.Name, r.missing)
		}
	}
	hosts, waiters := split(rows)
	for want, among := range map[string][]row{"tornado": hosts, "gevent.pywsgi": hosts, "tornado long-poll": waiters, "gevent long-poll": waiters} {
		if !slices.ContainsFunc(among, func(r row) bool { return r.Name == want }) {
			t.Errorf("there is no %s", want)
		}
	}
	o.only = []string{gunicornSync, weir}
	if chosen, err := o.chooseRows(slices.Clone(rows)); err != nil || len(chosen) != 2 || chosen[0].Name != weir {
		t.Errorf("%v, %v", chosen, err)
	}
	o.only = []string{"none"}
	if _, err := o.chooseRows(rows); err == nil {
		t.Error("--only none: no error")
	}
}

func TestParseOptions(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	document := filepath.Join(t.TempDir(), "docs.md")
	if err := os.WriteFile(document, []byte("text\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"x", "--cases none", "--cases ,", "--rounds 0", "--rounds 51", "--seconds 0", "--seconds 31",
		"--weir /none/weir", "--wrk /none/wrk", "--into " + document, "--into /none/docs.md"} {
		if _, err := parseOptions(append([]string{"--weir", self, "--wrk", self}, strings.Fields(args)...)); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
	o, err := parseOptions([]string{"--weir", self, "--wrk", self, "--cases", "stream,cost", "--only", "weir run, gunicorn sync"})
	if err != nil || len(o.cases) != 2 || o.cases[0].name != "cost" || !slices.Equal(o.only, []string{weir, gunicornSync}) || o.rounds != 5 {
		t.Errorf("%+v, %v", o, err)
	}
	if status := Main([]string{"--cases", "none"}); status != program.Usage {
		t.Errorf("status %d", status)
	}
}
