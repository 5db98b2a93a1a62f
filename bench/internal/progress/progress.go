// Package progress shows how far a long run is.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const cells = 24

// A Bar is a line on a terminal, with the time that is left, below the lines that are printed meanwhile. Where there is no terminal it
// only passes those on. One goroutine.
type Bar struct {
	out      io.Writer
	terminal bool
	total    time.Duration // as was guessed before
	done     time.Duration // of the guess
	now      func() time.Duration
}

// New begins a bar on the file. total is a guess of how long the run takes.
func New(file *os.File, total time.Duration) *Bar {
	begun := time.Now()
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return &Bar{out: file, terminal: err == nil, total: total, now: func() time.Duration { return time.Since(begun) }}
}

// Step says that a part is done that was guessed to take so long, and prints a line about it.
func (b *Bar) Step(part time.Duration, line string) {
	b.done += part
	b.Line(line)
}

// Line prints a line above the bar.
func (b *Bar) Line(line string) {
	if !b.terminal {
		fmt.Fprintln(b.out, line)
		return
	}
	fmt.Fprintf(b.out, "\r\x1b[K%s\n%s", line, b.text())
}

// End takes the bar away.
func (b *Bar) End() {
	if b.terminal {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}

func (b *Bar) text() string {
	share := 0.0
	if b.total > 0 {
		share = min(float64(b.done)/float64(b.total), 1)
	}
	full := int(share * cells)
	return fmt.Sprintf("[%s%s] %3.0f %%, %s", strings.Repeat("#", full), strings.Repeat(".", cells-full), 100*share, b.left())
}

// left trusts the guess for its proportions only: what has been done tells how long they really take.
func (b *Bar) left() string {
	if b.done <= 0 {
		return "about " + round(b.total) + " left"
	}
	rest := max(b.total-b.done, 0)
	return "about " + round(time.Duration(float64(b.now())*float64(rest)/float64(b.done))) + " left"
}

func round(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}
