package deploy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// forged is what a client claims.
var forged = []string{
	"X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example", "X-Forwarded-Port: 1",
	"X-Forwarded-Prefix: /evil", "Forwarded: for=203.0.113.8;proto=https;host=evil.example",
}

// front is a proxy with a file of this folder.
type front struct {
	name  string
	start func(t *testing.T, options ...string) *proxy
}

var fronts = []front{
	{"nginx", nginx},
	{"haproxy", func(t *testing.T, options ...string) *proxy { return haproxy(t, behind(t, options...), "haproxy.cfg") }},
}

// TestFields: applications see the client through a proxy that speaks HTTP, and nothing of what it claims.
func TestFields(t *testing.T) {
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			p := f.start(t)
			_, port, _ := net.SplitHostPort(p.at)
			c := client()
			for _, lines := range [][]string{nil, forged} {
				environ := p.environ("http", c, lines...)
				for key, want := range map[string]string{
					"REMOTE_ADDR": from, "REMOTE_PORT": "", "wsgi.url_scheme": "http", "HTTP_HOST": "example.org:8080", "SERVER_NAME": "example.org",
					"SERVER_PORT": port, "HTTP_X_FORWARDED_HOST": "example.org:8080", "HTTP_X_FORWARDED_PROTO": "http",
					"HTTP_X_FORWARDED_PREFIX": "", "HTTP_FORWARDED": "",
				} {
					if environ[key] != want {
						t.Errorf("with %q: %s is %q, want %q", lines, key, environ[key], want)
					}
				}
				if list := environ["HTTP_X_FORWARDED_FOR"]; !strings.HasSuffix(list, from) {
					t.Errorf("with %q: HTTP_X_FORWARDED_FOR is %q", lines, list)
				}
			}
		})
	}
}

// TestChain: through two proxies that trust one another, the client is the one that the first proxy sees.
func TestChain(t *testing.T) {
	inner := nginx(t)
	outer := &proxy{t: t, address: [2]string{inner.at, inner.at}, at: vacant(t)}
	haproxy(t, outer, "haproxy.cfg")
	environ := outer.environ("http", client(), forged...)
	if got := environ["REMOTE_ADDR"]; got != from {
		t.Errorf("REMOTE_ADDR is %s of %s", got, environ["HTTP_X_FORWARDED_FOR"])
	}
	if got := environ["HTTP_X_FORWARDED_FOR"]; got != from+", 127.0.0.1" {
		t.Errorf("X-Forwarded-For is %q", got)
	}
}

// TestPython: an application in Python has the same environ.
func TestPython(t *testing.T) {
	_, at := serve(t, "127.0.0.1:0", "run", "environ:application", "--chdir", "testdata", "-w", "1")
	p := (&proxy{t: t, address: [2]string{at, at}, at: vacant(t)}).nginx()
	c := client()
	for i := range 10 { // so that the worker has met the like
		environ := p.environ("http", c, forged[i%2*len(forged):]...)
		if environ["REMOTE_ADDR"] != from || environ["HTTP_HOST"] != "example.org:8080" || environ["SERVER_NAME"] != "example.org" ||
			environ["REMOTE_PORT"] != "" || environ["HTTP_FORWARDED"] != "" || environ["HTTP_X_FORWARDED_PROTO"] != "http" {
			t.Fatalf("%d: %v", i, environ)
		}
	}
}

// TestNotTrusted: a proxy that nobody has allowed to speak for others is the client.
func TestNotTrusted(t *testing.T) {
	p := nginx(t, "--forwarded-allow-ips", "10.0.0.0/8")
	environ := p.environ("http", client(), forged...)
	if environ["REMOTE_ADDR"] != "127.0.0.1" {
		t.Errorf("REMOTE_ADDR is %s", environ["REMOTE_ADDR"])
	}
	for key := range environ {
		if strings.HasPrefix(key, "HTTP_X_FORWARDED_") || key == "HTTP_FORWARDED" {
			t.Errorf("%s is there", key)
		}
	}
}

// TestConnectionsAreKept: a proxy comes over the same connections again.
func TestConnectionsAreKept(t *testing.T) {
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			p := f.start(t, "--forwarded-allow-ips", "none") // REMOTE_PORT is the proxy's then
			c := client()
			connections := make(map[string]int)
			for range 20 {
				environ := p.environ("http", c)
				connections[environ["SERVER_PORT"]+" from "+environ["REMOTE_PORT"]]++
			}
			if len(connections) > 4 {
				t.Errorf("20 requests over %v", connections)
			}
		})
	}
}

// TestStreams: what an application yields arrives at once.
func TestStreams(t *testing.T) {
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			p := f.start(t, "--graceful-timeout", "0")
			awaitLine(t, client(), "http://"+p.at+"/stream?chunks=2&ms=60000", "chunk 1 of 2")
			// A message before the stream, so that it has something to begin with at whichever weir it ends up.
			for _, address := range p.address {
				response, err := http.Post("http://"+address+"/publish/news", "text/plain", strings.NewReader("extra"))
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
			}
			awaitLine(t, client(), "http://"+p.at+"/events/news?since=0", "data: extra")
		})
	}
}

