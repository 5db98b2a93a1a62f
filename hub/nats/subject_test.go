package nats_test

import (
	"strings"
	"testing"
	"unicode/utf8"

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
	for _, subject := range []string{"weir", "other.a", "weir.%", "weir.%2", "weir.%2e", "weir.%zz"} {
		if topic, ok := nats.TopicOf("weir", subject); ok {
			t.Errorf("%s is that of %q", subject, topic)
		}
	}
}

// FuzzSubject: a topic is had back from its subject, which is one that NATS takes and nobody's pattern.
func FuzzSubject(f *testing.F) {
	for _, topic := range []string{"a", "a.b", "..", ".a.", "*", "a>", "% %", "\t", "日本", "%2E"} {
		f.Add(topic)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		if topic == "" || !utf8.ValidString(topic) {
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
