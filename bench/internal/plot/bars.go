package plot

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Bar is a figure with the bounds of its interval.
type Bar struct {
	Label            string
	Value, Low, High float64
	Mine             bool // stands out
}

const (
	leastLabels = 88 // units on the left of bars
	mostLabels  = 160
	letter      = 6  // of a label, about
	values      = 52 // on the right of bars
	pitch       = 24
	thick       = 13
)

// Bars draws one below the other, all from zero.
func Bars(title, unit string, bars []Bar) string {
	most, labels := 0.0, float64(leastLabels)
	var said []string
	for _, b := range bars {
		most = max(most, b.Value, b.High)
		labels = min(max(labels, float64(letter*utf8.RuneCountInString(shortened(b.Label))+8)), mostLabels)
		said = append(said, fmt.Sprintf("%s %s (%s to %s)", b.Label, Short(b.Value), Short(b.Low), Short(b.High)))
	}
	if most == 0 {
		most = 1
	}
	var d drawing
	height := float64(len(bars)*pitch + 4)
	d.begin(height, title, strings.Join(said, "; ")+"; "+unit)
	at := func(v float64) float64 { return labels + v/most*(width-labels-values) }
	d.line("axis", labels, 0, labels, height)
	for i, b := range bars {
		middle := float64(i*pitch) + pitch/2 + 2
		class := "bar"
		if b.Mine {
			class = "bar mine"
		}
		d.text("label", "end", labels-6, middle+4, shortened(b.Label))
		d.rect(class, labels, middle-thick/2, at(b.Value)-labels, thick)
		if b.High > b.Low {
			d.line("whisker", at(b.Low), middle, at(b.High), middle)
			d.line("whisker", at(b.Low), middle-4, at(b.Low), middle+4)
			d.line("whisker", at(b.High), middle-4, at(b.High), middle+4)
		}
		d.text("value", "start", max(at(b.Value), at(b.High))+5, middle+4, Short(b.Value))
	}
	return d.end()
}

// shortened is a label that there is room for.
func shortened(label string) string {
	const most = (mostLabels - 8) / letter
	if letters := []rune(label); len(letters) > most {
		return string(letters[:most-1]) + "…"
	}
	return label
}
