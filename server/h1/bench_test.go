package h1_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/h1"
	"github.com/weirhttp/weir/server/tally"
)

var (
	hello        = []byte("Hello, World!")
	plainHeaders = []app.Header{{Name: "Content-Type", Value: "text/plain"}}
)

func plaintext(environ *app.Environ, start app.StartResponse) app.Body {
	if string(environ.Path()) != "/plaintext" {
		start("404 Not Found", nil)
		return nil
	}
	start("200 OK", plainHeaders)
	return environ.Bytes(hello)
}

// benchmarkPlaintext sends requests with this query, of which a # is a digit that differs from one to the next.
func benchmarkPlaintext(b *testing.B, pipelined int, query string, change func(*h1.Config)) {
	var request []byte
	for i := range pipelined {
		query := strings.ReplaceAll(query, "#", strconv.Itoa(i%10))
		request = fmt.Appendf(request, "GET /plaintext%s HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n", query)
	}
	c := dial(b, plaintext, change)
	b.ReportAllocs()
	for b.Loop() {
		c.Feed(request)
		c.out.Reset()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*pipelined), "ns/request")
}

// tallied has requests counted.
func tallied(c *h1.Config) { c.Tally = tally.NewBoard(1) }

func BenchmarkPlaintext(b *testing.B)                   { benchmarkPlaintext(b, 1, "", nil) }
func BenchmarkPlaintextCounted(b *testing.B)            { benchmarkPlaintext(b, 1, "", tallied) }
func BenchmarkPlaintextPipelined16(b *testing.B)        { benchmarkPlaintext(b, 16, "", nil) }
func BenchmarkPlaintextPipelined16Varied(b *testing.B)  { benchmarkPlaintext(b, 16, "?page=#", nil) }
func BenchmarkPlaintextPipelined16Counted(b *testing.B) { benchmarkPlaintext(b, 16, "", tallied) }
