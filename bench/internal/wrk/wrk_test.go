package wrk

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	cases := []struct {
		file string
		want Result
	}{
		{"good", Result{Requests: 106957, PerSecond: 106452.95, P50: 401 * us, P99: 5370 * us}},
		{"pipelined", Result{Requests: 1439456, PerSecond: 1377032.37, P50: 1270 * us, P99: 7140 * us}},
		{"seconds", Result{Requests: 8, PerSecond: 2.65, P50: 1200 * ms, P99: 1200 * ms}},
		{"not-found", Result{Requests: 80545, PerSecond: 73226.59, P50: 90 * us, P99: 1010 * us,
			Problems: []string{"Non-2xx or 3xx responses: 80545"}}},
		{"both-errors", Result{Requests: 46120, PerSecond: 41818.24, P50: 148 * us, P99: 3680 * us,
			Problems: []string{"Socket errors: connect 0, read 941, write 0, timeout 0", "Non-2xx or 3xx responses: 476"}}},
		{"percentile", Result{Requests: 30212, PerSecond: 30056.33, P50: 1990 * us, P99: 7310 * us, P999: 12040 * us}},
		{"no-answers", Result{
			Problems: []string{"Socket errors: connect 0, read 14746, write 0, timeout 0", "no request was answered"}}},
	}
	for _, c := range cases {
		t.Run(c.file, func(t *testing.T) {
			report, err := os.ReadFile(filepath.Join("testdata", c.file+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(string(report))
			if err != nil {
				t.Fatal(err)
			}
			if got.Requests != c.want.Requests || got.PerSecond != c.want.PerSecond ||
				got.P50 != c.want.P50 || got.P99 != c.want.P99 || got.P999 != c.want.P999 || !slices.Equal(got.Problems, c.want.Problems) {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	cases := map[string]string{
		"nothing":         "",
		"no totals":       "     50%  148.00us\n     99%    3.68ms\n",
		"no distribution": "  8 requests in 3.02s, 1.02KB read\nRequests/sec:      2.65\n",
		"no unit":         "     50%  148.00\n     99%    3.68ms\n  8 requests in 3.02s, 1KB read\nRequests/sec: 2.65\n",
	}
	for name, report := range cases {
		t.Run(name, func(t *testing.T) {
			if got, err := Parse(report); err == nil {
				t.Errorf("parsed as %+v", *got)
			}
		})
	}
}

func TestParseTime(t *testing.T) {
	cases := map[string]time.Duration{
		"0.00us":   0,
		"148.00us": 148 * time.Microsecond,
		"5.37ms":   5370 * time.Microsecond,
		"1.20s":    1200 * time.Millisecond,
		"1.50m":    90 * time.Second,
		"2.00h":    2 * time.Hour,
	}
	for text, want := range cases {
		if got, err := parseTime(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "12", "-nan%", "xus"} {
		if got, err := parseTime(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}
