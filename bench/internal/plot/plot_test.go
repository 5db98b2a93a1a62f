package plot

import (
	"encoding/xml"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestSteps(t *testing.T) {
	for _, c := range []struct {
		most float64
		want []float64
	}{
		{19000, []float64{0, 5000, 10000, 15000, 20000}},
		{1, []float64{0, 0.25, 0.5, 0.75, 1}},
		{380, []float64{0, 100, 200, 300, 400}},
		{0, []float64{0, 1}},
		{math.NaN(), []float64{0, 1}},
	} {
		if got := steps(c.most, 4); !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.most, got, c.want)
		}
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.513: "0.51", 5.8: "5.8", 35.35: "35.4", 280: "280", 9999: "9999", 40971: "41k", 162423: "162k", 1774834: "1.77M"} {
		if got := Short(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}

// inside is false when something lies outside of the picture: coordinates are the numbers of attributes.
func inside(t *testing.T, svg string, height float64) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range element.Attr {
			most := map[string]float64{"x": width, "x1": width, "x2": width, "width": width, "y": height, "y1": height, "y2": height}[a.Name.Local]
			if most == 0 {
				continue
			}
			if v, err := strconv.ParseFloat(a.Value, 64); err != nil || !(v >= 0 && v <= most) {
				t.Errorf("%s %s=%q", element.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
}

func TestBars(t *testing.T) {
	svg := Bars("CPU", "us a request", []Bar{
		{"weir", 5, 4, 6, true}, {"a<b & \"c\"", 10, 10, 10, false}, {"none", 0, 0, 0, false},
	})
	inside(t, svg, 3*pitch+4)
	for _, want := range []string{"weir 5 (4 to 6)", "us a request", "a&lt;b &amp; &#34;c&#34;", `class="bar mine"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("%q is not in %s", want, svg)
		}
	}
	// The second bar is the longest, and twice as long as the first.
	found := regexp.MustCompile(`width="([0-9.]+)"`).FindAllStringSubmatch(svg, -1)
	if len(found) != 3 || found[0][1] != "110" || found[1][1] != "220" || found[2][1] != "0" {
		t.Errorf("widths %v", found)
	}
	if strings.Count(svg, "whisker") != 3 {
		t.Errorf("whiskers where there is no interval: %s", svg)
	}
	inside(t, Bars("none", "us", nil), 4)
	// A long label makes room for itself, and a longer one is cut.
	for label, want := range map[string]string{"tornado long-poll": `x="104" y="18">tornado long-poll<`, strings.Repeat("x", 40): strings.Repeat("x", 24) + "…<"} {
		svg := Bars("long", "us", []Bar{{label, 5, 4, 6, false}})
		inside(t, svg, pitch+4)
		if !strings.Contains(svg, want) {
			t.Errorf("%q is not in %s", want, svg)
		}
	}
}

// TestLatency: on HdrHistogram's axis each nine takes as much room as the one before.
func TestLatency(t *testing.T) {
	svg := Latency("p", []Series{
		{"weir", "series-0", []Point{{0, 0.1}, {90, 1}, {99, 10}, {99.9, 100}}},
		{"empty", "series-1", nil},
	})
	inside(t, svg, tall)
	if !strings.Contains(svg, "weir 10 ms at 99 %; empty without a 99th percentile") {
		t.Errorf("what it says: %s", svg)
	}
	points := regexp.MustCompile(`points="([^"]+)"`).FindStringSubmatch(svg)
	var xs, ys []float64
	for pair := range strings.SplitSeq(points[1], " ") {
		x, y, _ := strings.Cut(pair, ",")
		xs, ys = append(xs, parse(t, x)), append(ys, parse(t, y))
	}
	for i := 1; i < len(xs); i++ {
		if math.Abs(xs[i]-xs[i-1]-(width-left-right)/3.0) > 0.2 || math.Abs(ys[i-1]-ys[i]-(tall-top-bottom)/3.0) > 0.2 {
			t.Errorf("points at %v, %v", xs, ys)
		}
	}
	inside(t, Latency("none", nil), tall)
}

func TestMemory(t *testing.T) {
	svg := Memory("memory", "idle connections", []Series{{"weir", "series-0", []Point{{0, 10 << 20}, {10_000, 12 << 20}, {19_000, 15 << 20}}}})
	inside(t, svg, tall)
	if !strings.Contains(svg, "weir 15 MiB with 19k connections") || !strings.Contains(svg, ">20k<") {
		t.Errorf("what it says: %s", svg)
	}
	inside(t, Memory("none", "idle connections", nil), tall)
}

func TestTime(t *testing.T) {
	svg := Time("time", "waiting clients", []Series{{"weir", "series-0", []Point{{1000, 7.5}, {19_000, 104}}}, {"tornado", "series-1", []Point{{1000, 91}, {5000, 401}}}})
	inside(t, svg, tall)
	for _, want := range []string{"weir 104 ms with 19k connections; tornado 401 ms with 5000 connections", ">400 ms<", ">0<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s is not in %s", want, svg)
		}
	}
	inside(t, Time("none", "waiting clients", nil), tall)
}

func parse(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
