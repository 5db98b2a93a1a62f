package main

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/healthy"
)

func TestChooseCases(t *testing.T) {
	all, err := chooseCases("", 1)
	if err != nil || len(all) != 11 {
		t.Fatalf("%d cases, %v", len(all), err)
	}
	for i, a := range all {
		if a.number != i+1 || a.do == nil || a.length <= 0 || a.connections <= 0 {
			t.Errorf("case %d is not right: %+v", i+1, a)
		}
	}
	some, err := chooseCases("9, 1,1", 1)
	if err != nil || len(some) != 2 || some[0].number != 1 || some[1].number != 9 {
		t.Errorf("%d cases, %v", len(some), err)
	}
	for _, list := range []string{"0", "12", "x", "1;2"} {
		if _, err := chooseCases(list, 1); err == nil {
			t.Errorf("%q: no error", list)
		}
	}
}

func TestScaled(t *testing.T) {
	for _, a := range attacks {
		if s := a.scaled(1); s.connections != a.connections || s.total != a.total || s.length != a.length {
			t.Errorf("case %d at 1: %+v", a.number, s)
		}
		s := a.scaled(0.001)
		if s.connections < 1 || s.length < shortest || a.total > 0 && s.total != a.total/1000 {
			t.Errorf("case %d at 0.001: %+v", a.number, s)
		}
	}
}

func TestBound(t *testing.T) {
	if got := (attack{connections: 500}).bound(); got != 64<<20+500*80<<10 {
		t.Errorf("got %d", got)
	}
}

func TestParseOptions(t *testing.T) {
	for _, args := range []string{"--scale 0", "--scale 2", "--scale x", "rest", "--cases 99", "--weir /missing", "--nonsense"} {
		if _, err := parseOptions(strings.Fields(args)); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
	o, err := parseOptions(strings.Fields("--scale 0.5 --cases 8 --peers"))
	if err != nil || !o.peers || len(o.cases) != 1 || o.cases[0].total != 500_000 {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestMutants: they are the same each time, differ from each other, and the originals stay as they are.
func TestMutants(t *testing.T) {
	before := bytes.Join(append(originals, fragments...), nil)
	seen := make(map[string]bool)
	for n := range 2000 {
		one := mutant(n)
		if !bytes.Equal(one, mutant(n)) {
			t.Fatalf("mutant %d is not the same twice", n)
		}
		seen[string(one)] = true
	}
	if len(seen) < 1500 {
		t.Errorf("only %d different ones in 2000", len(seen))
	}
	if !bytes.Equal(before, bytes.Join(append(originals, fragments...), nil)) {
		t.Error("originals have changed")
	}
}

func TestReadAnswer(t *testing.T) {
	for _, c := range []struct {
		response string
		most     int64
		want     answer
		wrong    bool
	}{
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 9, answer{200, true, true, false}, false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 1, answer{200, true, false, false}, false},
		{"HTTP/1.1 400 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 9, answer{400, true, true, true}, false},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 9, answer{200, true, true, false}, false},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", 9, answer{200, true, false, false}, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", 9, answer{200, true, false, false}, true},
		{"HTTP/1.1 2", 9, answer{0, true, false, false}, true},
		{"", 9, answer{}, true},
	} {
		got, err := readAnswer(bufio.NewReader(strings.NewReader(c.response)), c.most)
		if got != c.want || (err != nil) != c.wrong {
			t.Errorf("%q: %+v, %v", c.response, got, err)
		}
	}
}

func TestInternalsMore(t *testing.T) {
	before := internals{Descriptors: 10, Goroutines: 5, Heap: 1 << 20}
	for _, c := range []struct {
		now  internals
		want string // "": nothing
	}{
		{before, ""},
		{internals{9, 5 + goroutinesLeft, 1<<20 + heapLeft}, ""},
		{internals{11, 5, 0}, "11 descriptors"},
		{internals{10, 6 + goroutinesLeft, 0}, "goroutines"},
		{internals{10, 5, 1<<20 + heapLeft + 1}, "heap"},
	} {
		if got := c.now.more(before); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q", c.now, got)
		}
	}
}

func TestCallsMade(t *testing.T) {
	if n, err := callsMade("weir serves the demo at ...\nweir made 42 calls\n"); n != 42 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := callsMade("weir serves the demo at ...\n"); err == nil {
		t.Error("no error")
	}
}

func TestCells(t *testing.T) {
	// As many cells as heads, whatever a row lacks.
	h := &healthy.Client{}
	h.Latencies.Record(time.Millisecond)
	for _, x := range []*outcome{
		{},
		{healthy: h},
		{row: row{peer: true}, healthy: h},
		{row: row{missing: "not installed"}},
		{c: attack{ends: true}},
	} {
		if got := len(x.cells()); got != len(heads) {
			t.Errorf("%+v: %d cells, %d heads", x.row, got, len(heads))
		}
	}
}

func TestTallyText(t *testing.T) {
	if got := tallyText(map[string]int{"b": 2, "a": 1}); got != "1 a, 2 b" {
		t.Errorf("got %q", got)
	}
}