// TestRestart: while one weir after the other is restarted by SIGTERM, each request through the proxy is answered.
func TestRestart(t *testing.T) {
	all := append(fronts[:len(fronts):len(fronts)], front{"haproxy with the PROXY protocol", func(t *testing.T, options ...string) *proxy {
		return haproxy(t, behind(t, append(options, "--proxy-protocol", "all")...), "haproxy-tcp.cfg")
	}})
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) {
			p := f.start(t)
			bound := strings.Contains(f.name, "PROXY") // a connection stays with its weir
			var served, failed atomic.Int64
			stop := make(chan struct{})
			var clients sync.WaitGroup
			for i := range 4 {
				clients.Go(func() {
					c := client()
					c.Transport.(*http.Transport).DisableKeepAlives = bound
					path := []string{"/plaintext", "/sleep?ms=20"}[i%2]
					for {
						select {
						case <-stop:
							return
						default:
						}
						response, err := c.Get("http://" + p.at + path)
						if err != nil {
							failed.Add(1)
							t.Errorf("after %d: %v", served.Load(), err)
							return
						}
						_, err = io.Copy(io.Discard, response.Body)
						_ = response.Body.Close()
						if err != nil || response.StatusCode != 200 {
							failed.Add(1)
							t.Errorf("after %d: %s, %v", served.Load(), response.Status, err)
							return
						}
						served.Add(1)
					}
				})
			}
			more := func() {
				enough := served.Load() + 100
				p.weirs[0].until("requests are served", func() bool { return served.Load() > enough || failed.Load() > 0 })
			}
			more()
			for i := range p.weirs {
				old := p.weirs[i]
				if bound {
					p.takeOut(i)
				}
				_ = old.Process.Signal(syscall.SIGTERM)
				select {
				case <-old.ended:
				case <-time.After(patience):
					t.Fatal("weir does not end")
				}
				if status := old.ProcessState.ExitCode(); status != 0 {
					t.Errorf("weir ends with %d:\n%s", status, old.out.String())
				}
				p.weirs[i], _ = weir(t, p.address[i], append(p.options, "--server-header", serverHeader(i))...)
				if bound {
					p.tell("set server weir/" + servers[i] + " state ready")
				}
				more()
				if strings.HasPrefix(f.name, "haproxy") { // until it has seen that the weir is back
					p.inUse(i)
				}
			}
			close(stop)
			clients.Wait()
		})
	}
}

// inUse waits until the proxy sends requests to the i'th weir.
func (p *proxy) inUse(i int) {
	c := client()
	c.Transport.(*http.Transport).DisableKeepAlives = true
	p.weirs[i].until("the proxy uses the weir that is back", func() bool {
		response, err := c.Get("http://" + p.at + "/plaintext")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.Header.Get("Server") == serverHeader(i)
	})
}

// TestProxyProtocol: applications see the client through a proxy that passes octets on, whatever it claims.
func TestProxyProtocol(t *testing.T) {
	for _, c := range []struct{ name, option, scheme string }{
		{"version 1", "send-proxy", "http"},
		{"version 2", "send-proxy-v2", "http"},
		{"version 2, TLS", "send-proxy-v2-ssl", "https"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := behind(t, "--proxy-protocol", "all")
			replace := []string{"send-proxy-v2", c.option}
			if c.scheme == "https" {
				replace = append(replace, "bind :80\n", "bind "+p.at+" ssl crt "+certificate(t)+"\n")
			}
			haproxy(t, p, "haproxy-tcp.cfg", replace...)
			_, port, _ := net.SplitHostPort(p.at)
			environ := p.environ(c.scheme, client(), forged...)
			for key, want := range map[string]string{
				"REMOTE_ADDR": from, "wsgi.url_scheme": c.scheme, "HTTP_HOST": "example.org:8080", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": port,
				"HTTP_X_FORWARDED_FOR": "", "HTTP_FORWARDED": "",
			} {
				if environ[key] != want {
					t.Errorf("%s is %q, want %q", key, environ[key], want)
				}
			}
			if environ["REMOTE_PORT"] == "" {
				t.Error("REMOTE_PORT is missing")
			}
			for _, w := range p.weirs { // the proxy's looks whether the server is well are no misuse
				if strings.Contains(w.out.String(), "connection closed") {
					t.Error(w.out.String())
				}
			}
		})
	}
}

// certificate makes a key with a certificate, in one file.
func certificate(t *testing.T) (file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"example.org"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "site.pem")
	write(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	return file
}

// TestFilesAsTheyAre: HAProxy finds nothing to complain of in its files as they stand.
func TestFilesAsTheyAre(t *testing.T) {
	for _, file := range []string{"haproxy.cfg", "haproxy-tcp.cfg"} {
		out, err := exec.Command(find(t, "haproxy", "haproxy"), "-c", "-f", file).CombinedOutput()
		if err != nil || strings.Contains(string(out), "WARNING") || strings.Contains(string(out), "warning") {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}
