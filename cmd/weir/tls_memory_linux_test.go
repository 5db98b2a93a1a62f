package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestTLSIdleMemory: what a connection costs that has had its requests and waits for the next one, when the process has become quiet. -v
// prints it, of ten times as many.
func TestTLSIdleMemory(t *testing.T) {
	connections := int64(500)
	if testing.Verbose() {
		connections = 5000
	}
	pair := certificate(t, "localhost")
	for _, tt := range []struct {
		name    string
		version uint16 // 0: without TLS
		content int
		http2   bool
		bar     int64 // what was measured, with room for what is there once
	}{
		{"TLS 1.3", tls.VersionTLS13, 0, false, 12 << 10},
		{"TLS 1.2", tls.VersionTLS12, 0, false, 12 << 10},
		{"TLS 1.3, after records of full size", tls.VersionTLS13, 40 << 10, false, 30 << 10},
		{"HTTP 2", tls.VersionTLS13, 0, true, 36 << 10},
		{"HTTP 2 without TLS", 0, 0, true, 30 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !testing.Verbose() {
				t.Parallel()
			}
			flags := pair.flags()
			if tt.version == 0 {
				flags = []string{"--h2c"}
			}
			p := start(t, nil, append([]string{"demo", "-b", "127.0.0.1:0"}, flags...)...)
			config := &tls.Config{RootCAs: pair.roots, ServerName: "localhost", MinVersion: tt.version, MaxVersion: tt.version, DynamicRecordSizingDisabled: true}
			ask := askHTTP1
			if tt.http2 {
				config.NextProtos = []string{"h2"}
				ask = askHTTP2
			}
			open := func(n int64) {
				for range n {
					c, err := net.DialTimeout("tcp", p.at[0], patience)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = c.Close() })
					if tt.version != 0 {
						c = tls.Client(c, config)
					}
					ask(t, c, tt.content)
				}
			}
			open(connections / 25) // warm up what is there once
			first := p.resident()
			open(connections)
			each, quiet := (p.resident()-first)/connections, time.Now().Add(quietRest+2*quietPeriod)
			for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
				each = (p.resident() - first) / connections
				if each <= tt.bar && (!testing.Verbose() || time.Now().After(quiet)) {
					break
				}
			}
			t.Logf("%d octets each", each)
			if each > tt.bar {
				t.Errorf("an idle connection costs %d octets, want at most %d", each, tt.bar)
			}
		})
	}
}

// askHTTP1 sends so much content by HTTP/1.1, and reads it back.
func askHTTP1(t *testing.T, c net.Conn, content int) {
	request, _ := http.NewRequest("POST", "http://localhost/echo", bytes.NewReader(make([]byte, content)))
	var all bytes.Buffer // in one piece, so that the records are as long as can be
	_ = request.Write(&all)
	if _, err := c.Write(all.Bytes()); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(c), request)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, response.Body); err != nil || n != int64(content) {
		t.Fatal(n, err)
	}
}

// askHTTP2 is askHTTP1 by HTTP/2.
func askHTTP2(t *testing.T, c net.Conn, content int) {
	const frame = 16 << 10
	var block bytes.Buffer
	fields := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/echo"}, {"accept", "*/*"}} {
		_ = fields.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	frames := http2.NewFramer(c, bufio.NewReader(c))
	_, err := io.WriteString(c, http2.ClientPreface)
	if err == nil {
		err = frames.WriteSettings()
	}
	if err == nil {
		err = frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: content == 0})
	}
	for left := content; left > 0 && err == nil; left -= frame {
		err = frames.WriteData(1, left <= frame, make([]byte, min(frame, left)))
	}
	for got := 0; ; {
		if err != nil {
			t.Fatal(err)
		}
		var f http2.Frame
		if f, err = frames.ReadFrame(); err != nil {
			continue
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = frames.WriteSettingsAck()
			}
		case *http2.DataFrame:
			got += len(f.Data())
		}
		if h := f.Header(); h.StreamID == 1 && h.Flags.Has(http2.FlagDataEndStream) {
			if got != content {
				t.Fatalf("%d octets came back, want %d", got, content)
			}
			return
		}
	}
}
