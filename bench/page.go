package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/weirhttp/weir/bench/internal/bootstrap"
	"github.com/weirhttp/weir/bench/internal/plot"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"plain": func(cell string) string { return strings.ReplaceAll(cell, "**", "") }, // markdown's
}).Parse(pageText))

// chartStyle is what the classes of package plot look like, on the page and in pictures of their own.
//
//go:embed chart.css
var chartStyle string

// A section of the page is a case, or what belongs to several.
type section struct {
	ID, Title string
	Figures   []figurePlot
	Legend    []legendEntry
	Heads     []string
	Lines     [][]string
}

type figurePlot struct {
	Caption string
	SVG     template.HTML // made by package plot, which escapes what it is given
}

type legendEntry struct{ Name, Class string }

// palette is how many series-N the page has.
const palette = 10

// page writes the report as one file which needs no other one.
func page(out *bytes.Buffer, r *results) error {
	data := struct {
		Title, Machine, Method string
		Style                  template.CSS
		Bars                   section
		Losses, Left, Failures []string
		Sections               []section
		Commands               string
	}{
		Title: "weir beside other servers", Machine: r.Machine.String(), Method: method(r),
		Style: template.CSS(chartStyle), Losses: losses(r), Left: leftOut(r), Failures: failures(r), Commands: commandLines(r),
	}
	data.Bars.Heads, data.Bars.Lines = barTable(held(r))
	for _, c := range r.Cases {
		rows := summaries(r, c)
		if len(rows) == 0 {
			continue
		}
		s := section{ID: c.Name, Title: c.Title}
		s.Heads, s.Lines = caseTable(c, rows)
		switch c.Kind {
		case closedLoop:
			s.Figures = []figurePlot{
				barPlot("Requests a second; more is better", "requests/s", rows, func(s summary) bootstrap.Interval { return s.perSecond }),
				barPlot("CPU a request in us; less is better", "us", rows, func(s summary) bootstrap.Interval { return s.cpu }),
			}
		case fixedRate:
			curves, legend := latencies(r, c)
			s.Legend = legend
			s.Figures = []figurePlot{
				{"Latency by percentile", template.HTML(plot.Latency("Latency by percentile: "+c.Title, curves))},
				barPlot("CPU a request in us; less is better", "us", rows, func(s summary) bootstrap.Interval { return s.cpu }),
			}
		case idleMemory:
			s.Figures = []figurePlot{barPlot("Memory for a connection in bytes; less is better", "bytes", rows,
				func(s summary) bootstrap.Interval { return s.figure })}
		case waiting:
			s.Figures = []figurePlot{
				barPlot("Time in ms until the last client is woken; less is better", "ms", rows, func(s summary) bootstrap.Interval { return s.figure }),
				barPlot("CPU an answer in us; less is better", "us", rows, func(s summary) bootstrap.Interval { return s.cpu }),
				barPlot("Memory for a client in bytes; less is better", "bytes", rows, func(s summary) bootstrap.Interval { return s.memory }),
			}
		}
		data.Sections = append(data.Sections, s)
	}
	for _, kind := range []string{idleMemory, waiting} {
		if s, ok := counts(r, kind); ok {
			data.Sections = append(data.Sections, s)
		}
	}
	return pageTemplate.Execute(out, data)
}

func barPlot(title, unit string, rows []summary, of func(summary) bootstrap.Interval) figurePlot {
	var all []plot.Bar
	for _, s := range rows {
		if v := of(s); !math.IsNaN(v.Middle) {
			all = append(all, plot.Bar{Label: s.server.Name, Value: v.Middle, Low: v.Low, High: v.High, Mine: s.server.Family == subject})
		}
	}
	return figurePlot{title, template.HTML(plot.Bars(title, unit, all))}
}

// series is the class of a server, the same in all charts.
func (r *results) series(name string) string {
	at := slices.IndexFunc(r.Servers, func(s server) bool { return s.Name == name })
	i := 0
	for _, s := range r.Servers[:max(at, 0)] {
		if s.hostsApps() == r.Servers[at].hostsApps() { // the two are in different charts
			i++
		}
	}
	class := fmt.Sprintf("series-%d", i%palette)
	if i >= palette {
		class += " again"
	}
	return class
}

