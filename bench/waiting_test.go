package main

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/program"
)

// TestPythonLongpoll has clients wait on every server of the registry that lets them, and be woken. `.ci/packages` installs all of them.
func TestPythonLongpoll(t *testing.T) {
	module, err := program.Module()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := loadEntries(module, "")
	if err != nil {
		t.Fatal(err)
	}
	was := waitSettle
	waitSettle = 250 * time.Millisecond
	t.Cleanup(func() { waitSettle = was })
	c := benchCase{Name: "longpoll", Kind: waiting, connections: 30}
	tried := 0
	for _, e := range entries {
		if e.Longpoll == nil {
			continue
		}
		tried++
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			runtime.LockOSThread() // see start
			defer runtime.UnlockOSThread()
			p, err := e.Prepare(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			s := serverOf(p)
			if !s.offers(c) || s.offers(benchCase{Kind: waiting, connections: 1 << 20}) != (e.Longpoll.Most == 0) {
				t.Error("it is in other cases than its entry says")
			}
			m := &measurer{opts: &options{}}
			record := m.waitOnce(t.Context(), s, c)
			if record.FailedWith != "" || len(record.Wakes) != waitWakes || record.CPUPer <= 0 || record.RSSBefore <= 0 || record.RSSAfter <= 0 {
				t.Errorf("%+v", record)
			}
		})
	}
	if tried < 4 {
		t.Errorf("%d servers", tried)
	}
}

// TestReportOfWaiting: the verdict is that of the time, and CPU and memory stand beside it; what a server refused is told.
func TestReportOfWaiting(t *testing.T) {
	c, err := chooseCases("longpoll-5k")
	if err != nil {
		t.Fatal(err)
	}
	r := &results{Cases: c, Servers: []server{{Name: "weir", Family: "weir", Kind: "go", Waits: true}, {Name: "late", Family: "late", Kind: "python", Waits: true}}}
	for round := range freshRounds {
		for i, s := range r.Servers {
			took := time.Duration(20+60*i) * time.Millisecond
			r.Runs = append(r.Runs, runRecord{Case: c[0].Name, Server: s.Name, Round: round + 1, Connections: 5000, CPUPer: float64(5 + 5*i),
				RSSBefore: 1 << 24, RSSAfter: 1 << 25, RSSPer: float64(400 + 800*i), Wakes: []time.Duration{took / 2, took, 9 * took}, Refused: 2 * i})
		}
	}
	var text strings.Builder
	markdown(&text, r)
	for _, want := range []string{"| weir | - | - | 20.00 ms ", "| late | slower | 4.00 ", " | 2.00 | 1200 [1200 to 1200] | 3.0 | 10 | 5 |", "(time until all are woken)"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in the report:\n%s", want, text.String())
		}
	}
	s, ok := counts(r, waiting)
	if !ok || len(s.Legend) != 2 || s.Legend[0].Class == s.Legend[1].Class || len(s.Figures) != 2 {
		t.Fatalf("the charts over the number of clients: %+v", s.Legend)
	}
	if svg := string(s.Figures[1].SVG); !strings.Contains(svg, "weir 20 ms with 5000 connections") || !strings.Contains(svg, "late 80 ms") {
		t.Error(svg)
	}
	if line := r.Runs[1].line(); !strings.Contains(line, "80.00 ms") || !strings.Contains(line, "1200 bytes a client") {
		t.Error(line)
	}
}
