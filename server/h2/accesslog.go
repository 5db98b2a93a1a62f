package h2

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/weirhttp/weir/server/accesslog"
)

// journal is the access log of requests, which are answered on goroutines of their own.
type journal struct {
	mu     sync.Mutex
	scribe *accesslog.Scribe // guarded by mu
}

func newJournal(log *accesslog.Log) *journal { return &journal{scribe: log.Scribe()} }

// begin returns the notes for a request that begins.
func (j *journal) begin() (notes accesslog.Notes) {
	if j.scribe.Wants().Time {
		notes.Begun = accesslog.Now()
	}
	return notes
}

// append logs a request, and what was sent of its answer, which has this header.
func (j *journal) append(r *http.Request, notes accesslog.Notes, header http.Header, status int, octets int64) {
	if !j.scribe.Picks(status) {
		return
	}
	line := make([]byte, 0, len(r.Method)+len(r.RequestURI)+len(r.Proto)+2)
	line = append(append(append(line, r.Method...), ' '), r.RequestURI...)
	line = append(append(line, ' '), r.Proto...)
	e := accesslog.Entry{RequestLine: line, Status: status, Octets: octets, Notes: notes}
	wants := j.scribe.Wants()
	for _, name := range wants.In {
		e.In = append(e.In, []byte(r.Header.Get(name)))
	}
	for _, name := range wants.Out {
		e.Out = append(e.Out, header.Get(name))
	}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		e.Remote = a.Addr().Unmap()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.scribe.Append(int64(time.Since(start)), &e)
}
