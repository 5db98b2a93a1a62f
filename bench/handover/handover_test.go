package handover

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/machine"
	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// small is little enough for a test.
var small = sizes{run: 150 * time.Millisecond, warm: 50 * time.Millisecond, sleep: 30 * time.Millisecond, spin: 5 * time.Millisecond,
	before: 60 * time.Millisecond, after: 20 * time.Millisecond, idle: 100 * time.Millisecond, idlers: 20, settle: 20 * time.Millisecond,
	company: 2, clients: 4, rate: 500, coldRate: 500}

func smallOptions(t *testing.T, cases string, more ...string) *options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o, err := parseOptions(append([]string{"--weir", self, "--wrk", self, "--cases", cases, "--rounds", "2"}, more...))
	if err != nil {
		t.Fatal(err)
	}
	o.sizes = small
	return o
}

func TestCases(t *testing.T) {
	o := smallOptions(t, "")
	lines := measureAll(t.Context(), o)
	if len(lines) != 7 {
		t.Errorf("%d lines", len(lines))
	}
	for _, l := range lines {
		if l.Measured == "" || l.Verdict == "" || l.Runs != 2 || len(l.Failures) > 0 {
			t.Errorf("%s: measured %q, verdict %q, %d runs, failures %q", l.Title, l.Measured, l.Verdict, l.Runs, l.Failures)
		}
	}
	for _, l := range lines[:2] {
		if l.Verdict != verdict.NotJudged {
			t.Errorf("%s: %s after two rounds", l.Title, l.Verdict)
		}
	}
	for _, markdown := range []bool{false, true} {
		var text strings.Builder
		report(&text, machine.Machine{CPU: "a CPU"}, o, lines, markdown)
		for _, want := range []string{"a CPU", "first call that blocks", "at most 20ms", "weir demo --bind ADDR --test-routes --loops 2;"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%q is not in %s", want, text.String())
			}
		}
	}
}

// TestFaults: a run with an error is told, and is in no figure.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ cases, env, failure string }{
		{"burners", "STANDIN_FAULT=wrong", "Hello, Wrong!"},
		{"burners", "STANDIN_FAULT=die", "last words"},
		{"burners", "STANDIN_FAULT=spin", "answered with 503"},
		{"sleepers", "STANDIN_FAULT=sleep", "slept 31 ms"},
		{"cold", "STANDIN_FAULT=sleep", "slept 31 ms"},
		{"cost", "STANDIN_FAULT=wrong", "Hello, Wrong!"},
		{"idle", "STANDIN_FAULT=sleep", "slept 31 ms"},
	} {
		t.Run(c.cases+" "+c.env, func(t *testing.T) {
			t.Parallel()
			for _, l := range measureAll(t.Context(), smallOptions(t, c.cases, "--env", c.env, "--rounds", "1")) {
				if len(l.Failures) == 0 || l.Runs > 0 || l.Measured != "" || !l.Missed() {
					t.Errorf("%d runs, measured %q, failures %q", l.Runs, l.Measured, l.Failures)
					continue
				}
				if got := strings.Join(l.Failures, " "); !strings.Contains(got, c.failure) {
					t.Errorf("failures %q, want one with %q", got, c.failure)
				}
			}
		})
	}
}

func TestWrkErrors(t *testing.T) {
	t.Setenv("STANDIN_WRK", "errors")
	for _, l := range measureAll(t.Context(), smallOptions(t, "sleepers", "--rounds", "1")) {
		if got := strings.Join(l.Failures, " "); !strings.Contains(got, "Non-2xx or 3xx responses: 3") {
			t.Errorf("failures %q", got)
		}
	}
}

// TestStall: a server that does not hand over misses the bar of the first call that blocks.
func TestStall(t *testing.T) {
	lines := measureAll(t.Context(), smallOptions(t, "cold", "--env", "STANDIN_FAULT=stall"))
	if l := lines[0]; l.Verdict != verdict.NotMet || l.Measured < "2" || len(l.Failures) > 0 {
		t.Errorf("%+v", l)
	}
}

