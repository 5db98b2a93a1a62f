package server_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/accesslog"
)

// TestAccessLog: many clients on several loops, and all of their lines when the server has ended.
func TestAccessLog(t *testing.T) {
	before := runtime.NumGoroutine()
	var out bytes.Buffer // written by one goroutine, and read when that has ended
	s := serve(t, server.Config{Loops: 2, Application: plain("content"), AccessLog: &out, AccessLogFormat: accesslog.Common})
	const clients, requests = 8, 500
	var group sync.WaitGroup
	for range clients {
		c := s.dial()
		group.Go(func() {
			for range requests {
				ask(t, c, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
			}
		})
	}
	group.Wait()
	s.hangUp()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	line := regexp.MustCompile(`^127\.0\.0\.1 - - \[[^]]+\] "GET /x HTTP/1\.1" 200 7\n$`)
	n := 0
	for got := range strings.Lines(out.String()) {
		if n++; !line.MatchString(got) {
			t.Fatalf("got %q", got)
		}
	}
	if n != clients*requests {
		t.Errorf("%d lines, want %d", n, clients*requests)
	}
	noGoroutinesLeft(t, before)
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// stuck is a writer that does not return until it is closed.
type stuck chan struct{}

func (w stuck) Write(p []byte) (int, error) {
	<-w
	return len(p), nil
}

// TestAccessLogTrouble: a log that cannot be written is of no concern to clients.
func TestAccessLogTrouble(t *testing.T) {
	blocked := make(stuck)
	defer close(blocked)
	for name, w := range map[string]io.Writer{"failing": broken{}, "blocked": blocked} {
		t.Run(name, func(t *testing.T) {
			var messages bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&messages, nil))
			s := serve(t, server.Config{Application: plain("content"), AccessLog: w, Logger: logger})
			c := s.dial()
			for range 3000 { // more than what a page holds
				if _, body := ask(t, c, "GET /"+strings.Repeat("x", 100)+" HTTP/1.1\r\nHost: a\r\n\r\n"); body != "content" {
					t.Fatalf("got %q", body)
				}
			}
			s.hangUp()
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			if n := strings.Count(messages.String(), "level=ERROR"); name == "failing" && n != 1 {
				t.Errorf("%d messages: %s", n, messages.String())
			}
		})
	}
}

func TestAccessLogFormat(t *testing.T) {
	_, err := server.New(server.Config{Application: plain(""), AccessLogFormat: "xml"})
	if err == nil || !strings.Contains(err.Error(), "AccessLogFormat") || !strings.Contains(err.Error(), "xml") {
		t.Errorf("got %v", err)
	}
}
