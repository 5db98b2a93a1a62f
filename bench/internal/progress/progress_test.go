package progress

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestBar: on a fake clock, work that takes twice as long as was guessed.
func TestBar(t *testing.T) {
	var out bytes.Buffer
	var clock time.Duration
	b := &Bar{out: &out, terminal: true, total: 8 * time.Minute, now: func() time.Duration { return clock }}
	for _, c := range []struct {
		at, part time.Duration
		want     string
	}{
		{0, 0, "\r\x1b[Kx\n[........................]   0 %, about 8 min left"},
		{4 * time.Minute, 2 * time.Minute, "\r\x1b[Kx\n[######..................]  25 %, about 12 min left"},
		{15*time.Minute + 40*time.Second, 350 * time.Second, "\r\x1b[Kx\n[#######################.]  98 %, about 20 s left"},
		{20 * time.Minute, time.Hour, "\r\x1b[Kx\n[########################] 100 %, about 0 s left"},
	} {
		out.Reset()
		clock = c.at
		b.Step(c.part, "x")
		if out.String() != c.want {
			t.Errorf("at %v: got %q, want %q", c.at, out.String(), c.want)
		}
	}
	out.Reset()
	b.End()
	if out.String() != "\r\x1b[K" {
		t.Errorf("the end is %q", out.String())
	}
}

// TestNoTerminal: a file gets the lines alone.
func TestNoTerminal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b := New(file, time.Minute)
	b.Step(time.Second, "one")
	b.Line("two")
	b.End()
	if got, err := os.ReadFile(name); string(got) != "one\ntwo\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
