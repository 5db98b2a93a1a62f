package httpparse

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"testing"
)

const shortGet = "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"

func browserGet(tb testing.TB) []byte {
	tb.Helper()
	head, err := os.ReadFile("testdata/browser-get.http")
	if err != nil {
		tb.Fatal(err)
	}
	return head
}

func benchmarkParse(b *testing.B, head []byte) {
	limits := DefaultLimits()
	var r Request
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset()
		if n, err := r.Parse(head, &limits); n != len(head) || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkBrowserGet(b *testing.B) { benchmarkParse(b, browserGet(b)) }

func BenchmarkShortGet(b *testing.B) { benchmarkParse(b, []byte(shortGet)) }

// BenchmarkBrowserGetNetHTTP is what BenchmarkBrowserGet is compared with.
func BenchmarkBrowserGetNetHTTP(b *testing.B) {
	head := browserGet(b)
	source := bytes.NewReader(head)
	reader := bufio.NewReader(source)
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		source.Reset(head)
		reader.Reset(source)
		if _, err := http.ReadRequest(reader); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkChunked decodes 64 KiB in chunks of 1 KiB.
func BenchmarkChunked(b *testing.B) {
	chunk := append([]byte("400\r\n"), bytes.Repeat([]byte("x"), 1024)...)
	chunk = append(chunk, "\r\n"...)
	body := append(bytes.Repeat(chunk, 64), "0\r\n\r\n"...)
	limits := DefaultLimits()
	var c Chunked
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		c.Reset()
		decoded := 0
		for rest, done := body, false; !done; {
			var data []byte
			var n int
			var err error
			data, n, done, err = c.Decode(rest, &limits)
			if err != nil {
				b.Fatal(err)
			}
			rest = rest[n:]
			decoded += len(data)
		}
		if decoded != 64<<10 {
			b.Fatal(decoded)
		}
	}
}
