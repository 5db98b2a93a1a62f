package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	hello     = "Hello, World!"
	bytesSize = 65536
	grace     = 5 * time.Second // for the answers to the last requests
)

// An exchange is a request, and what the answer to it must be. Every client in this program makes its requests here.
type exchange struct {
	method, target string
	kind           string // prefix of the Content-Type, "" for any
	content        string // that is sent
	check          func(content []byte) error
	bare           bool // the answer needs neither Server nor Date: some servers of Python's applications send none
}

var block = strings.Repeat("0123456789abcdef", 1<<16)

// exchangeOf is what a route owes, asked for at target. size is that of the content, where the route takes one.
func exchangeOf(route, target string, size int) exchange {
	x := exchange{method: "GET", target: target}
	switch route {
	case "plaintext":
		x.kind, x.check = "text/plain", equals(hello)
	case "hello": // any framework's
		x.check, x.bare = equals(hello), true
	case "json":
		x.kind, x.check = "application/json", isMessage
	case "echo":
		x.method, x.content = "POST", block[:size]
		x.check = equals(x.content)
	case "bytes":
		x.check = hasLength(bytesSize)
	case "sleep":
		x.check, x.bare = func([]byte) error { return nil }, true
	}
	return x
}

func equals(want string) func([]byte) error {
	return func(content []byte) error {
		if string(content) != want {
			return fmt.Errorf("bad response: %d octets, %.40q, want %d, %.40q", len(content), content, len(want), want)
		}
		return nil
	}
}

func hasLength(want int) func([]byte) error {
	return func(content []byte) error {
		if len(content) != want {
			return fmt.Errorf("bad response: %d octets, want %d", len(content), want)
		}
		return nil
	}
}

func isMessage(content []byte) error {
	var got struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(content, &got); err != nil || got.Message != hello {
		return fmt.Errorf("bad response: %.60q", content)
	}
	return nil
}

// answered judges a response as far as it is the same for all servers.
func (x exchange) answered(status int, content []byte) error {
	if status != 200 {
		return fmt.Errorf("bad response: status %d", status)
	}
	return x.check(content)
}

// bytes are the request. Beside what is asked for it has only a Host.
func (x exchange) bytes(addr string, closing bool) []byte {
	text := x.method + " " + x.target + " HTTP/1.1\r\nHost: " + addr + "\r\n"
	if closing {
		text += "Connection: close\r\n"
	}
	if x.method == "POST" {
		text += "Content-Length: " + strconv.Itoa(len(x.content)) + "\r\n"
	}
	return []byte(text + "\r\n" + x.content)
}
