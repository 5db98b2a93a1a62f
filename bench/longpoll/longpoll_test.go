package longpoll

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/proc"
	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// small is little enough for the stand-in and for a test.
var small = sizes{waiters: 50, topics: 20, rate: 400, length: 300 * time.Millisecond,
	exactTopics: 5, exactClients: 10, exactRate: 200, exactLength: 400 * time.Millisecond, leavesEach: 300 * time.Millisecond, awayMost: 100 * time.Millisecond,
	million: 201, millionShares: 2, warm: 10, wakes: 2, settle: 20 * time.Millisecond}

// measured runs cases against the stand-in.
func measured(t *testing.T, cases string, more ...string) []*verdict.Line {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o, err := parseOptions(append([]string{"--weir", self, "--cases", cases, "--scale", "0.01", "--rounds", "1"}, more...))
	if err != nil {
		t.Fatal(err)
	}
	o.sizes = small
	return measureAll(t.Context(), o)
}

func TestCases(t *testing.T) {
	lines := measured(t, "memory,wake,topics,exact,million", "--full")
	if len(lines) != 6 {
		t.Errorf("%d lines", len(lines))
	}
	for _, l := range lines {
		want := verdict.NotJudged
		if strings.Contains(l.Title, "exactly once") {
			want = verdict.Met
		}
		if l.Measured == "" || l.Runs != 1 || l.Missed() || l.Verdict != want {
			t.Errorf("%+v", *l)
		}
	}
	var text strings.Builder
	verdict.Write(&text, lines, true)
	for _, want := range []string{"not judged", "exactly once", "0 lost", "all woken"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, text.String())
		}
	}
}

// TestFaults: a server that does wrong is found out.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ fault, cases, want string }{
		{"lose", "exact", "must be next"},
		{"repeat", "exact", "must be next"},
		{"repeat", "topics", "must be next"},
		{"lose", "topics", "must be next"},
		{"reach", "wake", "clients reached"},
	} {
		t.Run(c.fault+" "+c.cases, func(t *testing.T) {
			t.Setenv("STANDIN_FAULT", c.fault)
			lines := measured(t, c.cases)
			var told []string
			for _, l := range lines {
				told = append(told, slices.Concat(l.Failures, l.Notes)...)
			}
			missed := slices.ContainsFunc(lines, (*verdict.Line).Missed)
			if text := strings.Join(told, "; "); !missed || !strings.Contains(text, c.want) {
				t.Errorf("missed: %v, told: %s", missed, text)
			}
		})
	}
}

// TestInterrupted: what was started has ended when the run returns.
func TestInterrupted(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o, err := parseOptions([]string{"--weir", self, "--cases", "topics", "--scale", "0.01"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	measureAll(ctx, o)
	if tree := proc.Tree(os.Getpid()); len(tree) != 1 {
		t.Errorf("processes are left: %v", tree[1:])
	}
}

func TestParseOptions(t *testing.T) {
	for _, args := range []string{"--scale 0", "--scale 2", "--scale x", "--rounds 0", "--rounds 51", "rest", "--cases none", "--cases million",
		"--cases memory,wkae", "--weir /missing", "--into /missing/docs.md", "--nonsense"} {
		if _, err := parseOptions(strings.Fields(args)); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
	o, err := parseOptions(strings.Fields("--cases wake,memory --rounds 3"))
	if err != nil || len(o.cases) != 2 || o.cases[0].name != "memory" || o.sizes.waiters != 19_000 {
		t.Errorf("%+v, %v", o, err)
	}
	for args, want := range map[string]int{"": 4, "--full": 5} {
		if o, err := parseOptions(strings.Fields(args)); err != nil || len(o.cases) != want {
			t.Errorf("%q: %v, not %d cases", args, err, want)
		}
	}
	if _, err := parseOptions([]string{"-h"}); err == nil {
		t.Error("-h: no error")
	}
	if status := Main([]string{"--cases", "none"}); status != program.Usage {
		t.Errorf("status %d", status)
	}
}

func TestFigures(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -500: "-500", -5000: "-5,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
	total := 0
	for i := range 53 {
		total += share(1_000_000, 53, i)
	}
	if total != 1_000_000 || share(1_000_000, 53, 0) < 18_867 || share(1_000_000, 53, 52) > 18_868 {
		t.Errorf("shares add up to %d", total)
	}
}

func TestRoomFor(t *testing.T) {
	if err := roomFor(100, 2); err != nil {
		t.Errorf("for 100 sockets: %v", err)
	}
	if err := roomFor(1<<40, 1<<30); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("for too many: %v", err)
	}
}
