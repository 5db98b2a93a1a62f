package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server/secure"
)

// TLS has a server speak HTTPS, at all of its addresses that speak HTTP.
type TLS struct {
	// Certificates name files of certificates and keys. A client gets the first that is good for the name it asks for (SNI), or else the
	// first. Files that change are read again, without a connection being closed; what cannot be used is logged, and the old one stays.
	Certificates []secure.Pair
	// MinVersion is the least version. Default: tls.VersionTLS12.
	MinVersion uint16
	// ClientCAs is a file of the certificates that those of clients are verified with. It is read again when it changes.
	ClientCAs string
	// ClientCertificates tells whether clients have to show one. Default: RequireCertificate with ClientCAs, else IgnoreCertificates.
	ClientCertificates ClientCertificates
	// HandshakeTimeout is how long a handshake may take from accepting on. Default: 10 s.
	HandshakeTimeout time.Duration
	// MaxHandshakes is how many handshakes may be going on; further clients wait. Default: 1000.
	MaxHandshakes int
	// Config is what the fields above have no word for; they come before it. It may have certificates of its own, or GetCertificate.
	// nil: nothing.
	Config *tls.Config
	// Protocols serve connections for which another protocol than HTTP/1.1 was agreed upon (ALPN), by its name, which is offered to
	// clients before HTTP/1.1. Each is called on a goroutine of its own, with the connection and what is below it, and closes it.
	Protocols map[string]func(c *tls.Conn, d *loop.Detached)
}

// ClientCertificates tells what is asked of clients.
type ClientCertificates string

// What is asked of clients.
const (
	// IgnoreCertificates has clients not asked for one.
	IgnoreCertificates ClientCertificates = "none"
	// OptionalCertificate has a client that shows none served, and one that shows a wrong one refused. SSL_CLIENT_VERIFY tells them apart.
	OptionalCertificate ClientCertificates = "optional"
	// RequireCertificate has a client without one refused.
	RequireCertificate ClientCertificates = "required"
)

// check fills in defaults, and refuses what makes no sense. The result is another TLS.
func (t TLS) check() (*TLS, error) {
	if t.MinVersion == 0 {
		t.MinVersion = tls.VersionTLS12
	}
	if t.MinVersion < tls.VersionTLS12 || t.MinVersion > tls.VersionTLS13 {
		return nil, fmt.Errorf("server: Config.TLS.MinVersion is %#x, want tls.VersionTLS12 or tls.VersionTLS13", t.MinVersion)
	}
	own := t.Config
	if len(t.Certificates) == 0 && (own == nil || len(own.Certificates) == 0 && own.GetCertificate == nil && own.GetConfigForClient == nil) {
		return nil, errors.New("server: Config.TLS.Certificates is empty, want at least one pair of files")
	}
	for _, p := range t.Certificates {
		if p.CertFile == "" {
			return nil, errors.New("server: Config.TLS.Certificates has a pair without CertFile")
		}
	}
	if t.ClientCertificates == "" {
		if t.ClientCertificates = IgnoreCertificates; t.ClientCAs != "" {
			t.ClientCertificates = RequireCertificate
		}
	}
	if _, ok := clientAuth[t.ClientCertificates]; !ok {
		return nil, fmt.Errorf("server: Config.TLS.ClientCertificates is %q, want none, optional or required", t.ClientCertificates)
	}
	if t.ClientCertificates != IgnoreCertificates && t.ClientCAs == "" && (own == nil || own.ClientCAs == nil) {
		return nil, fmt.Errorf("server: Config.TLS.ClientCAs is missing: what are certificates of clients to be verified with?")
	}
	t.HandshakeTimeout = max(orDefault(t.HandshakeTimeout, 10*time.Second), 1)
	if t.MaxHandshakes = orDefault(t.MaxHandshakes, 1000); t.MaxHandshakes == 0 {
		return nil, errors.New("server: Config.TLS.MaxHandshakes is negative, want 1 or more")
	}
	return &t, nil
}

var clientAuth = map[ClientCertificates]tls.ClientAuthType{
	IgnoreCertificates:  tls.NoClientCert,
	OptionalCertificate: tls.VerifyClientCertIfGiven,
	RequireCertificate:  tls.RequireAndVerifyClientCert,
}

// open reads the files.
func (t *TLS) open(log *slog.Logger) (*secure.Files, error) {
	base := &tls.Config{}
	if t.Config != nil {
		base = t.Config.Clone()
	}
	base.MinVersion = max(base.MinVersion, t.MinVersion)
	if t.ClientCertificates != IgnoreCertificates {
		base.ClientAuth = clientAuth[t.ClientCertificates]
	}
	var names []string
	for name := range t.Protocols {
		names = append(names, name)
	}
	slices.Sort(names)
	base.NextProtos = slices.Concat(names, []string{"http/1.1"}, base.NextProtos)
	files, err := secure.OpenFiles(base, t.Certificates, t.ClientCAs, log)
	if err != nil {
		return nil, fmt.Errorf("server: Config.TLS.%w", err)
	}
	return files, nil
}

// acceptor makes connections of HTTPS.
func (s *Server) acceptor(t *TLS, files *secure.Files) *secure.Acceptor {
	return secure.New(&secure.Config{
		TLS:           files.Config,
		NewConn:       s.newConn,
		Protocols:     t.Protocols,
		Timeout:       t.HandshakeTimeout,
		MaxHandshakes: t.MaxHandshakes,
		Compute:       runtime.GOMAXPROCS(0),
		Log:           s.config.Logger,
	})
}
