// Package acme has a server's certificates obtained and renewed automatically, from Let's Encrypt or another authority that speaks ACME
// (RFC 8555). It is a thin layer over certmagic, which keeps accounts, keys and certificates in a folder, renews in time, retries, and has
// servers that share the folder take turns.
//
// A server proves that a name is its own within a TLS handshake (TLS-ALPN-01, RFC 8737), which authorities make with port 443, or with an
// answer to a request for HTTP (HTTP-01), which they make of port 80.
package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddyserver/certmagic"
	challenges "github.com/mholt/acmez/v3"
	"go.uber.org/zap"
)

// Directories of Let's Encrypt. Use LetsEncryptStaging to try things out: its limits are wide, and no client trusts its certificates.
const (
	LetsEncrypt        = certmagic.LetsEncryptProductionCA
	LetsEncryptStaging = certmagic.LetsEncryptStagingCA
)

// Config says which certificates there are to be, and who issues them.
type Config struct {
	// Domains are the names, each of which gets a certificate of its own. A client that asks for no name, or for another one, gets that of the first.
	Domains []string
	// Agreed says that the operator agrees to the terms of service of the authority. It must be true.
	Agreed bool
	// Email is where the authority writes to about certificates. Default: none.
	Email string
	// CA is the URL of the authority's directory. Default: LetsEncrypt.
	CA string
	// CARoots are what the authority itself is trusted by, when that is asked for its directory. nil: the system's.
	CARoots *x509.CertPool
	// Dir is where accounts, keys and certificates are kept. It is made for nobody else to read when it is not there. It must last:
	// authorities limit how often they issue the same certificate.
	Dir string
	// HTTP has HTTP-01 used, for which HTTPHandler must be served at port 80, and not TLS-ALPN-01.
	HTTP bool
	// Log is told of what is obtained, and why not. Default: slog.Default().
	Log *slog.Logger
}

// A FieldError tells which field of Config cannot be used, and why.
type FieldError struct {
	Field string
	Err   error
}

func (e *FieldError) Error() string { return "acme: Config." + e.Field + ": " + e.Err.Error() }
func (e *FieldError) Unwrap() error { return e.Err }

// check fills in defaults.
func (c *Config) check() error {
	wrong := func(field, format string, args ...any) error { return &FieldError{field, fmt.Errorf(format, args...)} }
	if len(c.Domains) == 0 {
		return wrong("Domains", "there is none")
	}
	for _, name := range c.Domains {
		switch {
		case strings.Contains(name, "*"):
			return wrong("Domains", "%q: a wildcard needs a proof by DNS, which is not supported; give each name", name)
		case !certmagic.SubjectQualifiesForCert(name) || strings.ContainsAny(name, ":/"):
			return wrong("Domains", "%q is no name that there are certificates for", name)
		}
	}
	if !c.Agreed {
		return wrong("Agreed", "is false: read the terms of service of the authority, and agree to them")
	}
	if c.Email != "" {
		if a, err := mail.ParseAddress(c.Email); err != nil || a.Address != c.Email {
			return wrong("Email", "%q is no address", c.Email)
		}
	}
	if c.CA == "" {
		c.CA = LetsEncrypt
	}
	if u, err := url.Parse(c.CA); err != nil || u.Scheme != "https" || u.Host == "" {
		return wrong("CA", "%q: want the https URL of a directory", c.CA)
	}
	if c.Dir == "" {
		return wrong("Dir", "is empty: certificates must be kept somewhere")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return nil
}

// writable is nil when files can be made in the folder, which is made when it is not there.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".writable-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// A Manager has the certificates. Its methods are safe for use by any goroutine.
type Manager struct {
	config Config
	magic  *certmagic.Config
	issuer *certmagic.ACMEIssuer
	cache  *certmagic.Cache
	stop   context.CancelFunc
	ctx    context.Context
}

// renewCheck is how often certificates are looked at for whether they will soon be over.
var renewCheck = certmagic.DefaultRenewCheckInterval

// New checks the configuration, of which an error is a *FieldError. Before Start nothing is asked of the authority, and no file is touched: a server may become
// another user in between. Close must be called.
func New(config Config) (*Manager, error) {
	config.Domains = slices.Clone(config.Domains)
	if err := config.check(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, &FieldError{"Dir", err}
	}
	m := &Manager{config: config}
	m.ctx, m.stop = context.WithCancel(context.Background())
	// What certmagic logs is for its developers; what happens to a certificate is told by event.
	quiet := zap.NewNop()
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		RenewCheckInterval: renewCheck,
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return m.magic, nil },
		Logger:             quiet,
	})
	m.magic = certmagic.New(m.cache, certmagic.Config{
		Storage:            &certmagic.FileStorage{Path: dir},
		DefaultServerName:  config.Domains[0],
		FallbackServerName: config.Domains[0],
		OnEvent:            m.event,
		Logger:             quiet,
	})
	m.issuer = certmagic.NewACMEIssuer(m.magic, certmagic.ACMEIssuer{
		CA:                      config.CA,
		Email:                   config.Email,
		Agreed:                  true,
		TrustedRoots:            config.CARoots,
		DisableHTTPChallenge:    !config.HTTP,
		DisableTLSALPNChallenge: config.HTTP,
		Logger:                  quiet,
	})
	m.magic.Issuers = []certmagic.Issuer{m.issuer}
	return m, nil
}

// Start loads what the folder has, and obtains what it lacks, in the background; so is renewed what will soon be over. It is called when the
// server listens already, because the authority comes back to it. port is the one that it listens at: for TLS, or for HTTP with Config.HTTP.
// An authority that comes to 443 or 80 must be led there. A folder that cannot be used is a *FieldError.
func (m *Manager) Start(port int) error {
	if err := writable(m.config.Dir); err != nil {
		return &FieldError{"Dir", err}
	}
	if m.config.HTTP {
		m.issuer.AltHTTPPort = port
	} else {
		m.issuer.AltTLSALPNPort = port
	}
	if err := m.magic.ManageAsync(m.ctx, m.config.Domains); err != nil {
		return fmt.Errorf("acme: %w", err)
	}
	return nil
}

// TLSConfig is what a server needs for handshakes: GetCertificate, and the protocol of TLS-ALPN-01. Until there is a
// certificate, handshakes fail. The caller owns it.
func (m *Manager) TLSConfig() *tls.Config {
	config := &tls.Config{GetCertificate: m.magic.GetCertificate}
	if !m.config.HTTP {
		config.NextProtos = []string{challenges.ACMETLS1Protocol}
	}
	return config
}

// HTTPHandler answers the authority's requests for HTTP-01, and has next answer the others.
func (m *Manager) HTTPHandler(next http.Handler) http.Handler {
	return m.issuer.HTTPChallengeHandler(next)
}

// event logs what happens to certificates, a line each.
func (m *Manager) event(_ context.Context, name string, data map[string]any) error {
	switch domain, renewal := data["identifier"], data["renewal"]; name {
	case "cert_obtained":
		m.config.Log.Info("certificate obtained", "domain", domain, "renewal", renewal)
	case "cert_failed":
		if m.ctx.Err() == nil {
			m.config.Log.Error("no certificate, it is tried again later", "domain", domain, "renewal", renewal, "ca", m.config.CA, "error", oneLine(data["error"]))
		}
	}
	return nil
}

func oneLine(err any) string { return strings.Join(strings.Fields(fmt.Sprint(err)), " ") }

// Close ends what goes on in the background. It may be called twice.
func (m *Manager) Close() error {
	if m.ctx.Err() == nil {
		m.stop()
		m.cache.Stop()
	}
	return nil
}