// latencies are the curves of a case: all good runs of a server together.
func latencies(r *results, c benchCase) (curves []plot.Series, legend []legendEntry) {
	for _, s := range r.Servers {
		var all *hdrhistogram.Histogram
		for _, run := range r.Runs {
			if run.Case != c.Name || run.Server != s.Name || run.FailedWith != "" || run.Load == nil || run.Load.Rate == nil {
				continue
			}
			h, err := hdrhistogram.Decode([]byte(run.Load.Rate.Histogram))
			if err != nil {
				continue // its percentiles are in the table
			}
			if all == nil {
				all = h
			} else {
				all.Merge(h)
			}
		}
		if all == nil || all.TotalCount() == 0 {
			continue
		}
		curves = append(curves, plot.Series{Name: s.Name, Class: r.series(s.Name), Points: curve(all)})
		legend = append(legend, legendEntry{s.Name, r.series(s.Name)})
	}
	return curves, legend
}

// curve goes as far as ten requests lie beyond a percentile: fewer are chance.
func curve(h *hdrhistogram.Histogram) (points []plot.Point) {
	for step := 0; ; step++ {
		beyond := math.Pow(10, -float64(step)/8) // eight points for each nine
		if beyond*float64(h.TotalCount()) < 10 && step > 0 {
			return points
		}
		percent := 100 * (1 - beyond)
		us := h.ValueAtQuantile(percent)
		if step == 0 {
			us = h.Min()
		}
		points = append(points, plot.Point{X: percent, Y: max(float64(us), 1) / 1e3})
	}
}

// counts are the charts of all cases of a kind over the number of connections: what the servers held, and how long a wake took.
func counts(r *results, kind string) (section, bool) {
	id, below := "memory", "idle connections"
	if kind == waiting {
		id, below = "waiting", "waiting clients"
	}
	s := section{ID: id, Title: "Over the number of " + below}
	const memory = "Memory of the process tree"
	lines := r.overCounts(kind, func(run runRecord, add func(count int, v float64)) {
		add(0, float64(run.RSSBefore))
		add(run.Connections, float64(run.RSSAfter))
	})
	if len(lines) == 0 {
		return s, false
	}
	for _, line := range lines {
		s.Legend = append(s.Legend, legendEntry{line.Name, line.Class})
	}
	s.Figures = []figurePlot{{memory, template.HTML(plot.Memory(memory, below, lines))}}
	if kind == waiting {
		const time = "Time until the last is woken"
		lines := r.overCounts(kind, func(run runRecord, add func(count int, v float64)) {
			for _, wake := range run.Wakes {
				add(run.Connections, float64(wake)/1e6)
			}
		})
		s.Figures = append(s.Figures, figurePlot{time, template.HTML(plot.Time(time, below, lines))})
	}
	return s, true
}

// overCounts are the medians of what figure adds of the good runs of a kind's cases, a line for each server. The cases of Python's applications, which have one
// number of connections, are left out.
func (r *results) overCounts(kind string, figure func(run runRecord, add func(count int, v float64))) (lines []plot.Series) {
	shown := map[string]bool{}
	for _, c := range r.Cases {
		shown[c.Name] = c.Kind == kind && c.App == ""
	}
	for _, server := range r.Servers {
		at := map[int][]float64{}
		for _, run := range r.Runs {
			if run.Server == server.Name && shown[run.Case] && run.Connections > 0 && run.FailedWith == "" {
				figure(run, func(count int, v float64) { at[count] = append(at[count], v) })
			}
		}
		line := plot.Series{Name: server.Name, Class: r.series(server.Name)}
		for count, values := range at {
			line.Points = append(line.Points, plot.Point{X: float64(count), Y: median(values)})
		}
		if len(line.Points) == 0 {
			continue
		}
		slices.SortFunc(line.Points, func(a, b plot.Point) int { return int(a.X - b.X) })
		lines = append(lines, line)
	}
	return lines
}
