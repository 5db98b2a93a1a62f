// Package pebble runs a certificate authority for tests: Let's Encrypt's pebble, and its DNS server, by which every name is 127.0.0.1. Both are
// built from the module of tools, so that users of weir do not download them.
package pebble

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// within bounds building, and becoming ready.
const within = 2 * time.Minute

// An Authority is a pebble that runs.
type Authority struct {
	Directory string         // its URL
	CertFile  string         // by which the authority itself is trusted
	Trusted   *x509.CertPool // the same
	Roots     *x509.CertPool // by which what it issues is trusted
	RootFile  string         // the same
	command   *exec.Cmd
}

// program is where a tool is, which go builds into its cache when it is not there.
func program(t *testing.T, name string) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	command := exec.CommandContext(ctx, "go", "tool", "-n", name)
	command.Dir = filepath.Join(filepath.Dir(here), "..", "..", "..", ".ci", "tools")
	path, err := command.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("building %s: %v: %s", name, err, exit.Stderr)
	} else if err != nil {
		t.Fatalf("building %s: %v", name, err)
	}
	return strings.TrimSpace(string(path))
}

// Start runs one until the test ends. It comes to the server at 127.0.0.1 and tlsPort for proofs by TLS, at httpPort for those by HTTP. Its
// certificates are valid for 90 days.
func Start(t *testing.T, tlsPort, httpPort int) *Authority {
	t.Helper()
	return StartWith(t, tlsPort, httpPort, 90*24*time.Hour)
}

// StartWith is Start with another validity of certificates, in whole seconds.
func StartWith(t *testing.T, tlsPort, httpPort int, validity time.Duration) *Authority {
	t.Helper()
	dir := t.TempDir()
	a := &Authority{CertFile: filepath.Join(dir, "cert.pem"), RootFile: filepath.Join(dir, "root.pem")}
	keyFile := filepath.Join(dir, "key.pem")
	a.Trusted = selfSigned(t, a.CertFile, keyFile)
	api, manage, dns := address(t), address(t), address(t)
	a.Directory = "https://" + api + "/dir"
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": api, "managementListenAddress": manage, "certificate": a.CertFile, "privateKey": keyFile,
		"httpPort": httpPort, "tlsPort": tlsPort, "retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles": map[string]any{"default": map[string]any{"description": "the only one", "validityPeriod": int(validity.Seconds())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	configFile := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(configFile, config, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, program(t, "pebble-challtestsrv"), "-dns01", dns, "-management", address(t), "-http01", "", "-https01", "", "-tlsalpn01", "",
		"-doh", "", "-defaultIPv6", "")
	a.command = run(t, program(t, "pebble"), "-config", configFile, "-dnsserver", dns)
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Trusted}}}
	defer client.CloseIdleConnections()
	root := a.await(t, client, "https://"+manage+"/roots/0")
	a.await(t, client, a.Directory)
	a.Roots = x509.NewCertPool()
	if !a.Roots.AppendCertsFromPEM(root) {
		t.Fatalf("pebble's root: %q", root)
	}
	if err := os.WriteFile(a.RootFile, root, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// Stop ends it before the test does.
func (a *Authority) Stop() { _ = a.command.Process.Kill() }

// run starts a program that ends with the test.
func run(t *testing.T, path string, args ...string) *exec.Cmd {
	t.Helper()
	output := &strings.Builder{} // only read when the program has ended
	command := exec.Command(path, args...)
	command.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	command.Stdout, command.Stderr = output, output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		_ = command.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(path), output)
		}
	})
	return command
}

// await is what a URL is answered with, as soon as it is.
func (a *Authority) await(t *testing.T, client *http.Client, url string) []byte {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		response, err := client.Get(url)
		if err == nil {
			content, readErr := io.ReadAll(response.Body)
			response.Body.Close()
			if err = readErr; err == nil && response.StatusCode == http.StatusOK {
				return content
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", url, err)
		}
	}
}

// Port is one of 127.0.0.1 that nobody listens at, below those from which the kernel takes clients'.
func Port(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 10_000 + mathrand.IntN(20_000)
		if l, err := net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("there is no free port")
	return 0
}

func address(t *testing.T) string { return fmt.Sprintf("127.0.0.1:%d", Port(t)) }

// selfSigned makes a certificate for 127.0.0.1.
func selfSigned(t *testing.T, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: certificate}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		text := pem.EncodeToMemory(block)
		pool.AppendCertsFromPEM(text)
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pool
}
