//lint:file-ignore SA1019 of golang.org/x/net/http2, see server/h2

// Package h2spec runs h2spec, a conformance test of HTTP/2 that nobody here wrote, against weir and against golang.org/x/net/http2 alone.
package h2spec

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/summerwind/h2spec"
	"github.com/summerwind/h2spec/config"
	"golang.org/x/net/http2"
)

// TestConformance: weir fails no test but those that golang.org/x/net/http2 fails alone, and docs/http2.md names each of them.
func TestConformance(t *testing.T) {
	docs, err := os.ReadFile("../../docs/http2.md")
	if err != nil {
		t.Fatal(err)
	}
	bare, total := verdict(t, bareServer(t))
	failed, again := verdict(t, weir(t))
	if total < 140 || again != total {
		t.Errorf("%d and %d tests were run", total, again)
	}
	for name := range failed {
		if !bare[name] {
			t.Errorf("weir fails, and x/net/http2 does not: %s", name)
		}
		if !strings.Contains(string(docs), name) {
			t.Errorf("docs/http2.md does not name %q", name)
		}
	}
	t.Logf("of %d tests weir fails %d, x/net/http2 %d", total, len(failed), len(bare))
}

// bareServer runs golang.org/x/net/http2 without anything around it, and returns its address.
func bareServer(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	options := &http2.ServeConnOpts{BaseConfig: &http.Server{ErrorLog: log.New(io.Discard, "", 0)}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "Hello, World!")
	})}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go new(http2.Server).ServeConn(c, options)
		}
	}()
	return ln.Addr().String()
}

// weir runs weir's demo, and returns its address.
func weir(t *testing.T) string {
	program := filepath.Join(t.TempDir(), "weir")
	build := exec.Command("go", "build", "-o", program, "./cmd/weir")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	demo := exec.Command(program, "demo", "--h2c", "--bind", "127.0.0.1:0")
	demo.Stderr = os.Stderr
	out, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = demo.Process.Signal(syscall.SIGTERM)
		if err := demo.Wait(); err != nil {
			t.Errorf("weir ended with %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	address := regexp.MustCompile(`http://([0-9.:]+)`).FindStringSubmatch(line)
	if address == nil {
		t.Fatalf("weir says %q, %v", line, err)
	}
	return address[1]
}

// verdict runs h2spec against a server, and returns the names of the tests that have failed, and how many were run.
func verdict(t *testing.T, address string) (failed map[string]bool, total int) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, _ := strconv.Atoi(port)
	report := filepath.Join(t.TempDir(), "report.xml")
	quiet(t, func() {
		_, err = h2spec.Run(&config.Config{
			Host: host, Port: number, Path: "/", Timeout: 2 * time.Second, MaxHeaderLen: 4000, JUnitReport: report,
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Suite []struct {
			Case []struct {
				Package string    `xml:"package,attr"`
				Name    string    `xml:"classname,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &suites); err != nil {
		t.Fatal(err)
	}
	failed = make(map[string]bool)
	for _, suite := range suites.Suite {
		for _, test := range suite.Case {
			if total++; test.Failure != nil || test.Error != nil {
				failed[fmt.Sprintf("%s: %s", test.Package, test.Name)] = true
			}
		}
	}
	return failed, total
}

// quiet runs f without standard output, to which h2spec prints a line for each test.
func quiet(t *testing.T, f func()) {
	t.Helper()
	kept := os.Stdout
	defer func() { os.Stdout = kept }()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	os.Stdout = null
	f()
}
