package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/weirhttp/weir/server/gateway"
)

// heard is what a connection made of its input.
type heard struct {
	output string
	calls  int // of the application
	open   bool
}

// hear feeds a fresh connection, and ends its input. Nothing runs on a goroutine.
func hear(t *testing.T, format gateway.Format, pieces [][]byte) heard {
	h := newHouse(t)
	h.config.ContentBuffer, h.config.MaxContent = 1<<20, 1<<20
	c := h.dial(format)
	for _, p := range pieces {
		c.Feed(p)
		h.loop.RunPosted()
	}
	open := c.isOpen()
	c.EOF()
	h.loop.RunPosted()
	c.Reset()
	return heard{c.out.String(), h.calls, open}
}

// fuzz feeds octets to connections of a format, whole and split at random, and has judge look at what comes back.
func fuzz(f *testing.F, format gateway.Format, seeds [][]byte, judge func(h heard) error) {
	for _, s := range seeds {
		f.Add(s, uint64(1))
	}
	f.Fuzz(func(t *testing.T, input []byte, seed uint64) {
		whole := hear(t, format, [][]byte{input})
		if err := judge(whole); err != nil && !strings.HasPrefix(whole.output, "HTTP/1.1 400 Bad Request\r\nConnection: close") {
			t.Fatalf("%q: %v", input, err)
		}
		if split := hear(t, format, pieces(rand.New(rand.NewPCG(seed, 0)), input)); split != whole {
			t.Fatalf("%q:\nwhole %+v\nsplit %+v", input, whole, split)
		}
	})
}

var get = []pair{{"CONTENT_LENGTH", "0"}, {"REQUEST_METHOD", "GET"}, {"REQUEST_URI", "/a?b"}, {"HTTP_X_Y", "z"}, {"SCRIPT_NAME", "/a"}}
var post = []pair{{"CONTENT_LENGTH", "5"}, {"REQUEST_METHOD", "POST"}, {"PATH_INFO", "/a"}, {"HTTPS", "on"}}

func FuzzUWSGI(f *testing.F) {
	fuzz(f, gateway.UWSGI, [][]byte{
		uwsgiPacket(0, get), append(uwsgiPacket(30, post), "hello"...), {100, 0, 0, 0}, []byte("GET / HTTP/1.1\r\n\r\n"),
	}, func(h heard) error {
		if h.output == "d\x00\x00\x01" {
			return nil
		}
		return judgeOne(h, h.output)
	})
}

func FuzzSCGI(f *testing.F) {
	fuzz(f, gateway.SCGI, [][]byte{netstring(get), append(netstring(post), "hello"...), []byte("5:a\x00b\x00c,")}, func(h heard) error {
		rest, ok := strings.CutPrefix(h.output, "Status: ")
		if !ok && h.output != "" {
			return fmt.Errorf("the answer is %q", h.output)
		}
		if ok {
			rest = "HTTP/1.1 " + rest
		}
		return judgeOne(h, rest)
	})
}

// judgeOne tells what is wrong with a response, which is to be the only one.
func judgeOne(h heard, response string) error {
	if h.calls > 1 {
		return fmt.Errorf("the application was called %d times", h.calls)
	}
	if response == "" {
		return nil // parked
	}
	if _, err := http.ReadResponse(bufio.NewReader(strings.NewReader(response)), nil); err != nil {
		return fmt.Errorf("the answer is %q: %w", response, err)
	}
	return nil
}

func FuzzFastCGI(f *testing.F) {
	request := func(id uint16, pairs []pair, content string) []byte {
		b := append(record(1, id, []byte{0, 1, 1, 0, 0, 0, 0, 0}, 0), record(4, id, block(pairs), 3)...)
		b = append(b, record(4, id, nil, 0)...)
		if content != "" {
			b = append(b, record(5, id, []byte(content), 0)...)
		}
		return append(b, record(5, id, nil, 0)...)
	}
	fuzz(f, gateway.FastCGI, [][]byte{
		append(request(1, get, ""), request(2, post, "hello")...),
		bytes.Join([][]byte{record(9, 0, []byte("\x0e\x00FCGI_MAX_CONNS"), 0), record(1, 1, []byte{0, 1, 1, 0, 0, 0, 0, 0}, 0), request(2, get, ""), record(2, 1, nil, 0)}, nil),
		record(77, 0, []byte("abc"), 2), record(1, 3, []byte{0, 3, 0, 0, 0, 0, 0, 0}, 0),
	}, func(h heard) error {
		lines, err := readRecords([]byte(h.output))
		ends := 0
		for _, line := range lines {
			if strings.HasPrefix(line, "end ") && strings.HasSuffix(line, " 0") {
				ends++
			}
		}
		if err == nil && ends < h.calls && h.open && !strings.Contains(h.output, "parked") {
			err = fmt.Errorf("of %d requests %d have ended", h.calls, ends)
		}
		return err
	})
}
