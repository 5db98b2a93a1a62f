// Package deploy_test has the configurations of this folder, and those of docs/proxy.md, tried with the proxies that they are for.
package deploy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen. It is met long before, on slow machines too.
const patience = 30 * time.Second

// binary is weir, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "weir")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/weir").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// process is a program that runs until the test ends.
type process struct {
	*exec.Cmd
	t     *testing.T
	out   output
	ended chan struct{}
}

// output is what a process has said.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func start(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(program, args...), t: t, ended: make(chan struct{})}
	p.Stdout, p.Stderr = &p.out, &p.out
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.Process.Signal(syscall.SIGTERM) // nginx takes its workers with it then
		select {
		case <-p.ended:
		case <-time.After(3 * time.Second): // it is in the middle of something
			_ = p.Process.Kill()
			<-p.ended
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(program), p.out.String())
		}
	})
	return p
}

// until waits for done while p runs.
func (p *process) until(what string, done func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		select {
		case <-p.ended:
			p.t.Fatalf("%s: it has ended:\n%s", what, p.out.String())
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: waited in vain:\n%s", what, p.out.String())
		}
	}
}

// weir starts the demo at address, and returns it with the address that it has then.
func weir(t *testing.T, address string, options ...string) (*process, string) {
	t.Helper()
	return serve(t, address, append([]string{"demo"}, options...)...)
}

// serve starts a command of weir's at address.
func serve(t *testing.T, address string, command ...string) (*process, string) {
	t.Helper()
	// Clients connect from another address of this machine.
	p := start(t, binary, append(command[:1:1], append([]string{"-b", address, "--forwarded-allow-ips", "127.0.0.1"}, command[1:]...)...)...)
	var at []string
	p.until("weir serves", func() bool {
		at = regexp.MustCompile(` at http://(\S+) with `).FindStringSubmatch(p.out.String())
		return at != nil
	})
	return p, at[1]
}

// proxy is a proxy in front of two weirs.
type proxy struct {
	t       *testing.T
	at      string // where it listens
	weirs   [2]*process
	address [2]string
	options []string // of the weirs
	admin   string   // HAProxy's socket for the administrator
}

// behind starts two weirs. The proxy that is to be in front of them gets the port of at.
func behind(t *testing.T, options ...string) *proxy {
	t.Helper()
	p := &proxy{t: t, options: options}
	for i := range p.weirs {
		p.weirs[i], p.address[i] = weir(t, "127.0.0.1:0", append(options, "--server-header", serverHeader(i))...)
	}
	p.at = vacant(t)
	return p
}

// vacant is an address that nobody listens at.
func vacant(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// serverHeader is the Server field of the i'th weir's answers, which tells them apart.
func serverHeader(i int) string { return fmt.Sprint("weir ", i) }

// configuration is the file of this folder with the addresses of the test in the place of those that are written in it.
func (p *proxy) configuration(file string, replace ...string) string {
	p.t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	text := string(content)
	replace = append(replace, "server 127.0.0.1:8000", "server "+p.address[0], "server 127.0.0.1:8001", "server "+p.address[1],
		"one 127.0.0.1:8000", "one "+p.address[0], "two 127.0.0.1:8001", "two "+p.address[1],
		"listen 80;", "listen "+p.at+";", "bind :80\n", "bind "+p.at+"\n")
	return strings.NewReplacer(replace...).Replace(text)
}

// nginx starts nginx in front of two weirs.
func nginx(t *testing.T, options ...string) *proxy {
	t.Helper()
	return behind(t, options...).nginx()
}

// nginx starts nginx with the file as Debian's nginx.conf includes it.
func (p *proxy) nginx(replace ...string) *proxy {
	t := p.t
	t.Helper()
	dir := t.TempDir()
	around := "worker_processes 1;\npid " + dir + "/pid;\nevents { worker_connections 768; }\nhttp {\n  access_log off;\n"
	if os.Getuid() == 0 {
		around = "user root;\n" + around
	}
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		around += fmt.Sprintf("  %s_temp_path %s/%s;\n", kind, dir, kind)
	}
	file := filepath.Join(dir, "nginx.conf")
	write(t, file, around+p.configuration("nginx.conf", replace...)+"}\n")
	p.ready(start(t, find(t, "nginx", "nginx-light"), "-p", dir, "-c", file, "-e", "stderr", "-g", "daemon off;"))
	return p
}

// haproxy starts HAProxy with a file of this folder.
func haproxy(t *testing.T, p *proxy, file string, replace ...string) *proxy {
	t.Helper()
	dir, err := os.MkdirTemp("", "haproxy") // the name of the test may have what HAProxy takes for a list of addresses
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	configuration := filepath.Join(dir, "haproxy.cfg")
	p.admin = filepath.Join(dir, "admin.sock")
	replace = append(replace, "stats socket /run/haproxy/admin.sock", "stats socket "+p.admin)
	write(t, configuration, p.configuration(file, replace...))
	p.ready(start(t, find(t, "haproxy", "haproxy"), "-db", "-f", configuration))
	return p
}

// tell gives HAProxy a command, and returns what it says.
func (p *proxy) tell(command string) string {
	p.t.Helper()
	c, err := net.Dial("unix", p.admin)
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, command+"\n")
	answer, err := io.ReadAll(c)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(answer)
}

// takeOut has HAProxy send no more connections to the i'th weir, and waits until those that it has are closed.
func (p *proxy) takeOut(i int) {
	p.tell("set server weir/" + servers[i] + " state maint")
	p.weirs[i].until("no connection is open", func() bool {
		for line := range strings.Lines(p.tell("show stat weir 4 -1")) {
			if columns := strings.Split(line, ","); len(columns) > 4 && columns[1] == servers[i] {
				return columns[4] == "0"
			}
		}
		return false
	})
}

// servers are the names that HAProxy's files have for the weirs.
var servers = [2]string{"one", "two"}

func (p *proxy) ready(in *process) {
	p.t.Helper()
	in.until("the proxy listens", func() bool {
		c, err := net.Dial("tcp", p.at)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// find is the path of a program of one of Debian's packages.
func find(t *testing.T, program, debian string) string {
	t.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	path := "/usr/sbin/" + program
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is missing: install Debian's package %s", program, debian)
	}
	return path
}

// from is an address of this machine that nobody trusts.
const from = "127.0.0.9"

// client is an HTTP client at that address.
func client() *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the test's own certificate
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
	}}
}

// environ is what an application sees of a request with these field lines.
func (p *proxy) environ(scheme string, c *http.Client, lines ...string) map[string]string {
	p.t.Helper()
	request, err := http.NewRequest("GET", scheme+"://"+p.at+"/environ", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Host = "example.org:8080"
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Add(name, value)
	}
	response, err := c.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		p.t.Fatalf("%s, %v: %s", response.Status, err, content)
	}
	var values map[string]any
	if err := json.Unmarshal(content, &values); err != nil {
		p.t.Fatal(err)
	}
	environ := make(map[string]string)
	for key, v := range values {
		environ[key] = fmt.Sprint(v)
	}
	return environ
}

// awaitLine reads an answer that goes on, until a line of it comes.
func awaitLine(t *testing.T, c *http.Client, url, want string) {
	t.Helper()
	response, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if lines.Text() == want {
			return
		}
	}
	t.Errorf("%s: %q does not come: %v", url, want, lines.Err())
}
