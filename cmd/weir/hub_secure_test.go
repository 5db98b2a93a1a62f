package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// startNATS starts a NATS server in this process, and returns its address.
func startNATS(t *testing.T, o server.Options) (url string) {
	t.Helper()
	o.Host, o.Port, o.JetStream, o.StoreDir, o.NoLog, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, true, t.TempDir(), true, true
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return "nats://" + s.Addr().String()
}

// issuer is who signs JWTs of NATS: an operator, or an account.
type issuer struct {
	nkeys.KeyPair
	public string
}

func newIssuer(t *testing.T, create func() (nkeys.KeyPair, error)) issuer {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return issuer{pair, public}
}

// sign is the JWT of claims.
func (i issuer) sign(t *testing.T, claims interface {
	Encode(pair nkeys.KeyPair) (string, error)
}) string {
	t.Helper()
	token, err := claims.Encode(i.KeyPair)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// credentials makes a .creds file of a new user of the account.
func (i issuer) credentials(t *testing.T) string {
	t.Helper()
	user := newIssuer(t, nkeys.CreateUser)
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	file, err := jwt.FormatUserConfig(i.sign(t, jwt.NewUserClaims(user.public)), seed)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, filepath.Join(t.TempDir(), "user.creds"), string(file))
}

// newAccount makes an account with these limits, and its JWT.
func newAccount(t *testing.T, operator issuer, limits jwt.JetStreamLimits) (account issuer, token string) {
	t.Helper()
	account = newIssuer(t, nkeys.CreateAccount)
	claims := jwt.NewAccountClaims(account.public)
	claims.Limits.JetStreamLimits = limits
	return account, operator.sign(t, claims)
}

