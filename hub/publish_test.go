package hub_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/weirhttp/weir/hub"
)

func TestPublisher(t *testing.T) {
	h := newHub(t, hub.Options{MaxMessage: 10})
	l := newLoop()
	held := l.ask(h.Poll("/poll/"), "GET", "/poll/a", nil)
	publisher := h.Publisher("/publish/")
	for _, c := range []struct {
		method, target string
		content        io.Reader
		status, answer string
	}{
		{"POST", "/publish/a", strings.NewReader("0123456789"), "200 OK", "{\"id\":101,\"reached\":1}\n"},
		{"POST", "/publish/a", strings.NewReader(""), "200 OK", "{\"id\":102,\"reached\":0}\n"},
		{"POST", "/publish/b/c", io.MultiReader(strings.NewReader("0123456789")), "200 OK", "{\"id\":103,\"reached\":0}\n"},
		{"POST", "/publish/a", strings.NewReader("0123456789a"), "413 Content Too Large", "the message is too large\n"},
		{"POST", "/publish/a", io.MultiReader(strings.NewReader("0123456789a")), "413 Content Too Large", ""},
		{"POST", "/publish/a", iotest.ErrReader(io.ErrUnexpectedEOF), "400 Bad Request", "the content has not come whole\n"},
		{"POST", "/publish/", strings.NewReader(""), "400 Bad Request", "the request names no topic\n"},
		{"POST", "/publish/%01", strings.NewReader(""), "400 Bad Request", "a topic's name"},
		{"POST", "/publish/a?topic=b", strings.NewReader(""), "400 Bad Request", "a message is published to one topic\n"},
		{"GET", "/publish/a", nil, "405 Method Not Allowed", "this page answers POST\n"},
		{"PUT", "/publish/a", strings.NewReader(""), "405 Method Not Allowed", "this page answers POST\n"},
	} {
		x := l.ask(publisher, c.method, c.target, c.content)
		status, answer := x.result()
		if status != c.status || !strings.HasPrefix(answer, c.answer) {
			t.Errorf("%s %s: got %s, %q", c.method, c.target, status, answer)
		}
		if strings.HasPrefix(status, "405") && x.field("Allow") != "POST" {
			t.Errorf("Allow is %q", x.field("Allow"))
		}
	}
	l.drain()
	if _, content := held.result(); parse(t, content).Data != "0123456789" {
		t.Errorf("got %q", content)
	}
}

// TestPublishCopies: the publisher may use its octets again.
func TestPublishCopies(t *testing.T) {
	h := newHub(t, hub.Options{})
	data := []byte("text")
	if _, _, err := h.Publish("a", data); err != nil {
		t.Fatal(err)
	}
	copy(data, "xxxx")
	_, content := newLoop().ask(h.Poll("/"), "GET", "/a?since=0", nil).result()
	if parse(t, content).Data != "text" {
		t.Errorf("got %q", content)
	}
}

func TestPublishRefuses(t *testing.T) {
	h := newHub(t, hub.Options{MaxMessage: 3, MaxTopicName: 3})
	for _, c := range []struct {
		topic, data string
		err         error
	}{
		{"abc", "abc", nil},
		{"a", "abcd", hub.ErrTooLarge},
		{"abcd", "", hub.ErrTopic},
		{"", "", hub.ErrTopic},
		{"\t", "", hub.ErrTopic},
		{"\x7f", "", hub.ErrTopic},
		{"\xff", "", hub.ErrTopic},
	} {
		if _, _, err := h.Publish(c.topic, []byte(c.data)); !errors.Is(err, c.err) {
			t.Errorf("%q, %q: %v, want %v", c.topic, c.data, err, c.err)
		}
	}
}
