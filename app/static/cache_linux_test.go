package static_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/static"
)

// openBelow is how many descriptors are open of files below dir, those without a name any more included.
func openBelow(t testing.TB, dir string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(target, dir+"/") {
			n++
		}
	}
	return n
}

// begin asks for a file, and reads no more than the first octets of it.
func (s *served) begin(target string, length int64) (conn net.Conn, response *http.Response) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	_ = conn.(*net.TCPConn).SetReadBuffer(32 << 10)
	if _, err := io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	response, err = http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil && response.ContentLength != length {
		err = fmt.Errorf("%s, Content-Length %d", response.Status, response.ContentLength)
	}
	if err == nil {
		_, err = io.CopyN(io.Discard, response.Body, 1000)
	}
	if err != nil {
		s.t.Fatal(target, err)
	}
	return conn, response
}

// TestOpenFiles: no more files than MaxOpen stay open, whatever is asked for; one that is being sent stays open beside them until its client has it, or
// is gone.
func TestOpenFiles(t *testing.T) {
	dir := t.TempDir()
	const count, maxOpen = 20, 4
	content := func(i int) []byte {
		if i < 2 {
			return large[i:]
		}
		return large[i:100_000]
	}
	for i := range count {
		write(t, filepath.Join(dir, fmt.Sprint(i)), content(i))
	}
	s := site(t, dir, static.Options{MaxOpen: maxOpen})
	conn, vanishing := s.begin("/s/0", int64(len(large)))
	_, reading := s.begin("/s/1", int64(len(large)-1))
	for range 2 {
		for i := range count {
			if r := s.ask("GET", fmt.Sprint("/s/", i)); !bytes.Equal(r.content, content(i)) {
				t.Fatalf("%d: %s, %d octets", i, r.Status, len(r.content))
			}
		}
	}
	s.eventually("only what is cached and what is sent is open", func() bool { return openBelow(t, dir) == maxOpen+2 })
	_ = conn.Close()
	_ = vanishing.Body.Close()
	s.eventually("what was sent to one who is gone is closed", func() bool { return openBelow(t, dir) == maxOpen+1 })
	rest, err := io.ReadAll(reading.Body)
	if err != nil || !bytes.Equal(rest, large[1001:]) {
		t.Errorf("%d octets, or others, and %v", len(rest), err)
	}
	s.eventually("what was sent is closed", func() bool { return openBelow(t, dir) == maxOpen })
}

// TestNoOpenFiles: with a negative MaxOpen no file stays open that is not being sent.
func TestNoOpenFiles(t *testing.T) {
	dir := files(t)
	s := site(t, dir, static.Options{MaxOpen: -1})
	for range 3 {
		if r := s.ask("GET", "/s/large.bin"); !bytes.Equal(r.content, large) {
			t.Fatalf("%s, %d octets", r.Status, len(r.content))
		}
	}
	s.eventually("nothing is open", func() bool { return openBelow(t, dir) == 0 })
}

// TestSendfileRefused: a file is closed whose response cannot be sent, because a field of the application's is wrong.
func TestSendfileRefused(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the collector would close it, some time
	dir := files(t)
	sendfile, err := static.NewSendfile([]static.Handover{{Dir: dir}}, static.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sendfile.Close()
	s := serve(t, sendfile.Wrap(func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", []app.Header{{Name: "X-Sendfile", Value: dir + "/large.bin"}, {Name: "Content-Disposition", Value: "attachment; filename=a\nb"}})
		return nil
	}))
	if r := s.ask("GET", "/"); r.StatusCode != 500 {
		t.Errorf("%s", r.Status)
	}
	s.eventually("nothing is open", func() bool { return openBelow(t, dir) == 0 })
}

// TestClose: a Site that was closed has no file open but those that are being sent.
func TestClose(t *testing.T) {
	dir := files(t)
	own, err := static.New(dir, static.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, own.Application)
	_, response := s.begin("/large.bin", int64(len(large)))
	if err := own.Close(); err != nil {
		t.Fatal(err)
	}
	if r := s.ask("GET", "/large.bin"); r.StatusCode != 404 {
		t.Errorf("afterwards: %s", r.Status)
	}
	if rest, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(rest, large[1000:]) {
		t.Errorf("%d octets, %v", len(rest), err)
	}
	s.eventually("all is closed", func() bool { return openBelow(t, filepath.Dir(dir)) == 0 })
}

// TestNoGoroutineWaits: clients that take their time cost no goroutines, neither of files that were in the cache nor of others.
func TestNoGoroutineWaits(t *testing.T) {
	dir := t.TempDir()
	const clients = 30
	for i := range clients / 2 {
		write(t, filepath.Join(dir, fmt.Sprint(i)), large)
	}
	s := site(t, dir, static.Options{})
	s.ask("HEAD", "/s/0")
	before := runtime.NumGoroutine()
	for i := range clients {
		s.begin(fmt.Sprint("/s/", i/2), int64(len(large)))
	}
	s.eventually("the goroutines have ended", func() bool { return runtime.NumGoroutine() < before+clients/2 })
}

