// Package accesslog writes a line for each request. Loops format lines into buffers of their own, and one goroutine
// writes them: a slow disk costs lines, never a loop's time.
package accesslog

import (
	"fmt"
	"strings"
)

// Format is the form of a line: one of the names below, or a text with gunicorn's atoms, such as
//
//	%(h)s %(t)s "%(r)s" %(s)s %(D)s %({x-request-id}o)s
//
// docs/logs.md lists them.
type Format string

// Formats, as other servers have them under these names.
const (
	// Common is: host ident authuser [date] "request line" status bytes.
	Common Format = "common"
	// Combined is Common, and the Referer and User-Agent fields behind it.
	Combined Format = "combined"
	// JSON is an object a line. docs/logs.md lists its keys.
	JSON Format = "json"
)

// Who the client says it is, was never looked at: ident and authuser are not known.
const (
	commonText   = `%(h)s - - %(t)s "%(r)s" %(s)s %(b)s`
	combinedText = commonText + ` "%(f)s" "%(a)s"`
)

// Check refuses what is no format.
func (f Format) Check() error {
	_, err := f.compile()
	return err
}

// form is a format as it is used: a sequence of atoms, or JSON.
type form struct {
	json  bool
	atoms []atom
	wants Wants
}

func (f Format) compile() (*form, error) {
	switch f {
	case Common:
		return compileText(commonText)
	case Combined:
		return compileText(combinedText)
	case JSON:
		return &form{json: true, wants: Wants{In: jsonIn, Out: jsonOut, Time: true}}, nil
	}
	if !strings.Contains(string(f), "%") {
		return nil, fmt.Errorf("access log format %q, want common, combined, json, or a text with atoms such as %%(h)s", string(f))
	}
	return compileText(string(f))
}

// append appends the line of e, with its line end. now is when the request ended, as Now tells; 0: not known.
func (f *form) append(b []byte, s *stamp, e *Entry, now int64, weight int) []byte {
	if f.json {
		return appendJSON(b, s, e, now, weight)
	}
	return append(f.appendAtoms(b, s, e, now), '\n')
}