// TestCoordinatedOmission: all that should have been sent during a stall counts, and not only the requests under way.
func TestCoordinatedOmission(t *testing.T) {
	const stall, rate = 200 * time.Millisecond, 500
	loop, err := startOpenLoop(stallingServer(t, 50, stall), 4, rate, 500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	samples, err := loop.stop()
	if err != nil || len(samples) != 250 {
		t.Fatalf("%d samples, %v", len(samples), err)
	}
	slow := 0
	for _, s := range samples {
		if s.took > stall/2 {
			slow++
		}
		if s.took < 0 || s.late < 0 {
			t.Fatalf("%+v", s)
		}
	}
	if slow < 45 { // of 50 that were due in its first half
		t.Errorf("%d samples are slow", slow)
	}
	if p99 := verdict.Quantile(tooks(samples, 0, time.Second), 0.99); p99 < stall*9/10 {
		t.Errorf("p99 %v", p99)
	}
	if got := late(samples); got > 50*time.Millisecond {
		t.Errorf("late by %v", got)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	o := smallOptions(t, "idle,burners")
	o.sizes.settle = time.Minute
	o.sizes.run = time.Minute
	began := time.Now()
	for _, l := range measureAll(ctx, o) {
		if l.Runs > 0 || len(l.Failures) > 0 || !l.Missed() || l.Mark() != "NOT MEASURED" {
			t.Errorf("%+v, %s", l, l.Mark())
		}
	}
	if took := time.Since(began); took > 3*time.Second || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Errorf("after %v: %v", took, ctx.Err())
	}
}

func TestJudgeRatio(t *testing.T) {
	ratios := func(n int, ratio, spread float64) (a, b []float64) {
		for i := range n {
			b = append(b, 1)
			a = append(a, ratio+spread*float64(i%2*2-1))
		}
		return a, b
	}
	for _, c := range []struct {
		rounds        int
		ratio, spread float64
		want          string
	}{
		{10, 1.01, 0.005, verdict.Met},
		{10, 1.03, 0.02, "met, 1.03 lies inside"},
		{10, 1.06, 0.01, verdict.NotMet},
		{9, 1.06, 0.01, verdict.NotJudged},
	} {
		l := &verdict.Line{}
		watched, inline := ratios(c.rounds, c.ratio, c.spread)
		judgeRatio(l, watched, inline)
		if l.Verdict != c.want {
			t.Errorf("%+v: %s, %s", c, l.Verdict, l.Detail)
		}
	}
}

func TestJudge(t *testing.T) {
	const whole = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!"
	for text, want := range map[string]int{"": 0, whole[:40]: 0, whole: len(whole), whole + whole: len(whole)} {
		if got, err := judge([]byte(text), greeting); got != want || err != nil {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	if got, err := judge([]byte(whole), "Hello*ld!"); got != len(whole) || err != nil {
		t.Errorf("with an asterisk: %d, %v", got, err)
	}
	for _, c := range [][2]string{
		{whole, "Hello, World"}, {whole, "Hello*x"}, {whole, "Hello, World!*World!"},
		{strings.Replace(whole, "200", "503", 1), greeting},
		{strings.Replace(whole, "\r\n", "\r\nConnection: close\r\n", 1), greeting},
		{"hello\r\n\r\n", greeting},
	} {
		if got, err := judge([]byte(c[0]), c[1]); err == nil {
			t.Errorf("%q, want %q: %d", c[0], c[1], got)
		}
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
	for _, args := range []string{"x", "--cases none", "--cases ,", "--rounds 0", "--rounds 51", "--duration 0s", "--duration 1500ms", "--duration 31s",
		"--env GOMAXPROCS", "--env =1", "--weir /none/weir", "--wrk /none/wrk", "--into " + document, "--into /none/docs.md"} {
		if _, err := parseOptions(append([]string{"--wrk", self}, strings.Fields(args)...)); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
	if _, err := parseOptions(strings.Fields("--cases idle,cold,burners --wrk /none/wrk")); err != nil {
		t.Errorf("without wrk: %v", err)
	}
	if status := Main([]string{"--cases", "none"}); status != program.Usage {
		t.Errorf("status %d", status)
	}
}
