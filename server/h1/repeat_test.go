package h1_test

import (
	"io"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server/h1"
)

// described answers with what the environ says of the request.
func described(environ *app.Environ, start app.StartResponse) app.Body {
	content, err := io.ReadAll(environ.Input())
	if err != nil {
		panic(err)
	}
	color, _ := environ.Header("Color")
	start("200 OK", nil)
	return app.String(strings.Join([]string{environ.Method(), string(environ.Path()), string(environ.Query()), string(color), string(content)}, " "))
}

// TestRepeat has requests come again and again: those whose heads are equal are not parsed again, and nothing else is different.
func TestRepeat(t *testing.T) {
	get := func(path, color string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: a\r\nColor: " + color + "\r\n\r\n"
	}
	post := func(content string) string {
		return "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n" + content
	}
	long := get("/l", strings.Repeat("x", h1.MaxRepeat))
	forwarded := "GET /f HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n" // the connection decides what becomes of the field
	tests := []struct {
		name       string
		inputs     []string // each in an event of its own
		want       []string
		remembered string // after the last
	}{
		{"once", []string{get("/a?b", "red")}, []string{"GET /a b red "}, ""},
		{"equal", []string{get("/a?b", "red"), get("/a?b", "red"), get("/a?b", "red")}, []string{"GET /a b red ", "GET /a b red ", "GET /a b red "}, get("/a?b", "red")},
		{"equal, pipelined", []string{strings.Repeat(get("/a", "red"), 3)}, []string{"GET /a  red ", "GET /a  red ", "GET /a  red "}, get("/a", "red")},
		{"as long", []string{get("/a", "red"), get("/a", "red"), get("/a", "tan"), get("/a", "red")},
			[]string{"GET /a  red ", "GET /a  red ", "GET /a  tan ", "GET /a  red "}, get("/a", "red")},
		{"of another length", []string{get("/a", "red"), get("/a", "red"), get("/a", "blue")}, []string{"GET /a  red ", "GET /a  red ", "GET /a  blue "}, ""},
		{"other content", []string{post("one"), post("two"), post("six"), post("ten")}, []string{"POST /p   one", "POST /p   two", "POST /p   six", "POST /p   ten"},
			strings.TrimSuffix(post("ten"), "ten")},
		{"in pieces", []string{get("/a", "red"), get("/a", "red"), get("/a", "red")[:9], get("/a", "red")[9:]}, []string{"GET /a  red ", "GET /a  red ", "GET /a  red "},
			get("/a", "red")},
		{"empty lines between", []string{get("/a", "red"), "\r\n", get("/a", "red"), "\r\n" + get("/a", "red"), get("/a", "red")},
			[]string{"GET /a  red ", "GET /a  red ", "GET /a  red ", "GET /a  red "}, ""},
		{"of a client behind a proxy", []string{forwarded, forwarded, forwarded}, []string{"GET /f   ", "GET /f   ", "GET /f   "}, ""},
		{"too long", []string{long, long, long}, []string{"GET /l  " + strings.Repeat("x", h1.MaxRepeat) + " ",
			"GET /l  " + strings.Repeat("x", h1.MaxRepeat) + " ", "GET /l  " + strings.Repeat("x", h1.MaxRepeat) + " "}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t, described, nil)
			c := h.dial()
			for _, in := range test.inputs {
				c.Feed([]byte(in))
			}
			got, err := readAll(c.out.Bytes(), nil, false)
			if err != nil || len(got) != len(test.want) {
				t.Fatalf("%d answers, %v; want %d", len(got), err, len(test.want))
			}
			for i, r := range got {
				if r.status != 200 || r.body != test.want[i] {
					t.Errorf("answer %d is %d %q, want %q", i+1, r.status, r.body, test.want[i])
				}
			}
			if head := h1.Remembered(h.protocol); head != test.remembered {
				t.Errorf("remembered is %q, want %q", head, test.remembered)
			}
		})
	}
}

// TestRepeatWithOtherLimits has the limits of now count for a head that was right under those before.
func TestRepeatWithOtherLimits(t *testing.T) {
	h := newHouse(t, described, nil)
	request := []byte("GET /" + strings.Repeat("a", 100) + " HTTP/1.1\r\nHost: a\r\n\r\n")
	c := h.dial()
	for range 3 {
		c.Feed(request)
	}
	strict := *h.config
	strict.Limits.RequestLine = 50
	h.protocol.Reload(&strict)
	c.out.Reset()
	c.Feed(request)
	got, err := readAll(c.out.Bytes(), nil, true)
	if err != nil || len(got) != 1 || got[0].status != 414 {
		t.Errorf("answered %v, %v", got, err)
	}
}

// TestRepeatThenTimeout refuses a request of which the head never came whole; it is not the HEAD that was before.
func TestRepeatThenTimeout(t *testing.T) {
	h := newHouse(t, described, nil)
	c := h.dial()
	for range 3 {
		c.Feed([]byte("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"))
	}
	c.out.Reset()
	c.Feed([]byte("HE"))
	c.timeout()
	got, err := readAll(c.out.Bytes(), nil, true)
	if err != nil || len(got) != 1 || got[0].status != 408 || got[0].body == "" {
		t.Errorf("answered %v, %v", got, err)
	}
}
