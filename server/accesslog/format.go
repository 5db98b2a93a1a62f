// Package accesslog writes a line for each request. Loops format lines into buffers of their own, and one goroutine
// writes them: a slow disk costs lines, never a loop's time.
package accesslog

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
)

// Format is the form of a line.
type Format string

// Formats, as other servers have them under these names.
const (
	// Common is: host ident authuser [date] "request line" status bytes.
	Common Format = "common"
	// Combined is Common, and the Referer and User-Agent fields behind it.
	Combined Format = "combined"
)

// Check refuses what is no format.
func (f Format) Check() error {
	if f != Common && f != Combined {
		return fmt.Errorf("access log format %q, want %q or %q", f, Common, Combined)
	}
	return nil
}

// Entry is what there is to say about a request. Its slices are views that Append does not keep, and hold what
// the client has sent, as it is.
type Entry struct {
	Remote             netip.Addr // the zero Addr on Unix sockets
	RequestLine        []byte     // empty: not known
	Status             int        // 0: there was no answer
	Octets             int64      // of content
	Referer, UserAgent []byte     // empty: none; Combined only
}

// Clone returns a copy of e that has no views.
func (e *Entry) Clone() *Entry {
	c := *e
	c.RequestLine, c.Referer, c.UserAgent = bytes.Clone(e.RequestLine), bytes.Clone(e.Referer), bytes.Clone(e.UserAgent)
	return &c
}

// dateLayout is strftime's %d/%b/%Y:%H:%M:%S %z.
const dateLayout = "02/Jan/2006:15:04:05 -0700"

// appendEntry appends the line of e, with its line end. Who the client says it is, was never looked at: ident and
// authuser are not known.
func appendEntry(b []byte, format Format, date []byte, e *Entry) []byte {
	if e.Remote.IsValid() {
		b = e.Remote.AppendTo(b)
	} else {
		b = append(b, '-')
	}
	b = append(append(append(b, " - - ["...), date...), "] "...)
	b = appendQuoted(b, e.RequestLine)
	b = append(b, ' ')
	b = append(appendPositive(b, int64(e.Status)), ' ')
	b = appendPositive(b, e.Octets)
	if format == Combined {
		b = appendQuoted(append(b, ' '), e.Referer)
		b = appendQuoted(append(b, ' '), e.UserAgent)
	}
	return append(b, '\n')
}

func appendPositive(b []byte, n int64) []byte {
	if n == 0 {
		return append(b, '-')
	}
	return strconv.AppendInt(b, n, 10)
}

// appendQuoted appends p between quotes, such that no reader takes a part of it for the end of the field or of the line.
func appendQuoted(b, p []byte) []byte {
	if len(p) == 0 {
		return append(b, `"-"`...)
	}
	b = append(b, '"')
	done := 0
	for i, octet := range p {
		if !unsafeOctet[octet] {
			continue
		}
		b = append(b, p[done:i]...)
		b = append(b, '\\', 'x', hexDigits[octet>>4], hexDigits[octet&15])
		done = i + 1
	}
	b = append(b, p[done:]...)
	return append(b, '"')
}

const hexDigits = "0123456789ABCDEF"

// unsafeOctet has what must not stand in a line as it is: control characters, the quote, the escape character, and what
// is not ASCII, because terminals take some of that for control characters too.
var unsafeOctet = func() (table [256]bool) {
	for octet := range table {
		table[octet] = octet < ' ' || octet >= 0x7f || octet == '"' || octet == '\\'
	}
	return table
}()
