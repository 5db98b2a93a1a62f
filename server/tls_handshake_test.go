package server_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/server"
)

// together keeps what is written behind the greeting.
type together struct {
	net.Conn
	greeted bool
	kept    []byte
}

func (w *together) Write(p []byte) (int, error) {
	if w.greeted {
		w.kept = append(w.kept, p...)
		return len(p), nil
	}
	w.greeted = true
	return w.Conn.Write(p)
}

// TestTLSHalfClosed: a client that says with its part of the handshake that it sends no more gets the answer to what it has sent.
func TestTLSHalfClosed(t *testing.T) {
	s := serveTLS(t, server.Config{Application: plain("answer")})
	for _, notify := range []bool{true, false} {
		t.Run(fmt.Sprint("close_notify ", notify), func(t *testing.T) {
			for range 20 {
				socket := s.socket()
				w := &together{Conn: socket}
				c := s.connect(w)
				if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				if notify {
					if err := c.CloseWrite(); err != nil {
						t.Fatal(err)
					}
					_ = socket.SetDeadline(time.Now().Add(patience)) // which it has moved
				}
				if _, err := socket.Write(w.kept); err != nil {
					t.Fatal(err)
				}
				if err := socket.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				response, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				if text, err := io.ReadAll(response.Body); string(text) != "answer" || err != nil {
					t.Fatalf("received %q, %v", text, err)
				}
				_ = socket.Close()
			}
		})
	}
}

// TestTLSPanic: a function of the configuration that panics costs the handshake, and not the server.
func TestTLSPanic(t *testing.T) {
	certificate, roots := localhost(t)
	var log logged
	s := &encrypted{serve(t, server.Config{
		Application: plain("answer"),
		Logger:      slog.New(slog.NewTextHandler(&log, nil)),
		TLS: &server.TLS{MaxHandshakes: 1, Config: &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName != "localhost" {
				panic("no name that I know")
			}
			return &certificate, nil
		}}},
	}), &tls.Config{RootCAs: roots, ServerName: "localhost"}}
	for range 4 { // each has had the one place of a handshake
		if err := tls.Client(s.socket(), &tls.Config{RootCAs: roots, ServerName: "elsewhere"}).Handshake(); err == nil {
			t.Fatal("the handshake has succeeded")
		}
	}
	if text := getOver(t, s.connect(s.socket()), "/"); text != "answer" {
		t.Errorf("received %q", text)
	}
	if !strings.Contains(log.String(), "no name that I know") {
		t.Errorf("the log has %q", log.String())
	}
}

// TestTLSWithoutHTTP: a certificate that no address would use is a mistake.
func TestTLSWithoutHTTP(t *testing.T) {
	certificate, _ := localhost(t)
	config := server.Config{
		Application: plain(""),
		Bind:        []string{"fastcgi:127.0.0.1:0", "uwsgi:127.0.0.1:0"},
		TLS:         &server.TLS{Config: &tls.Config{Certificates: []tls.Certificate{certificate}}},
	}
	if _, err := server.New(config); err == nil || !strings.Contains(err.Error(), "Config.TLS is for HTTP") {
		t.Errorf("New returned %v", err)
	}
	config.Bind[1] = "127.0.0.1:0"
	s, err := server.New(config)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Shutdown(t.Context())
}
