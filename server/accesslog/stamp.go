package accesslog

import (
	"bytes"
	"net/netip"
	"time"
)

// stamp is what lines have in common that one loop writes within a second: their time, and often their client and what it asks for.
type stamp struct {
	date    []byte // strftime's [%d/%b/%Y:%H:%M:%S %z]
	opening []byte // of an object of JSON
	until   int64  // in the loop's time

	remote     netip.Addr
	remoteText []byte

	line, members []byte // a request line, and what it is in JSON
}

// maxLine bounds the request lines that are kept.
const maxLine = 256

// renew reads the time again when a second is over. now is the loop's time in nanoseconds, whatever its origin.
func (s *stamp) renew(now int64) {
	if now < s.until {
		return
	}
	wall := time.Now()
	s.set(wall)
	s.until = now + int64(time.Second) - int64(wall.Nanosecond())
}

func (s *stamp) set(wall time.Time) {
	s.date = wall.AppendFormat(s.date[:0], "[02/Jan/2006:15:04:05 -0700]")
	s.opening = wall.UTC().AppendFormat(append(s.opening[:0], `{"time":"`...), time.RFC3339)
	s.opening = append(s.opening, '"')
}

// appendLine appends a request line as members of an object.
func (s *stamp) appendLine(b, line []byte) []byte {
	if len(line) > 0 && bytes.Equal(line, s.line) {
		return append(b, s.members...)
	}
	begin := len(b)
	b = appendMembers(b, line)
	if len(line) <= maxLine {
		s.line, s.members = append(s.line[:0], line...), append(s.members[:0], b[begin:]...)
	}
	return b
}

// appendRemote appends a client's address; a dash where there is none.
func (s *stamp) appendRemote(b []byte, a netip.Addr) []byte {
	if a != s.remote || len(s.remoteText) == 0 {
		s.remote = a
		if a.IsValid() {
			s.remoteText = a.AppendTo(s.remoteText[:0])
		} else {
			s.remoteText = append(s.remoteText[:0], '-')
		}
	}
	return append(b, s.remoteText...)
}