// TestHubSecured: a NATS that asks for certificates, and one that asks for credentials, are used with them, and refuse others in a line that names
// the option.
func TestHubSecured(t *testing.T) {
	t.Parallel()
	ca, other := certificate(t, "authority"), certificate(t, "another authority")
	ours, strangers := issue(t, ca, "weir"), issue(t, other, "weir")
	of := issue(t, ca, "nats")
	pair, err := tls.LoadX509KeyPair(of.cert, of.key)
	if err != nil {
		t.Fatal(err)
	}
	certified := startNATS(t, server.Options{TLS: true, TLSVerify: true, TLSTimeout: patience.Seconds(), TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.roots, MinVersion: tls.VersionTLS12}})

	operator := newIssuer(t, nkeys.CreateOperator)
	anything := jwt.JetStreamLimits{MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
	account, token := newAccount(t, operator, anything)
	stranger, _ := newAccount(t, newIssuer(t, nkeys.CreateOperator), anything)
	system, systemToken := newAccount(t, operator, jwt.JetStreamLimits{})
	operatorClaims, err := jwt.DecodeOperatorClaims(operator.sign(t, jwt.NewOperatorClaims(operator.public)))
	if err != nil {
		t.Fatal(err)
	}
	resolver := &server.MemAccResolver{}
	for public, token := range map[string]string{account.public: token, system.public: systemToken} {
		if err := resolver.Store(public, token); err != nil {
			t.Fatal(err)
		}
	}
	credited := startNATS(t, server.Options{TrustedOperators: []*jwt.OperatorClaims{operatorClaims}, AccountResolver: resolver, SystemAccount: system.public})
	text := writeFile(t, filepath.Join(t.TempDir(), "text"), "no credentials")

	for _, c := range []struct {
		name, url string
		args      []string
		says      string // "": it works
	}{
		{"certificate", certified, []string{"--hub-ca", ca.cert, "--hub-cert", ours.cert, "--hub-key", ours.key}, ""},
		{"no authority", certified, []string{"--hub-cert", ours.cert, "--hub-key", ours.key}, "--hub-ca"},
		{"another authority", certified, []string{"--hub-ca", other.cert, "--hub-cert", ours.cert, "--hub-key", ours.key}, "--hub-ca"},
		{"no certificate", certified, []string{"--hub-ca", ca.cert}, "--hub-cert and --hub-key"},
		{"another's certificate", certified, []string{"--hub-ca", ca.cert, "--hub-cert", strangers.cert, "--hub-key", strangers.key}, "--hub-cert and --hub-key"},
		{"credentials", credited, []string{"--hub-creds", account.credentials(t)}, ""},
		{"no credentials", credited, nil, "--hub-creds"},
		{"another's credentials", credited, []string{"--hub-creds", stranger.credentials(t)}, "--hub-creds"},
		{"credentials that are none", credited, []string{"--hub-creds", text}, "--hub-creds"},
	} {
		t.Run(c.name, func(t *testing.T) {
			flags := append([]string{"--hub", c.url}, c.args...)
			publish := append(append([]string{"publish", "--timeout", patience.String()}, flags...), "news", "one")
			if c.says != "" {
				status, out, said := runToEnd(t, publish...)
				if status != 1 || out != "" || !strings.Contains(said, c.says) || strings.Count(said, "\n") != 1 {
					t.Errorf("publish: %d, %q, %q; want a line with %s", status, out, said, c.says)
				}
				return
			}
			start(t, nil, append([]string{"demo", "--bind", "127.0.0.1:0"}, flags...)...).sees(`(hub: ready)`) // it makes the stream
			if status, out, said := runToEnd(t, publish...); status != 0 || said != "" {
				t.Errorf("publish: %d, %q, %s", status, out, said)
			}
			status, out, said := runToEnd(t, append(append([]string{"tail"}, flags...), "news", "--since", "0", "-n", "1")...)
			if status != 0 || out != "one\n" {
				t.Errorf("tail: %d, %q, %s", status, out, said)
			}
		})
	}

	// A weir goes on, is not ready, and says so once.
	operators := filepath.Join(t.TempDir(), "admin")
	p := start(t, nil, "demo", "--bind", "127.0.0.1:0", "--admin", "unix:"+operators, "--hub", credited, "--hub-creds", stranger.credentials(t))
	p.sees(`(hub: not ready.*--hub-creds)`)
	until(t, "/readyz to name the option", func() bool {
		r := askAt(t, "unix:"+operators, "GET", "/readyz")
		return r.StatusCode == 503 && strings.Contains(r.body, "--hub-creds")
	})
	if r := p.ask("POST", "/publish/news", "Content-Length: 0\r\n\r\n"); r.StatusCode != 503 {
		t.Errorf("publishing gives %s", r.Status)
	}
	if n := strings.Count(p.stderr.String(), `hub: not ready`); n > 2 { // that it is not connected yet may come first
		t.Errorf("it says so %d times:\n%s", n, p.stderr.String())
	}
}

// TestHubCluster: three weirs that are a cluster of their own speak TLS and have a password, and what is published at one reaches the clients of another.
func TestHubCluster(t *testing.T) {
	t.Parallel()
	ca := certificate(t, "authority")
	host := ownHost()
	var addresses []string
	for range 3 {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, "me:secret@"+l.Addr().String())
		_ = l.Close()
	}
	var weirs []*process
	for i, address := range addresses {
		of := issue(t, ca, fmt.Sprint("weir", i), func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP(host)} })
		weirs = append(weirs, start(t, nil, "demo", "--bind", "127.0.0.1:0", "--test-routes", "--hub", "embedded", "--hub-store", t.TempDir(), "--hub-cluster-listen", address,
			"--hub-routes", strings.Join(addresses, ","), "--hub-name", fmt.Sprint("weir", i), "--hub-ca", ca.cert, "--hub-cert", of.cert, "--hub-key", of.key))
	}
	for _, p := range weirs {
		p.sees(`(hub: ready)`)
	}
	poll := weirs[1].get("/poll/news?timeout=60")
	weirs[1].await(1)
	until(t, "a message to be taken", func() bool { // there may be an election
		return weirs[0].ask("POST", "/publish/news", "Content-Length: 3\r\n\r\none").StatusCode == 200
	})
	if r := <-poll; !strings.Contains(r.body, `"data":"one"`) {
		t.Errorf("a poll on another weir got %s %s", r.Status, r.body)
	}
	for _, p := range weirs {
		if said := p.stderr.String(); strings.Contains(said, "secret") {
			t.Errorf("it logs the password:\n%s", said)
		}
	}
}
