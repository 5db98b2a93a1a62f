package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/weirhttp/weir/server/acme"
)

// acmeFlags have certificates obtained and renewed automatically.
type acmeFlags struct {
	Acme      []string `placeholder:"DOMAIN" sep:"none" help:"Serve HTTPS with a certificate for DOMAIN that is obtained and renewed automatically (ACME). The authority must reach the server at port 443 of DOMAIN. Repeatable."`
	AcmeAgree bool     `help:"You agree to the terms of service of the authority, which --acme needs."`
	AcmeEmail string   `placeholder:"ADDRESS" help:"Where the authority writes to about the certificates (default: none)."`
	AcmeCA    string   `name:"acme-ca" placeholder:"URL" help:"Directory of the authority (default: Let's Encrypt's)."`
	AcmeDir   string   `placeholder:"DIR" help:"Where keys and certificates are kept (default: acme in STATE_DIRECTORY, or weir/acme in XDG_DATA_HOME or ~/.local/share)."`

	manager *acme.Manager // nil without --acme
}

// apply checks the flags, and has handshakes done with what the authority issues.
func (f *acmeFlags) apply(t *tlsFlags) error {
	if len(f.Acme) == 0 {
		for _, option := range []struct {
			name  string
			given bool
		}{{"--acme-agree", f.AcmeAgree}, {"--acme-email", f.AcmeEmail != ""}, {"--acme-ca", f.AcmeCA != ""}, {"--acme-dir", f.AcmeDir != ""}} {
			if option.given {
				return &usageError{option.name + " needs --acme DOMAIN, the name that a certificate is for"}
			}
		}
		return nil
	}
	if len(t.Certfile) > 0 {
		return &usageError{"--acme and --certfile exclude each other: certificates are either obtained or given"}
	}
	if !f.AcmeAgree {
		return &usageError{fmt.Sprintf("--acme needs --acme-agree, which says that you agree to the terms of service of %s", cmp.Or(f.AcmeCA, "Let's Encrypt (https://letsencrypt.org/repository)"))}
	}
	dir := f.dir()
	if dir == "" {
		return &usageError{"--acme needs --acme-dir, where keys and certificates are kept: there is no home directory to put them into"}
	}
	if f.manager != nil { // the flags are looked at before Python is started, and again
		return nil
	}
	manager, err := acme.New(acme.Config{Domains: f.Acme, Agreed: true, Email: f.AcmeEmail, CA: f.AcmeCA, Dir: dir})
	if err != nil {
		return acmeFailed(err)
	}
	f.manager, t.certificates = manager, manager.TLSConfig()
	return nil
}

// acmeFailed is err with the option in it in the place of the field of acme.Config.
func acmeFailed(err error) error {
	var wrong *acme.FieldError
	if !errors.As(err, &wrong) {
		return err
	}
	option := map[string]string{"Domains": "--acme", "Email": "--acme-email", "CA": "--acme-ca", "Dir": "--acme-dir"}[wrong.Field]
	line := option + ": " + wrong.Err.Error()
	if wrong.Field == "Dir" {
		return errors.New(line)
	}
	return &usageError{line}
}

// dir is where keys and certificates are kept.
func (f *acmeFlags) dir() string { return cmp.Or(f.AcmeDir, acmeDir()) }

// acmeDir is where a service, or somebody's own server, keeps what must last.
func acmeDir() string {
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" { // of systemd; the first of several
		return filepath.Join(filepath.SplitList(dir)[0], "acme")
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "weir", "acme")
	}
	if home, err := os.UserHomeDir(); err == nil && home != "" {
		return filepath.Join(home, ".local", "share", "weir", "acme")
	}
	return ""
}

// start has certificates obtained in the background, now that the server listens at the addresses, and is the user that it stays.
func (f *acmeFlags) start(addresses []string) error {
	if f.manager == nil {
		return nil
	}
	return acmeFailed(f.manager.Start(acmePort(addresses)))
}

// acmePort is where the authority's handshakes come: at 443 when the server listens there itself, else at the first port that it has.
func acmePort(addresses []string) int {
	const https = 443
	first := 0
	for _, address := range addresses {
		_, text, err := net.SplitHostPort(address)
		if err != nil {
			continue // a Unix socket
		}
		port, _ := strconv.Atoi(text)
		if port == https {
			return https
		}
		first = cmp.Or(first, port)
	}
	return cmp.Or(first, https)
}

func (f *acmeFlags) stop() {
	if f.manager != nil {
		_ = f.manager.Close()
	}
}
