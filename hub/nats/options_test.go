package nats_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/hub/nats"
)

// TestOptions: what is wrong is named, and passwords are not.
func TestOptions(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	const servers = "nats://127.0.0.1:1"
	for _, c := range []struct {
		options nats.Options
		names   string
	}{
		{nats.Options{}, "Options.Servers"},
		{nats.Options{Servers: "127.0.0.1:4222"}, "Options.Servers"},
		{nats.Options{Servers: "http://127.0.0.1:4222"}, "Options.Servers"},
		{nats.Options{Servers: "nats://me:secret@"}, "Options.Servers"},
		{nats.Options{Servers: "nats://me:secret@host:x"}, "Options.Servers"},
		{nats.Options{Servers: servers + ","}, "Options.Servers"},
		{nats.Options{Servers: servers, Stream: "a.b"}, "Options.Stream"},
		{nats.Options{Servers: servers, Stream: "a b"}, "Options.Stream"},
		{nats.Options{Servers: servers, Replicas: 6}, "Options.Replicas"},
		{nats.Options{Servers: servers, History: hub.MemoryOptions{Messages: -1}}, "Options.History.Messages"},
		{nats.Options{Servers: servers, History: hub.MemoryOptions{Age: time.Millisecond}}, "Options.History.Age"},
		{nats.Options{Servers: servers, History: hub.MemoryOptions{TotalBytes: -1}}, "Options.History.TotalBytes"},
		{nats.Options{Servers: servers, PublishTimeout: -1}, "Options.PublishTimeout"},
		{nats.Options{Servers: servers, Credentials: "none.creds"}, "Options.Credentials"},
		{nats.Options{Servers: servers, CA: "none.pem"}, "Options.CA"},
		{nats.Options{Servers: servers, CA: text}, "Options.CA"},
		{nats.Options{Servers: servers, Certificate: text}, "Options.Certificate"},
		{nats.Options{Servers: servers, Certificate: text, Key: text}, "Options.Certificate"},
	} {
		s, err := nats.Open(c.options)
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.names) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v gives %v", c.options, err)
		}
	}
}