// TestChanges: what becomes of a file is seen, and what is being sent goes on as it was.
func TestChanges(t *testing.T) {
	dir := files(t)
	s := site(t, dir, static.Options{})
	var changes, looks []func()               // all at once: each look waits for what is cached to be old
	for _, size := range []int{10, 1 << 17} { // in memory, and open
		for _, c := range []struct {
			name   string
			change func(path string) error
			status int
			want   []byte
		}{
			{"replaced", func(path string) error {
				write(t, path+".new", large[1:size])
				return os.Rename(path+".new", path)
			}, 200, large[1:size]},
			{"written again", func(path string) error { return os.WriteFile(path, large[2:size+2], 0o644) }, 200, large[2 : size+2]},
			{"appended to", func(path string) error {
				f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
				if err == nil {
					_, err = f.Write(large[size : size+5])
					_ = f.Close()
				}
				return err
			}, 200, large[:size+5]},
			{"removed", os.Remove, 404, []byte("Not Found\n")},
			{"a directory now", func(path string) error {
				_ = os.Remove(path)
				return os.Mkdir(path, 0o755)
			}, 301, []byte("Moved Permanently\n")},
			{"compressed", func(path string) error { return os.WriteFile(path+".gz", large[3:size], 0o644) }, 200, large[3:size]},
		} {
			name := fmt.Sprint(strings.ReplaceAll(c.name, " ", "-"), size)
			path := filepath.Join(dir, name)
			write(t, path, large[:size])
			for range 2 {
				if r := s.ask("GET", "/s/"+name, "Accept-Encoding: gzip"); !bytes.Equal(r.content, large[:size]) {
					t.Fatalf("%s at first: %s, %d octets", name, r.Status, len(r.content))
				}
			}
			changes = append(changes, func() {
				if err := c.change(path); err != nil {
					t.Error(err)
				}
			})
			looks = append(looks, func() {
				s.eventually("the change, "+name, func() bool {
					r := s.ask("GET", "/s/"+name, "Accept-Encoding: gzip")
					return r.StatusCode == c.status && bytes.Equal(r.content, c.want)
				})
			})
		}
	}
	for _, f := range append(changes, looks...) {
		f()
	}
}

// TestReleases: a directory whose name is given to another one, by a link or by renaming, is the other one.
func TestReleases(t *testing.T) {
	base := t.TempDir()
	for _, name := range []string{"one", "two"} {
		write(t, filepath.Join(base, name, "f"), []byte(name))
	}
	link := filepath.Join(base, "current")
	if err := os.Symlink("one", link); err != nil {
		t.Fatal(err)
	}
	s := site(t, link, static.Options{})
	if r := s.ask("GET", "/s/f"); string(r.content) != "one" {
		t.Fatalf("%s, %q", r.Status, r.content)
	}
	if err := os.Symlink("two", link+"2"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+"2", link); err != nil {
		t.Fatal(err)
	}
	s.eventually("the other release", func() bool { return string(s.ask("GET", "/s/f").content) == "two" })
	if n := openBelow(t, base); n > 1 {
		t.Errorf("%d descriptors are open", n)
	}
}

// TestTruncated: a file that becomes shorter while it is sent ends the connection, and no client takes the response for complete.
func TestTruncated(t *testing.T) {
	dir := files(t)
	s := site(t, dir, static.Options{})
	for _, c := range []struct{ name, ranges string }{{"first time", ""}, {"from the cache", ""}, {"ranges", "Range: bytes=0-,-5"}} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, "large.bin")
			write(t, path, large)
			s.eventually("the whole file", func() bool { return s.ask("HEAD", "/s/large.bin").ContentLength == int64(len(large)) })
			_, response := s.begin("/s/large.bin", int64(len(large)))
			if err := os.Truncate(path, 1<<10); err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, response.Body)
			if err == nil || n+1000 >= int64(len(large)) {
				t.Errorf("%d octets more, and %v", n, err)
			}
			s.eventually("the log", func() bool { return strings.Contains(s.log.take(), "shorter") })
		})
	}
}

// TestManyClients: files come whole, while they fall out of the cache and are replaced.
func TestManyClients(t *testing.T) {
	dir := t.TempDir()
	const count = 8
	content := func(i int) []byte { return large[i*1000 : i*1000+5000+i*20000] }
	for i := range count {
		write(t, filepath.Join(dir, fmt.Sprint(i)), content(i))
	}
	s := site(t, dir, static.Options{MaxOpen: 2})
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for c := range 6 {
		clients.Add(1)
		go func() {
			defer clients.Done()
			client := &http.Client{Timeout: patience, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				i := (n*7 + c) % count
				r, err := client.Get(fmt.Sprint("http://", s.address, "/s/", i))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(r.Body)
				_ = r.Body.Close()
				if err != nil || r.StatusCode != 200 || !bytes.Equal(got, content(i)) {
					t.Errorf("%d: %s, %d octets, %v", i, r.Status, len(got), err)
					return
				}
			}
		}()
	}
	for n := range 40 {
		i := n % count
		path := filepath.Join(dir, fmt.Sprint(i))
		write(t, path+".new", content(i))
		if err := os.Rename(path+".new", path); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second / 30) // so that it lasts as long as what is cached is good
	}
	close(stop)
	clients.Wait()
	s.eventually("descriptors are closed", func() bool { return openBelow(t, dir) <= 2 })
}
