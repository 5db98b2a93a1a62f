package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/secure"
)

// tlsFlags have the server speak HTTPS.
type tlsFlags struct {
	Certfile         []string      `placeholder:"FILE" sep:"none" help:"Serve HTTPS with the certificate and its chain in FILE (PEM). Repeatable: clients get the one for the name that they ask for."`
	Keyfile          []string      `placeholder:"FILE" sep:"none" help:"Private key of the certificate (PEM); one for each --certfile, in the same order, unless the keys are in those files."`
	TLSMin           string        `name:"tls-min" enum:"1.2,1.3" default:"1.2" placeholder:"VERSION" help:"Least version of TLS: 1.2 or 1.3 (default: ${default})."`
	CACerts          string        `name:"ca-certs" placeholder:"FILE" help:"Certificates that those of clients are verified with (PEM)."`
	CertReqs         string        `placeholder:"WHICH" enum:",none,optional,required,0,1,2" default:"" help:"Certificates of clients: none, optional or required, or gunicorn's 0, 1 and 2 (default: required with --ca-certs)."`
	HandshakeTimeout time.Duration `default:"10s" help:"Time for a TLS handshake."`
	MaxHandshakes    int           `default:"1000" placeholder:"N" help:"TLS handshakes that may be going on; further clients wait (default: ${default})."`

	certificates *tls.Config // that come from elsewhere than files; nil for none
}

// https tells whether the server speaks it.
func (f *tlsFlags) https() bool { return len(f.Certfile) > 0 || f.certificates != nil }

// scheme is that of the server's URLs.
func (f *tlsFlags) scheme() string {
	if f.https() {
		return "https"
	}
	return "http"
}

// apply puts the flags into a server.Config.
func (f *tlsFlags) apply(c *server.Config) error {
	reqs := f.CertReqs
	if i := strings.Index("012", reqs); i >= 0 && reqs != "" { // Python's ssl.CERT_NONE, CERT_OPTIONAL and CERT_REQUIRED
		reqs = [3]string{"none", "optional", "required"}[i]
	}
	switch {
	case len(f.Certfile) == 0 && len(f.Keyfile) > 0:
		return &usageError{"--keyfile needs the --certfile that the key belongs to"}
	case !f.https() && f.CACerts != "":
		return &usageError{"--ca-certs needs --certfile: certificates of clients are a part of HTTPS"}
	case f.CACerts == "" && reqs != "" && reqs != "none":
		return &usageError{fmt.Sprintf("--cert-reqs %s needs --ca-certs, the file that certificates of clients are verified with", f.CertReqs)}
	case f.HandshakeTimeout <= 0:
		return &usageError{"--handshake-timeout must be more than 0"}
	case f.MaxHandshakes < 1:
		return &usageError{"--max-handshakes must be 1 or more"}
	case !f.https():
		return nil
	case !c.SpeaksHTTP():
		return &usageError{"--certfile and --acme are for HTTP, which no --bind speaks: leave them out, the web server in front has the certificate"}
	case len(f.Keyfile) > 0 && len(f.Keyfile) != len(f.Certfile):
		return &usageError{fmt.Sprintf("--keyfile is there %d times, --certfile %d times: give a --keyfile for each --certfile, in the same order",
			len(f.Keyfile), len(f.Certfile))}
	}
	t := &server.TLS{
		MinVersion:         map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[f.TLSMin],
		ClientCAs:          f.CACerts,
		ClientCertificates: server.ClientCertificates(reqs),
		HandshakeTimeout:   f.HandshakeTimeout,
		MaxHandshakes:      f.MaxHandshakes,
		Config:             f.certificates,
	}
	for i, cert := range f.Certfile {
		pair := secure.Pair{CertFile: cert}
		if len(f.Keyfile) > 0 {
			pair.KeyFile = f.Keyfile[i]
		}
		t.Certificates = append(t.Certificates, pair)
	}
	c.TLS = t
	return nil
}

// checkFiles tells of files that cannot be used before something is started that takes longer. Server.New reads them.
func (f *tlsFlags) checkFiles(c *server.Config) error {
	if c.TLS == nil {
		return nil
	}
	_, err := secure.OpenFiles(&tls.Config{}, c.TLS.Certificates, c.TLS.ClientCAs, slog.New(slog.DiscardHandler))
	return tlsFailed(err)
}

// tlsFailed is err with the option in it in the place of the field of server.Config.
func tlsFailed(err error) error {
	var wrong *secure.FileError
	if !errors.As(err, &wrong) {
		return err
	}
	option := map[string]string{"CertFile": "--certfile", "KeyFile": "--keyfile", "ClientCAs": "--ca-certs"}[wrong.Field]
	return fmt.Errorf("%s %s: %w", option, wrong.Path, wrong.Err)
}
