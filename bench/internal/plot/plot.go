// Package plot draws charts as SVG, for a page that has their styles. A chart is 360 units wide, so that on a phone its text is as large as
// the page's. Colours are classes: series-N, of the page's own palette.
package plot

import (
	"fmt"
	"html"
	"math"
	"strings"
)

const width = 360

// drawing is an SVG that is being written.
type drawing struct{ b strings.Builder }

// begin names the chart for those who do not see it: the title says what it is, the description what it shows.
func (d *drawing) begin(height float64, title, description string) {
	fmt.Fprintf(&d.b, `<svg viewBox="0 0 %d %s" role="img" aria-label="%s" xmlns="http://www.w3.org/2000/svg">`+"\n", width, coordinate(height), html.EscapeString(title+". "+description))
	fmt.Fprintf(&d.b, "<title>%s</title>\n<desc>%s</desc>\n", html.EscapeString(title), html.EscapeString(description))
}

func (d *drawing) end() string {
	d.b.WriteString("</svg>\n")
	return d.b.String()
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&d.b, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`+"\n", class, coordinate(x1), coordinate(y1), coordinate(x2), coordinate(y2))
}

func (d *drawing) rect(class string, x, y, w, h float64) {
	fmt.Fprintf(&d.b, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"/>`+"\n", class, coordinate(x), coordinate(y), coordinate(max(w, 0)), coordinate(h))
}

func (d *drawing) text(class, anchor string, x, y float64, text string) {
	fmt.Fprintf(&d.b, `<text class="%s" text-anchor="%s" x="%s" y="%s">%s</text>`+"\n", class, anchor, coordinate(x), coordinate(y), html.EscapeString(text))
}

func (d *drawing) path(class string, points []point) {
	d.b.WriteString(`<polyline class="` + class + `" points="`)
	for i, p := range points {
		if i > 0 {
			d.b.WriteByte(' ')
		}
		d.b.WriteString(coordinate(p.x) + "," + coordinate(p.y))
	}
	d.b.WriteString("\"/>\n")
}

type point struct{ x, y float64 }

// coordinate writes a tenth of a unit, which nobody sees.
func coordinate(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}

// steps are round numbers from 0 up to at least most, about count of them.
func steps(most float64, count int) []float64 {
	if !(most > 0) || math.IsInf(most, 0) {
		return []float64{0, 1}
	}
	rough := most / float64(count)
	size := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, factor := range []float64{1, 2, 2.5, 5, 10} {
		if size*factor >= rough*0.999 {
			size *= factor
			break
		}
	}
	var all []float64
	for i := 0; ; i++ {
		all = append(all, float64(i)*size)
		if float64(i)*size >= most*0.999 {
			return all
		}
	}
}

// Short writes a number in four characters or so.
func Short(v float64) string {
	switch {
	case math.Abs(v) >= 1e6:
		return trimmed(v/1e6) + "M"
	case math.Abs(v) >= 1e4:
		return trimmed(v/1e3) + "k"
	}
	return trimmed(v)
}

func trimmed(v float64) string {
	decimals := 0
	switch a := math.Abs(v); {
	case a < 10:
		decimals = 2
	case a < 100:
		decimals = 1
	}
	s := fmt.Sprintf("%.*f", decimals, v)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
