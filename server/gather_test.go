package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// echoAll answers with the content, by another way for each path.
func echoAll(environ *app.Environ, start app.StartResponse) app.Body {
	switch string(environ.Path()) {
	case "/last":
		start("200 OK", nil)
		return nil
	case "/blocking":
		return app.Blocking(echoContent)(environ, start)
	case "/detached":
		environ.Detach()
	case "/deferred":
		content, _ := io.ReadAll(environ.Input())
		_ = environ.Defer().Answer(&app.Response{Status: "200 OK", Content: content})
		return nil
	}
	return echoContent(environ, start)
}

func echoContent(environ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", nil)
	if content, whole := environ.Input().View(); whole {
		return environ.Bytes(content)
	}
	return app.ReaderN(environ.Input(), environ.ContentLength())
}

// TestContentMemory: clients that send much at a time, and some that go away in the middle of it, share a memory that is too small for all. What
// the others get is what they sent, and in the end none of the memory is in use.
func TestContentMemory(t *testing.T) {
	// Content of up to 256 KiB is read whole, at most 8 such at a time.
	config := server.Config{Application: echoAll, ContentMemory: 2 << 20, Loops: 2}
	plain := serve(t, config)
	config.TLS, config.NoHTTP2 = &server.TLS{}, true
	encrypted := serveTLS(t, config)
	all := make([]byte, 500_000)
	for i := range all {
		all[i] = byte(i ^ i>>8*31 ^ i>>16*57)
	}
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(i)))
			dial := func() (net.Conn, error) { return net.Dial("tcp", plain.Addresses()[0]) }
			if i%3 == 0 {
				dial = func() (net.Conn, error) { return tls.Dial("tcp", encrypted.Addresses()[0], encrypted.client) }
			}
			if err := upload(random, dial, all); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	group.Wait()
	for _, s := range []*running{plain, encrypted.running} {
		until(t, "memory to be given back", func() bool {
			if s == plain {
				ask(t, s.dial(), "GET /last HTTP/1.1\r\nHost: a\r\n\r\n") // a loop remembers the last call that it has made
			} else {
				getOver(t, encrypted.connect(encrypted.socket()), "/last")
			}
			runtime.GC()
			return s.Statistics(context.Background()).ContentMemory == 0
		})
	}
}

// upload has content echoed some times, of random sizes, in random pieces, with a request behind it at times.
func upload(random *rand.Rand, dial func() (net.Conn, error), all []byte) error {
	c, err := dial()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	for range 12 {
		offset := random.IntN(1000)
		content := all[offset:][:random.IntN(400_000)]
		path := []string{"/", "/blocking", "/detached", "/deferred"}[random.IntN(4)]
		sent := append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", path, len(content)), content...)
		answers := 1
		if random.IntN(3) == 0 {
			sent = append(sent, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nbehind"...)
			answers = 2
		}
		if random.IntN(4) == 0 {
			_, _ = c.Write(sent[:random.IntN(len(sent))])
			_ = c.Close()
			if c, err = dial(); err != nil {
				return err
			}
			in.Reset(c)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		failed := make(chan error, 1)
		go func() {
			for rest := sent; len(rest) > 0; {
				n, err := c.Write(rest[:min(len(rest), 10_000+len(sent)/3)])
				if rest = rest[n:]; err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
		for i := range answers {
			response, err := http.ReadResponse(in, nil)
			if err != nil {
				return err
			}
			got, err := io.ReadAll(response.Body)
			if err != nil {
				return err
			}
			if want := [][]byte{content, []byte("behind")}[i]; !bytes.Equal(got, want) {
				return fmt.Errorf("%s: %d octets came back, not the %d that were sent", path, len(got), len(want))
			}
		}
		if err := <-failed; err != nil {
			return err
		}
	}
	return nil
}
