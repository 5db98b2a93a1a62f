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

// append logs a request, and what was sent of its answer.
func (j *journal) append(r *http.Request, status int, octets int64) {
	line := make([]byte, 0, len(r.Method)+len(r.RequestURI)+len(r.Proto)+2)
	line = append(append(append(line, r.Method...), ' '), r.RequestURI...)
	line = append(append(line, ' '), r.Proto...)
	e := accesslog.Entry{
		RequestLine: line, Status: status, Octets: octets,
		Referer: []byte(r.Header.Get("Referer")), UserAgent: []byte(r.Header.Get("User-Agent")),
	}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		e.Remote = a.Addr().Unmap()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.scribe.Append(int64(time.Since(start)), &e)
}
