package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/nethttp"
	"github.com/weirhttp/weir/server"
)

// gateways are the protocols of web servers, and the sockets of their blocks in docs/gateways.md.
var gateways = map[server.Protocol]string{server.UWSGI: "uwsgi.sock", server.FastCGI: "fastcgi.sock", server.SCGI: "scgi.sock"}

// eachGateway runs a test behind nginx with each protocol.
func eachGateway(t *testing.T, config server.Config, test func(t *testing.T, protocol server.Protocol, n *nginx, s *running)) {
	for _, protocol := range []server.Protocol{server.UWSGI, server.FastCGI, server.SCGI} {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			config := config
			path := filepath.Join(t.TempDir(), "s")
			config.Bind, config.Protocol = []string{"unix:" + path}, protocol
			s := serve(t, config)
			test(t, protocol, startNginx(t, gateways[protocol], path), s)
		})
	}
}

// ask asks nginx, and reads the answer whole.
func (n *nginx) ask(t *testing.T, method, path string, body io.Reader, fields ...string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, method, n.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		request.Header.Set(fields[i], fields[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
	}
	return response, string(content)
}

// keys answers with what the environ has.
func keys(environ *app.Environ, start app.StartResponse) app.Body {
	var lines []string
	for key, value := range environ.All() {
		if s, ok := value.(string); ok {
			lines = append(lines, key+"="+s)
		}
	}
	slices.Sort(lines)
	start("200 OK", []app.Header{{Name: "Content-Type", Value: "text/plain"}, {Name: "X-Two", Value: "1"}, {Name: "X-Two", Value: "2"}})
	return app.String(strings.Join(lines, "\n") + "\n")
}

// TestNginx goes through nginx with each protocol.
func TestNginx(t *testing.T) {
	fileContent := bytes.Repeat([]byte("0123456789abcdef"), 50_000)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, fileContent, 0o600); err != nil {
		t.Fatal(err)
	}
	validated := app.Validator(keys)
	application := func(environ *app.Environ, start app.StartResponse) app.Body {
		switch path := string(environ.Path()); path {
		case "/file":
			f, err := os.Open(file)
			if err != nil {
				panic(err)
			}
			start("200 OK", nil)
			return app.FileWrapper(f, 0)
		case "/stream/count", "/count":
			return app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
				n, err := io.Copy(io.Discard, environ.Input())
				start("200 OK", nil)
				return app.String(fmt.Sprint(n, " ", err))
			})(environ, start)
		case "/missing":
			start("404 Not Here", nil)
			return app.String("nothing")
		case "/late":
			d := environ.Defer()
			d.After(time.Millisecond, func() { _ = d.Answer(&app.Response{Status: "200 OK", Content: []byte("late")}) })
			return nil
		case "/panic":
			panic("as asked")
		case "/empty":
			start("204 No Content", nil)
			return nil
		}
		return validated(environ, start)
	}
	var log logged
	config := server.Config{Application: application, AccessLog: &log}
	eachGateway(t, config, func(t *testing.T, protocol server.Protocol, n *nginx, s *running) {
		for round := range 3 { // the same connection, where it is kept
			r, body := n.ask(t, "GET", "/a%20b/c?d=%20&e", nil, "X-Field", "value", "Cookie", "a=b")
			if r.StatusCode != 200 || !slices.Equal(r.Header.Values("X-Two"), []string{"1", "2"}) || r.Header.Get("Server") == "weir" {
				t.Fatalf("round %d: %v", round, r)
			}
			for _, want := range []string{
				"PATH_INFO=/a b/c", "SCRIPT_NAME=", "QUERY_STRING=d=%20&e", "REQUEST_URI=/a%20b/c?d=%20&e", "REQUEST_METHOD=GET",
				"HTTP_X_FIELD=value", "HTTP_COOKIE=a=b", "SERVER_PROTOCOL=HTTP/1.1", "wsgi.url_scheme=http", "REMOTE_ADDR=127.0.0.1",
				"REQUEST_SCHEME=http", "SERVER_SOFTWARE=weir/" + server.Version,
			} {
				if !strings.Contains("\n"+body, "\n"+want+"\n") {
					t.Errorf("there is no %s in\n%s", want, body)
				}
			}
			if strings.Contains(body, "HTTP_CONTENT_LENGTH") || strings.Contains(body, "HTTP_CONTENT_TYPE") {
				t.Errorf("fields of the content are there twice:\n%s", body)
			}
		}
		if r, body := n.ask(t, "HEAD", "/file", nil); r.StatusCode != 200 || r.ContentLength != int64(len(fileContent)) || body != "" {
			t.Errorf("HEAD: %v %q", r, body)
		}
		if r, body := n.ask(t, "GET", "/file", nil); r.StatusCode != 200 || body != string(fileContent) {
			t.Errorf("the file came with %d octets, %v", len(body), r)
		}
		for path, want := range map[string]string{"/missing": "404 nothing", "/late": "200 late", "/empty": "204 ", "/panic": "500 Internal Server Error\n"} {
			if r, body := n.ask(t, "GET", path, nil); fmt.Sprint(r.StatusCode, " ", body) != want {
				t.Errorf("%s: %v %q", path, r, body)
			}
		}
		for _, path := range []string{"/count", "/stream/count"} {
			const size = 5 << 20
			if _, body := n.ask(t, "POST", path, io.LimitReader(anything{}, size)); body != fmt.Sprint(size, " <nil>") {
				t.Errorf("POST %s, chunked: %q", path, body)
			}
			if _, body := n.ask(t, "POST", path, bytes.NewReader(fileContent)); body != fmt.Sprint(len(fileContent), " <nil>") {
				t.Errorf("POST %s: %q", path, body)
			}
			if _, body := n.ask(t, "POST", path, strings.NewReader("hello")); body != "5 <nil>" {
				t.Errorf("POST %s of five octets: %q", path, body)
			}
		}
		if protocol == server.FastCGI {
			if _, body := n.ask(t, "GET", "/mounted/x", nil); !strings.Contains(body, "\nPATH_INFO=/x\n") || !strings.Contains(body, "\nSCRIPT_NAME=/mounted\n") {
				t.Errorf("mounted:\n%s", body)
			}
		}
		http.DefaultClient.CloseIdleConnections()
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if want := `127.0.0.1 - - [`; !strings.Contains(log.String(), want) || !strings.Contains(log.String(), `"GET /a%20b/c?d=%20&e HTTP/1.1" 200`) {
			t.Errorf("the access log is\n%s", log.String())
		}
	})
}

