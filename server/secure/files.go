package secure

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Pair names the files, in PEM form, of a certificate with its chain and of its private key. An empty KeyFile means that the
// key is in CertFile.
type Pair struct{ CertFile, KeyFile string }

// Files are what a server proves itself with, and what it asks of clients, kept up to date: a file that has changed is read again
// when a handshake begins, at most once in lookPeriod. Its methods are safe for use by any goroutine.
type Files struct {
	base  *tls.Config
	pairs []Pair
	ca    string // "": none
	log   *slog.Logger

	current atomic.Pointer[tls.Config]
	looked  atomic.Int64 // nanoseconds since started
	started time.Time
	stamps  []stamp // of the files as they were read last; the one's whose swap of looked has succeeded
	looking atomic.Bool
}

// lookPeriod is how long a change of a file may go unnoticed.
const lookPeriod = time.Second

// FileError tells which file cannot be used, and of which field of server.TLS it is.
type FileError struct {
	Field, Path string
	Err         error
}

func (e *FileError) Error() string { return e.Field + ": " + e.Path + ": " + e.Err.Error() }
func (e *FileError) Unwrap() error { return e.Err }

// OpenFiles reads the files. base is what the configuration of handshakes has beside them; it is not changed any more. ca is a
// file of certificates that those of clients are verified with, "" for none.
func OpenFiles(base *tls.Config, pairs []Pair, ca string, log *slog.Logger) (*Files, error) {
	f := &Files{base: base, pairs: pairs, ca: ca, log: log, started: time.Now()}
	f.stamps = f.look()
	config, err := f.read()
	if err != nil {
		return nil, err
	}
	f.current.Store(config)
	return f, nil
}

// Config is the configuration of a handshake that begins.
func (f *Files) Config() *tls.Config {
	now := int64(time.Since(f.started))
	if now-f.looked.Load() >= int64(lookPeriod) && f.looking.CompareAndSwap(false, true) {
		f.refresh()
		f.looked.Store(now)
		f.looking.Store(false)
	}
	return f.current.Load()
}

// refresh reads the files again if they have changed. When they cannot be used, what was read before stays, and
// they are tried again after the next change.
func (f *Files) refresh() {
	stamps := f.look()
	changed := false
	for i := range stamps {
		changed = changed || stamps[i] != f.stamps[i]
	}
	if !changed {
		return
	}
	f.stamps = stamps
	config, err := f.read()
	if err != nil {
		f.log.Error("TLS files have changed and cannot be used, those of before stay", "error", err)
		return
	}
	f.current.Store(config)
	f.log.Info("TLS files have changed and were read again")
}

// stamp is what tells one content of a file from another.
type stamp struct {
	changed time.Time
	size    int64
	file    fileID
}

func (f *Files) look() (stamps []stamp) {
	for _, path := range f.paths() {
		var s stamp
		if info, err := os.Stat(path); err == nil {
			s = stamp{info.ModTime(), info.Size(), identify(info)}
		}
		stamps = append(stamps, s)
	}
	return stamps
}

func (f *Files) paths() (paths []string) {
	for _, p := range f.pairs {
		paths = append(paths, p.CertFile)
		if p.KeyFile != "" {
			paths = append(paths, p.KeyFile)
		}
	}
	if f.ca != "" {
		paths = append(paths, f.ca)
	}
	return paths
}

// read makes a configuration of the files.
func (f *Files) read() (*tls.Config, error) {
	config := f.base.Clone()
	for _, p := range f.pairs {
		certificate, err := p.read()
		if err != nil {
			return nil, err
		}
		f.warn(p.CertFile, certificate.Leaf)
		config.Certificates = append(config.Certificates, certificate)
	}
	if f.ca == "" {
		return config, nil
	}
	text, err := readFile("ClientCAs", f.ca)
	if err != nil {
		return nil, err
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(text) {
		return nil, &FileError{"ClientCAs", f.ca, errNoCertificate}
	}
	return config, nil
}

// warn tells of a certificate that clients will refuse.
func (f *Files) warn(path string, leaf *x509.Certificate) {
	switch now := time.Now(); {
	case now.After(leaf.NotAfter):
		f.log.Warn("the certificate has expired, clients will refuse it", "file", path, "expired", leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		f.log.Warn("the certificate is not valid yet, clients will refuse it", "file", path, "from", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
}

var (
	errNoCertificate = errors.New("there is no certificate in it; it must be PEM, with lines BEGIN CERTIFICATE")
	errNoKey         = errors.New("there is no private key in it; it must be PEM, with a line BEGIN PRIVATE KEY")
	errEncrypted     = errors.New("the key is encrypted; decrypt it with: openssl pkey -in KEY -out PLAIN")
)

// read reads the files of a pair.
func (p Pair) read() (c tls.Certificate, err error) {
	chain, err := readFile("CertFile", p.CertFile)
	if err != nil {
		return c, err
	}
	if !hasBlock(chain, "CERTIFICATE") {
		return c, &FileError{"CertFile", p.CertFile, errNoCertificate}
	}
	key, field, path := chain, "CertFile", p.CertFile
	if p.KeyFile != "" {
		field, path = "KeyFile", p.KeyFile
		if key, err = readFile(field, path); err != nil {
			return c, err
		}
	}
	switch {
	case bytes.Contains(key, []byte("ENCRYPTED")):
		return c, &FileError{field, path, errEncrypted}
	case !hasBlock(key, "PRIVATE KEY") && p.KeyFile == "":
		return c, &FileError{"KeyFile", path, errors.New("it has no private key, so that a file with the key has to be named")}
	case !hasBlock(key, "PRIVATE KEY"):
		return c, &FileError{field, path, errNoKey}
	}
	if c, err = tls.X509KeyPair(chain, key); err == nil {
		return c, nil
	}
	if strings.Contains(err.Error(), "does not match") {
		return c, &FileError{field, path, fmt.Errorf("the key is not that of the certificate in %s", p.CertFile)}
	}
	return c, &FileError{field, path, err}
}

// hasBlock tells whether there is a PEM block whose type ends so.
func hasBlock(text []byte, kind string) bool {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return false
		}
		if strings.HasSuffix(block.Type, kind) {
			return true
		}
	}
}

func readFile(field, path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	var wrong *fs.PathError
	if errors.As(err, &wrong) {
		err = wrong.Err
	}
	switch {
	case err == nil:
		return text, nil
	case errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("%w; the user that the server runs as must be able to read it", err)
	}
	return nil, &FileError{field, path, err}
}
