package proc

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	cases := map[string]time.Duration{
		"stat-plain":  1 * time.Second,
		"stat-parens": 18010 * time.Millisecond,
	}
	for file, want := range cases {
		stat, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseStat(stat); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", file, got, err, want)
		}
	}
	for _, stat := range []string{"", "17 weir S 1", "17 (weir) S 1 2 3", "1 (a) S 1 1 1 0 -1 4 9 0 3 0 x 58 0"} {
		if got, err := parseStat([]byte(stat)); err == nil {
			t.Errorf("%q: got %v, want an error", stat, got)
		}
	}
}

func TestParseStatus(t *testing.T) {
	status, err := os.ReadFile(filepath.Join("testdata", "status"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseStatus(status, "VmRSS:"); err != nil || got != 15872<<10 {
		t.Errorf("got %d, %v; want %d", got, err, 15872<<10)
	}
	for _, status := range []string{"", "VmRSS:\t12\n", "VmRSS:\tx kB\n", "RssAnon:\t12 kB\n"} {
		if got, err := parseStatus([]byte(status), "VmRSS:"); err == nil {
			t.Errorf("%q: got %d, want an error", status, got)
		}
	}
}

func TestOwnProcess(t *testing.T) {
	if _, err := CPUTime(os.Getpid()); err != nil {
		t.Error(err)
	}
	began, err := CPUClock(os.Getpid())
	for end := time.Now().Add(5 * time.Millisecond); time.Now().Before(end); {
	}
	if now, err2 := CPUClock(os.Getpid()); err != nil || err2 != nil || now <= began {
		t.Errorf("CPU clock: %v, %v; %v, %v", began, err, now, err2)
	}
	rss, err := ResidentBytes(os.Getpid())
	if err != nil || rss < 1<<20 {
		t.Errorf("resident: %d, %v", rss, err)
	}
}
