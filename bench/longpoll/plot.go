package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The picture has two panels beside each other, both with logarithmic axes: memory and wake time over the waiters.
const (
	plotWidth   = 860
	plotHeight  = 400
	panelWidth  = 340
	panelHeight = 270
	panelTop    = 50
)

// plotColors are readable on white and on black; servers take them in the order of the rows.
var plotColors = []string{"#2f7ed8", "#e0662a", "#2f9e58", "#a25bd0"}

const plotStyle = `  <style>
    .back { fill: #ffffff } .ink { fill: #24292f } .axis { stroke: #24292f } .grid { stroke: #d0d7de }
    text { font: 12px sans-serif } .title { font-size: 14px; font-weight: bold }
    @media (prefers-color-scheme: dark) {
      .back { fill: #0d1117 } .ink { fill: #e6edf3 } .axis { stroke: #e6edf3 } .grid { stroke: #30363d }
    }
  </style>
`

// An axis maps values to a length, logarithmically, from the first of its ticks to the last.
type axis struct {
	ticks  []float64
	length float64
}

// newAxis has ticks at 1, 2 and 5 times the powers of ten around values.
func newAxis(values []float64, length float64) axis {
	if len(values) == 0 {
		return axis{[]float64{1, 10}, length}
	}
	least, most := slices.Min(values), slices.Max(values)
	var ticks []float64
	for power := math.Pow(10, math.Floor(math.Log10(least))); ; power *= 10 {
		for _, factor := range []float64{1, 2, 5} {
			tick := factor * power
			if tick <= least {
				ticks = []float64{tick} // the first one is the last below all values
				continue
			}
			ticks = append(ticks, tick)
			if tick >= most {
				return axis{ticks, length}
			}
		}
	}
}

func (a axis) at(v float64) float64 {
	low, high := math.Log(a.ticks[0]), math.Log(a.ticks[len(a.ticks)-1])
	return (math.Log(v) - low) / (high - low) * a.length
}

// A curve is a server's values over the number of waiters.
type curve struct {
	server string
	color  string
	x, y   []float64
}

// curves are those of value; a logarithmic axis has no place for values that are not positive.
func curves(points []*point, value func(*point) []float64) []curve {
	var all []curve
	index := make(map[string]int)
	for _, p := range points {
		at, known := index[p.server]
		if !known {
			at = len(all)
			index[p.server] = at
			all = append(all, curve{server: p.server, color: plotColors[at%len(plotColors)]})
		}
		if v := median(value(p)); v > 0 {
			all[at].x, all[at].y = append(all[at].x, float64(p.waiters)), append(all[at].y, v)
		}
	}
	return all
}

// plot draws the series as an SVG document.
func plot(points []*point) string {
	memory := curves(points, func(p *point) []float64 { return p.bytes })
	wakes := curves(points, func(p *point) []float64 { return p.wakes })
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		plotWidth, plotHeight, plotWidth, plotHeight, "Memory for each waiting client, and the time until one message has woken all, over the number of waiting clients")
	b.WriteString(plotStyle)
	fmt.Fprintf(&b, `  <rect class="back" width="%d" height="%d"/>`+"\n", plotWidth, plotHeight)
	panel(&b, 70, "memory for each waiter, bytes", memory)
	panel(&b, 490, "until all are woken, ms", wakes)
	x := 70.0
	for _, c := range memory {
		if len(c.x) == 0 {
			continue // nothing of it was measured
		}
		fmt.Fprintf(&b, `  <rect x="%.0f" y="375" width="14" height="4" fill="%s"/><text class="ink" x="%.0f" y="381">%s</text>`+"\n", x, c.color, x+20, c.server)
		x += 60 + 8*float64(len(c.server))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func panel(b *strings.Builder, left float64, title string, all []curve) {
	var xs, ys []float64
	for _, c := range all {
		xs, ys = append(xs, c.x...), append(ys, c.y...)
	}
	across, up := newAxis(xs, panelWidth), newAxis(ys, panelHeight)
	fmt.Fprintf(b, `  <g transform="translate(%.0f %d)">`+"\n", left, panelTop)
	fmt.Fprintf(b, `    <text class="ink title" x="0" y="-18">%s</text>`+"\n", title)
	for _, v := range across.ticks {
		fmt.Fprintf(b, `    <line class="grid" x1="%.1f" y1="0" x2="%.1f" y2="%d"/>`, across.at(v), across.at(v), panelHeight)
		fmt.Fprintf(b, `<text class="ink" text-anchor="middle" x="%.1f" y="%d">%s</text>`+"\n", across.at(v), panelHeight+18, tickLabel(v))
	}
	for _, v := range up.ticks {
		y := panelHeight - up.at(v)
		fmt.Fprintf(b, `    <line class="grid" x1="0" y1="%.1f" x2="%d" y2="%.1f"/>`, y, panelWidth, y)
		fmt.Fprintf(b, `<text class="ink" text-anchor="end" x="-8" y="%.1f">%s</text>`+"\n", y+4, tickLabel(v))
	}
	fmt.Fprintf(b, `    <path class="axis" fill="none" d="M0 0V%dH%d"/>`+"\n", panelHeight, panelWidth)
	fmt.Fprintf(b, `    <text class="ink" text-anchor="middle" x="%d" y="%d">waiting clients</text>`+"\n", panelWidth/2, panelHeight+36)
	for _, c := range all {
		var path []string
		for i := range c.x {
			x, y := across.at(c.x[i]), panelHeight-up.at(c.y[i])
			path = append(path, fmt.Sprintf("%.1f,%.1f", x, y))
			fmt.Fprintf(b, `    <circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"><title>%s: %.4g at %.0f</title></circle>`+"\n", x, y, c.color, c.server, c.y[i], c.x[i])
		}
		fmt.Fprintf(b, `    <polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>`+"\n", c.color, strings.Join(path, " "))
	}
	b.WriteString("  </g>\n")
}

func tickLabel(v float64) string {
	if v >= 1 {
		return thousands(int(v + 0.5))
	}
	return fmt.Sprintf("%.2g", v)
}