// anything is read without end.
type anything struct{}

func (anything) Read(p []byte) (int, error) { return len(p), nil }

// TestNginxStream: with buffering off the client has each chunk before the next is made, and the application learns that it has left.
func TestNginxStream(t *testing.T) {
	for _, protocol := range []server.Protocol{server.UWSGI, server.FastCGI, server.SCGI} {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			next, left := make(chan struct{}), make(chan string, 2)
			handler := nethttp.Application(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for i := 1; ; i++ {
					if i <= 3 {
						<-next
					}
					_, err := fmt.Fprintf(w, "chunk %d\n", i)
					if err := errors.Join(err, http.NewResponseController(w).Flush()); err != nil {
						left <- "the handler"
						return
					}
				}
			}))
			application := func(environ *app.Environ, start app.StartResponse) app.Body {
				if string(environ.Path()) != "/stream/deferred" {
					return handler(environ, start)
				}
				d := environ.Defer()
				_ = d.Start("200 OK", nil)
				_, _ = d.Write([]byte("begun"))
				go func() {
					<-d.Done()
					left <- "the deferred answer"
				}()
				return nil
			}
			path := filepath.Join(t.TempDir(), "s")
			s := serve(t, server.Config{Application: application, Bind: []string{string(protocol) + ":unix:" + path}})
			n := startNginx(t, gateways[protocol], path)
			begin := func(path string) (body io.Reader, leave func()) {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				request, err := http.NewRequestWithContext(ctx, "GET", n.base+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				return r.Body, func() {
					cancel()
					r.Body.Close()
				}
			}
			go func() { next <- struct{}{} }()
			body, leave := begin("/stream/chunks")
			for i := 1; i <= 3; i++ {
				want := fmt.Sprintf("chunk %d\n", i)
				line := make([]byte, len(want))
				if _, err := io.ReadFull(body, line); err != nil || string(line) != want {
					t.Fatalf("%q, %v", line, err)
				}
				if i < 3 {
					next <- struct{}{}
				}
			}
			leave()
			body, leave = begin("/stream/deferred")
			if _, err := io.ReadFull(body, make([]byte, len("begun"))); err != nil {
				t.Fatal(err)
			}
			leave()
			for range 2 {
				select {
				case <-left:
				case <-time.After(patience):
					t.Fatal("the application does not learn that its client has left")
				}
			}
			if err := s.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestGatewayAddresses: what is spoken may stand in front of an address, and who listens to all the world is warned.
func TestGatewayAddresses(t *testing.T) {
	var log logged
	s := serve(t, server.Config{
		Application: keys, Logger: slog.New(slog.NewTextHandler(&log, nil)), Protocol: server.SCGI,
		Bind: []string{"http:127.0.0.1:0", "uwsgi:0.0.0.0:0", "127.0.0.1:0", "fastcgi:unix:" + filepath.Join(t.TempDir(), "s")},
	})
	var names []string
	for _, address := range s.Addresses() {
		name, _, _ := strings.Cut(address, ":")
		names = append(names, name)
	}
	if want := []string{"127.0.0.1", "uwsgi", "scgi", "fastcgi"}; !slices.Equal(names, want) {
		t.Errorf("addresses are %q", s.Addresses())
	}
	until(t, "the warning", func() bool { return strings.Contains(log.String(), "believed") })
	if strings.Count(log.String(), "believed") != 1 || !strings.Contains(log.String(), "protocol=uwsgi") {
		t.Errorf("the log is %s", log.String())
	}
	r, err := http.Get(s.url("/"))
	if err != nil || r.StatusCode != 200 {
		t.Fatal(r, err)
	}
	r.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if _, err := server.New(server.Config{Application: keys, Protocol: "gopher"}); err == nil || !strings.Contains(err.Error(), "Config.Protocol") {
		t.Error(err)
	}
}
