package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
)

// TestTLSIdleMemory: what a connection costs that has had its requests and waits for the next one. -v prints it.
func TestTLSIdleMemory(t *testing.T) {
	const (
		connections = 400
		before      = 100 // warm up what is there once
	)
	pair := certificate(t, "localhost")
	for _, tt := range []struct {
		name    string
		version uint16
		content int
		bar     int64 // what was measured, with room for garbage that is not collected yet
	}{
		{"TLS 1.3", tls.VersionTLS13, 0, 16 << 10},
		{"TLS 1.2", tls.VersionTLS12, 0, 12 << 10},
		{"TLS 1.3, after records of full size", tls.VersionTLS13, 256 << 10, 34 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := start(t, nil, append([]string{"demo", "-b", "127.0.0.1:0"}, pair.flags()...)...)
			content := make([]byte, tt.content)
			open := func() {
				raw, err := net.DialTimeout("tcp", p.at[0], patience)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = raw.Close() })
				c := tls.Client(raw, &tls.Config{RootCAs: pair.roots, ServerName: "localhost", MinVersion: tt.version, MaxVersion: tt.version})
				request, _ := http.NewRequest("POST", "http://localhost/echo", bytes.NewReader(content))
				if err := request.Write(c); err != nil {
					t.Fatal(err)
				}
				response, err := http.ReadResponse(bufio.NewReader(c), request)
				if err != nil {
					t.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, response.Body); err != nil || n != int64(tt.content) {
					t.Fatal(n, err)
				}
			}
			for range before {
				open()
			}
			first := p.resident()
			for range connections {
				open()
			}
			each := (p.resident() - first) / connections
			t.Logf("%d octets each", each)
			if each > tt.bar {
				t.Errorf("an idle connection costs %d octets, want at most %d", each, tt.bar)
			}
		})
	}
}
