package plot

import (
	"fmt"
	"math"
	"strings"
)

// A Series is a line. Its class is the page's: series-N.
type Series struct {
	Name   string
	Class  string
	Points []Point
}

// A Point is of a share in percent and milliseconds, or of connections and bytes or milliseconds.
type Point struct{ X, Y float64 }

const (
	left, right = 46, 8
	top, bottom = 8, 34
	tall        = 240
)

// An axis places values between two coordinates.
type axis struct {
	from, to     float64 // coordinates
	least, most  float64
	ticks        []float64
	name         func(float64) string
	transforming func(float64) float64
}

func (a axis) at(v float64) float64 {
	low, high := a.transforming(a.least), a.transforming(a.most)
	return a.from + (a.transforming(v)-low)/(high-low)*(a.to-a.from)
}

func same(v float64) float64 { return v }

// nines is HdrHistogram's axis: each further nine of a percentile takes as much room as the one before.
func nines(percent float64) float64 { return -math.Log10(max(1-percent/100, 1e-9)) }

// Latency draws percentiles: X in percent, below 100, and Y in milliseconds, on a logarithmic axis.
func Latency(title string, all []Series) string {
	x := axis{from: left, to: width - right, least: 0, most: 90, transforming: nines, ticks: []float64{0}}
	least, most := math.Inf(1), math.Inf(-1)
	var said []string
	for _, s := range all {
		for _, p := range s.Points {
			x.most = max(x.most, p.X)
			if p.Y > 0 {
				least, most = min(least, p.Y), max(most, p.Y)
			}
		}
		said = append(said, s.Name+" "+at99(s.Points))
	}
	for _, tick := range []float64{90, 99, 99.9, 99.99, 99.999} {
		if tick <= x.most+1e-9 {
			x.ticks = append(x.ticks, tick)
		}
	}
	x.name = func(v float64) string { return trimPercent(v) + " %" }
	y := axis{from: tall - bottom, to: top, transforming: math.Log10, name: milliseconds}
	if least > most {
		least, most = 0.1, 1
	}
	first, last := math.Floor(math.Log10(least)), math.Ceil(math.Log10(most))
	last = max(last, first+1)
	y.least, y.most = math.Pow(10, first), math.Pow(10, last)
	for e := first; e <= last; e++ {
		y.ticks = append(y.ticks, math.Pow(10, e))
	}
	return lines(title, strings.Join(said, "; "), "percentile", x, y, all)
}

func at99(points []Point) string {
	for _, p := range points {
		if p.X >= 99 {
			return milliseconds(p.Y) + " at " + trimPercent(p.X) + " %"
		}
	}
	return "without a 99th percentile"
}

func trimPercent(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.5g", v), ".0") }

func milliseconds(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 1:
		return fmt.Sprintf("%.3g µs", v*1000)
	case v < 1000:
		return fmt.Sprintf("%.3g ms", v)
	}
	return fmt.Sprintf("%.3g s", v/1000)
}

// Memory draws bytes over connections.
func Memory(title, below string, all []Series) string {
	return overCounts(title, below, 1<<20, mebibytes, all)
}

// Time draws milliseconds over connections.
func Time(title, below string, all []Series) string {
	return overCounts(title, below, 1, milliseconds, all)
}

// overCounts draws over connections what has round numbers in units.
func overCounts(title, below string, unit float64, name func(float64) string, all []Series) string {
	mostX, mostY := 0.0, 0.0
	var said []string
	for _, s := range all {
		for _, p := range s.Points {
			mostX, mostY = max(mostX, p.X), max(mostY, p.Y)
		}
		if n := len(s.Points); n > 0 {
			said = append(said, fmt.Sprintf("%s %s with %s connections", s.Name, name(s.Points[n-1].Y), Short(s.Points[n-1].X)))
		}
	}
	x := axis{from: left, to: width - right - 10, transforming: same, ticks: steps(mostX, 4), name: Short}
	x.most = x.ticks[len(x.ticks)-1]
	y := axis{from: tall - bottom, to: top, transforming: same, name: name}
	for _, tick := range steps(mostY/unit, 4) {
		y.ticks = append(y.ticks, tick*unit)
	}
	y.most = y.ticks[len(y.ticks)-1]
	return lines(title, strings.Join(said, "; "), below, x, y, all)
}

func mebibytes(v float64) string { return Short(v/(1<<20)) + " MiB" }

func lines(title, description, below string, x, y axis, all []Series) string {
	var d drawing
	d.begin(tall, title, description)
	for _, tick := range y.ticks {
		d.line("grid", x.from, y.at(tick), x.to, y.at(tick))
		d.text("tick", "end", x.from-5, y.at(tick)+4, y.name(tick))
	}
	for i, tick := range x.ticks {
		d.line("grid", x.at(tick), y.from, x.at(tick), y.to)
		anchor := "middle"
		if i == len(x.ticks)-1 && x.at(tick) > width-20 {
			anchor = "end"
		}
		d.text("tick", anchor, x.at(tick), y.from+14, x.name(tick))
	}
	d.text("tick", "middle", (x.from+x.to)/2, tall-4, below)
	for _, s := range all {
		var points []point
		for _, p := range s.Points {
			points = append(points, point{x.at(p.X), y.at(max(p.Y, y.least))})
		}
		d.path("line "+s.Class, points)
	}
	return d.end()
}
