package nats_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/hub/nats"
	"github.com/weirhttp/weir/hub/storetest"
)

// patience is how long what must happen is waited for.
const patience = 30 * time.Second

// engine is a NATS server in this process, at a port of its own that stays when it is started again.
type engine struct {
	*server.Server
	options server.Options
}

func startEngine(dir string) (*engine, error) {
	e := &engine{options: server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true}}
	return e, e.start()
}

func (e *engine) start() (err error) {
	options := e.options
	if e.Server, err = server.NewServer(&options); err != nil {
		return err
	}
	e.Start()
	if !e.ReadyForConnections(patience) {
		return fmt.Errorf("the server does not start")
	}
	e.options.Port = options.Port
	return nil
}

func (e *engine) stop() {
	e.Shutdown()
	e.WaitForShutdown()
}

// shared is the server of the tests that do not stop it.
var shared *engine

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "weir-nats-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if shared, err = startEngine(dir); err != nil {
			panic(err)
		}
		defer shared.stop()
		return m.Run()
	}())
}

func open(t *testing.T, o nats.Options) *nats.Store {
	t.Helper()
	if o.Servers == "" {
		o.Servers = shared.ClientURL()
	}
	s, err := nats.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

var streams int

// newStream is the name of a stream that no other test has.
func newStream() string {
	streams++
	return fmt.Sprint("stream", streams)
}

func TestConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T, bounds hub.MemoryOptions) hub.Store {
		return open(t, nats.Options{Stream: newStream(), History: bounds})
	})
}

// TestTooLarge: a message that NATS does not take by its own bound is too large, and NATS is not away.
func TestTooLarge(t *testing.T) {
	e := &engine{options: server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true, MaxPayload: 1000}}
	if err := e.start(); err != nil {
		t.Fatal(err)
	}
	defer func() { e.stop() }()
	n := newNode(t, nats.Options{Servers: e.ClientURL(), Stream: "weir"})
	n.await(true)
	r, err := http.Post(n.url+"/publish/news", "", strings.NewReader(strings.Repeat("x", 2000)))
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != 413 {
		t.Errorf("publishing gives %s", r.Status)
	}
	n.publish("news", "small")
}
