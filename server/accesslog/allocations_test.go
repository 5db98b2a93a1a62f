//go:build !race

package accesslog_test

import (
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/weirhttp/weir/server/accesslog"
)

// TestNoAllocations: a line costs none, in whatever page it lands. The race detector has pools forget.
func TestNoAllocations(t *testing.T) {
	for _, format := range []accesslog.Format{accesslog.Combined, accesslog.JSON, `%(h)s %(t)s "%(r)s" %(m)s %(q)s %(s)s %(b)s %(L)s %({x}i)s`} {
		log := accesslog.New(io.Discard, accesslog.Options{Format: format, Logger: slog.New(slog.DiscardHandler)})
		s := log.Scribe()
		lines := [2][]byte{[]byte("GET /plaintext HTTP/1.1"), []byte("GET /another?x=y HTTP/1.1")}
		e := &accesslog.Entry{Remote: netip.MustParseAddr("192.0.2.7"), Status: 200, Octets: 13, In: [][]byte{[]byte("a")}}
		e.Begun = accesslog.Now()
		now := int64(0)
		if n := testing.AllocsPerRun(20_000, func() {
			now += int64(time.Microsecond)
			e.RequestLine = lines[now/1000%2]
			s.Append(now, e)
		}); n != 0 {
			t.Errorf("%s: %v allocations a line", format, n)
		}
		log.Close()
	}
}
