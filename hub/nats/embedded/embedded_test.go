package embedded_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/hub/nats"
	"github.com/weirhttp/weir/hub/nats/embedded"
)

const patience = 30 * time.Second

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// member is a node of a cluster of servers in the process, with its store.
type member struct {
	t       *testing.T
	options embedded.Options
	server  *embedded.Server
	store   *nats.Store

	mu  sync.Mutex
	got []string
}

func (m *member) start() {
	m.t.Helper()
	var err error
	if m.server, err = embedded.Start(m.options); err != nil {
		m.t.Fatal(err)
	}
	if m.store, err = nats.Open(nats.Options{InProcess: m.server, User: m.server.User(), Replicas: 3, PublishTimeout: patience, Log: silent}); err != nil {
		m.t.Fatal(err)
	}
	m.store.Notify(func(message hub.Message) int {
		m.mu.Lock()
		defer m.mu.Unlock()
		if message.ID != 0 {
			m.got = append(m.got, string(message.Data))
		}
		return 0
	})
}

func (m *member) stop() {
	_ = m.store.Close()
	m.server.Stop()
}

// await waits until the member has got these messages since it was started.
func (m *member) await(want []string) {
	m.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		m.mu.Lock()
		got := slices.Clone(m.got)
		m.mu.Unlock()
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) || len(got) > len(want) {
			m.t.Fatalf("%s has got %q, want %q; it is %v", m.options.Name, got, want, m.store.Ready())
		}
	}
}

func (m *member) ready() {
	m.t.Helper()
	for deadline := time.Now().Add(patience); m.store.Ready() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatal(m.store.Ready())
		}
	}
}

// TestCluster: three that have a password have one stream, and one of them may go and come back.
func TestCluster(t *testing.T) {
	var addresses []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, "me:secret@"+l.Addr().String())
		_ = l.Close()
	}
	members := make([]*member, 3)
	for i := range members {
		members[i] = &member{t: t, options: embedded.Options{Dir: t.TempDir(), ClusterListen: addresses[i], Routes: strings.Join(addresses, ","),
			Name: fmt.Sprint("member", i), Log: silent}}
		members[i].start()
		defer func() { members[i].stop() }()
	}
	for _, m := range members {
		m.ready()
	}
	var want []string
	publish := func(by ...*member) {
		t.Helper()
		for i := range 10 {
			data := fmt.Sprint(len(want))
			if _, _, err := by[i%len(by)].store.Append("news", []byte(data)); err != nil {
				t.Fatal(err)
			}
			want = append(want, data)
		}
	}
	publish(members...)
	for _, m := range members {
		m.await(want)
	}
	members[2].stop()
	publish(members[:2]...)
	for _, m := range members[:2] {
		m.await(want)
	}
	again := members[2]
	again.got = nil
	again.start()
	again.ready()
	page, err := again.store.Read("news", 0, 100)
	if err != nil || len(page.Messages) != len(want) {
		t.Fatalf("one that has come back has %+v, %v", page, err)
	}
	before := len(want)
	publish(again)
	again.await(want[before:])
	members[0].await(want)
}

// TestLock: two servers do not write into one directory.
func TestLock(t *testing.T) {
	o := embedded.Options{Dir: t.TempDir(), Log: silent}
	first, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := embedded.Start(o); err == nil || !strings.Contains(err.Error(), "used by another process") {
		t.Errorf("the second gives %v", err)
		if err == nil {
			second.Stop()
		}
	}
	first.Stop()
	again, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	again.Stop()
}

// TestOptions: what is wrong is named, and passwords are not.
func TestOptions(t *testing.T) {
	for _, c := range []struct {
		options embedded.Options
		names   string
	}{
		{embedded.Options{Listen: "x"}, "Options.Listen"},
		{embedded.Options{Listen: "127.0.0.1:70000"}, "Options.Listen"},
		{embedded.Options{Routes: "127.0.0.1:1"}, "Options.ClusterListen"},
		{embedded.Options{ClusterListen: "me:secret@host"}, "Options.ClusterListen"},
		{embedded.Options{ClusterListen: "me:secret@%zz:1"}, "Options.ClusterListen"},
		{embedded.Options{ClusterListen: "http://127.0.0.1:0"}, "Options.ClusterListen"},
		{embedded.Options{ClusterListen: "127.0.0.1:0", Routes: "a:1,me:secret@b"}, "Options.Routes"},
		{embedded.Options{ClusterListen: "127.0.0.1:0", Certificate: "none", Key: "none"}, "Options.Certificate"},
	} {
		c.options.Log = silent
		s, err := embedded.Start(c.options)
		if err == nil {
			s.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), c.names) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v gives %v", c.options, err)
		}
	}
}
