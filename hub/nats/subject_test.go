package nats_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/hub/nats"
)

func TestSubject(t *testing.T) {
	for topic, want := range map[string]string{
		"news":    "weir.news",
		"a.b.c":   "weir.a.b.c",
		"a..b":    "weir.a.%2Eb",
		".a":      "weir.%2Ea",
		"a.":      "weir.a%2E",
		".":       "weir.%2E",
		"...":     "weir.%2E.%2E",
		"a b":     "weir.a%20b",
		"*":       "weir.%2A",
		"a.>":     "weir.a.%3E",
		"50%":     "weir.50%25",
		"ä/日本":    "weir.ä/日本",
		"$JS.API": "weir.$JS.API",
	} {
		if got := nats.Subject("weir", topic); got != want {
			t.Errorf("the subject of %q is %s, want %s", topic, got, want)
		}
	}
	for _, subject := range []string{"weir", "other.a", "weir.a%0Aevent: b", "weir.%7F", "weir.%C3", "weir.\xff", "weir.\x01", "weir.%", "weir.%2", "weir.%2e", "weir.%zz"} {
		if topic, ok := nats.TopicOf("weir", subject); ok {
			t.Errorf("%s is that of %q", subject, topic)
		}
	}
}

// FuzzSubject: a topic is had back from its subject, which is one that NATS takes and nobody's pattern.
func FuzzSubject(f *testing.F) {
	for _, topic := range []string{"a", "a.b", "..", ".a.", "*", "a>", "% %", "日本", "%2E"} {
		f.Add(topic)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		if topic == "" || !utf8.ValidString(topic) || strings.ContainsFunc(topic, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return
		}
		s := nats.Subject("weir", topic)
		if got, ok := nats.TopicOf("weir", s); !ok || got != topic {
			t.Fatalf("%q has the subject %s, which is that of %q, %v", topic, s, got, ok)
		}
		if strings.ContainsAny(s, " \t\r\n\f\x00*>") {
			t.Errorf("%q has the subject %q", topic, s)
		}
		for token := range strings.SplitSeq(s, ".") {
			if token == "" {
				t.Errorf("%q has the subject %s, with an empty token", topic, s)
			}
		}
	})
}

// FuzzFilter: a pattern stands for the same topics in the hub as in NATS.
func FuzzFilter(f *testing.F) {
	for _, c := range [][2]string{{"a.*", "a.b"}, {">", "."}, {"a.>", "a."}, {"*", ".a"}, {"*.b", "..b"}, {"a.*.c", "a..b.c"}, {"% *.*", "% *.%2A"}, {"a*", "ab"}, {"*..", "a.."}, {"a.>", "a.b.c"}} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, pattern, topic string) {
		if pattern == "" || topic == "" || !utf8.ValidString(pattern+topic) {
			return
		}
		filter := nats.Filter("weir", pattern)
		if strings.Contains(filter, ".>.") {
			return // is no pattern
		}
		m := hub.NewMemory(hub.MemoryOptions{Wildcards: true, First: 1})
		defer m.Close()
		m.Notify(func(hub.Message) int { return 0 })
		if _, _, err := m.Append(topic, nil); err != nil {
			t.Fatal(err)
		}
		page, err := m.ReadMatching(pattern, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(page.Messages) > 0, server.SubjectMatchesFilter(nats.Subject("weir", topic), filter); got != want {
			t.Errorf("%q stands for %q: %v in the hub, %v in NATS (%s)", pattern, topic, got, want, filter)
		}
	})
}
