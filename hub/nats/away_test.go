package nats_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/weirhttp/weir/hub/nats"
)

// lines is what is logged.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// TestRefusedLater: a server that no longer takes the password is a line in the log, however often it is tried, and the store goes on when it does again.
func TestRefusedLater(t *testing.T) {
	e, err := startEngine(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { e.stop() }()
	restart := func(password string) {
		t.Helper()
		e.stop()
		e.options.Username, e.options.Password = "me", password
		if err := e.start(); err != nil {
			t.Fatal(err)
		}
	}
	restart("secret")
	between := newGate(t, e.Addr().String())
	var log lines
	n := newNode(t, nats.Options{Servers: fmt.Sprintf("nats://me:secret@%s", between.Addr()), Stream: "weir", Log: slog.New(slog.NewTextHandler(&log, nil))})
	n.await(true)
	restart("other")
	until(t, "the store to name the option", func() bool {
		err := n.store.Ready()
		return err != nil && strings.Contains(err.Error(), "not connected: ") && strings.Contains(err.Error(), "Options.Credentials")
	})
	said := log.String()
	before := between.connections()
	until(t, "further attempts", func() bool { return between.connections() > before+5 })
	if more := strings.TrimPrefix(log.String(), said); strings.Count(more, "\n") > 3 || // an attempt may fail otherwise on a slow machine
		strings.Contains(log.String(), "secret") {
		t.Errorf("it goes on to say:\n%s", more)
	}
	restart("secret")
	n.await(true)
	n.publish("news", "again")
}
