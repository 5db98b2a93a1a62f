package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/weirhttp/weir/python"
	"github.com/weirhttp/weir/server"
)

// What somebody at a terminal is told at the start and at the end. Elsewhere it is the first line alone, without colour: programs read it.

// summary is what weir tells of itself when it serves.
type summary struct {
	workers string // what the workers are; "": there are none
}

// describe notes what the workers are.
func (s *summary) describe(o python.Options, py *python.Interpreter) {
	calls := ""
	switch o.Class {
	case python.Threads:
		calls = fmt.Sprintf(" of %d calls", o.Threads)
	case python.Gevent:
		calls = fmt.Sprintf(" of %d calls", o.Connections)
	}
	s.workers = fmt.Sprintf("%d, class %s%s, Python %s (%s)", o.Workers, o.Class, calls, py.Version, py.Path)
	if o.Develop {
		s.workers += ", started anew when files change"
	}
}

// announce prints that weir serves, and on a terminal what matters of how it does.
func (f *serveFlags) announce(serving string, urls []string, s *server.Server) {
	ink := inkFor(os.Stdout)
	_, _ = io.WriteString(os.Stdout, f.announcement(serving, urls, s.MaxConnections(), ink)) // nobody may be reading
}

func (f *serveFlags) announcement(serving string, urls []string, connections int, ink ink) string {
	if !ink.terminal {
		return serving + "\n"
	}
	first := serving
	for _, url := range urls {
		first = strings.Replace(first, url, ink.paint(bold, url), 1)
	}
	var text strings.Builder
	line := func(name, value string) {
		fmt.Fprintf(&text, "  %s  %s\n", ink.paint(faint, fmt.Sprintf("%-13s", name)), value)
	}
	text.WriteString(first + "\n")
	if f.summary.workers != "" {
		line("workers", f.summary.workers)
	}
	line("limits", fmt.Sprintf("%d connections; at the end %v for what runs", connections, f.GracefulTimeout))
	line("access log", cmp.Or(f.AccessLog, "none"))
	if f.admin != nil {
		line("operators", f.admin.Address())
	}
	file := f.Config
	if file == "" && exists(defaultConfig) {
		file = defaultConfig
	}
	line("configuration", cmp.Or(file, "no file"))
	line("end", "with Ctrl-C")
	return text.String()
}

// farewell prints the last line. err is what has gone wrong.
func farewell(line string, err error) {
	ink, colour := inkFor(os.Stdout), green
	if err != nil {
		colour = red
	}
	fmt.Println(ink.paint(colour, line))
}

// answers tells how many requests s has answered, where they are counted (--admin); "" elsewhere. s has ended.
func answers(s *server.Server) string {
	if s == nil || !s.Config().CountRequests {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond) // for a loop that does not end
	defer cancel()
	var n uint64
	for status, count := range s.Statistics(ctx).Requests.Answered {
		if status > 0 {
			n += count
		}
	}
	return fmt.Sprintf(" and %d requests", n)
}

// ink is what a file is written with.
type ink struct{ terminal, coloured bool }

// inkFor tells whether a file is a terminal, and whether that is to be coloured (https://no-color.org).
func inkFor(file *os.File) ink {
	terminal := term.IsTerminal(int(file.Fd()))
	return ink{terminal, terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// Codes of ECMA-48, SGR.
const (
	bold  = "1"
	faint = "2"
	red   = "31"
	green = "32"
)

func (i ink) paint(code, text string) string {
	if !i.coloured {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
