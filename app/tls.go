package app

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"
)

// Encrypted is a Source that tells of the encryption of its connection.
type Encrypted interface {
	// TLS is what client and server have agreed upon; nil when the connection is not encrypted. It is not changed any more.
	TLS() *tls.ConnectionState
}

// TLS is what client and server have agreed upon, nil when the connection is not encrypted by this server. It must not be
// changed, and may be kept. SSL_PROTOCOL, SSL_CIPHER and the other keys of TLSKeys are made of it.
func (e *Environ) TLS() *tls.ConnectionState {
	if s, ok := e.source.(Encrypted); ok {
		return s.TLS()
	}
	return nil
}

// TLSKeys are the keys that an environ has for encrypted connections, by the names and in the form of Apache's mod_ssl. Those
// of the client's certificate are there when it has shown one that was verified.
func TLSKeys() []string { return tlsKeys }

var tlsKeys = []string{
	"SSL_PROTOCOL", "SSL_CIPHER", "SSL_TLS_SNI", "SSL_CLIENT_VERIFY", "SSL_CLIENT_S_DN", "SSL_CLIENT_S_DN_CN", "SSL_CLIENT_I_DN",
	"SSL_CLIENT_M_SERIAL", "SSL_CLIENT_V_START", "SSL_CLIENT_V_END", "SSL_CLIENT_CERT",
}

// tlsKey answers one of TLSKeys.
func tlsKey(state *tls.ConnectionState, key string) (string, bool) {
	switch key {
	case "SSL_PROTOCOL":
		return tlsVersion(state.Version), true
	case "SSL_CIPHER":
		return cipherName(state.CipherSuite), true
	case "SSL_TLS_SNI":
		return state.ServerName, state.ServerName != ""
	case "SSL_CLIENT_VERIFY":
		if len(state.VerifiedChains) > 0 {
			return "SUCCESS", true
		}
		return "NONE", true
	}
	if len(state.VerifiedChains) == 0 {
		return "", false
	}
	return certificateKey(state.PeerCertificates[0], key)
}

// certificateKey answers the keys of the client's certificate.
func certificateKey(c *x509.Certificate, key string) (string, bool) {
	switch key {
	case "SSL_CLIENT_S_DN":
		return c.Subject.String(), true
	case "SSL_CLIENT_S_DN_CN":
		return c.Subject.CommonName, c.Subject.CommonName != ""
	case "SSL_CLIENT_I_DN":
		return c.Issuer.String(), true
	case "SSL_CLIENT_M_SERIAL":
		return strings.ToUpper(c.SerialNumber.Text(16)), true
	case "SSL_CLIENT_V_START":
		return certificateTime(c.NotBefore), true
	case "SSL_CLIENT_V_END":
		return certificateTime(c.NotAfter), true
	case "SSL_CLIENT_CERT":
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})), true
	}
	return "", false
}

func certificateTime(t time.Time) string { return t.UTC().Format("Jan _2 15:04:05 2006 GMT") }

// tlsVersion is a version as mod_ssl names it: TLSv1.3.
func tlsVersion(version uint16) string {
	return strings.Replace(tls.VersionName(version), "TLS ", "TLSv", 1)
}

// cipherName is the name that OpenSSL has for a cipher suite. Those of TLS 1.3 have their standard name.
func cipherName(id uint16) string {
	name := tls.CipherSuiteName(id)
	rest, old := strings.CutPrefix(name, "TLS_")
	exchange, cipher, old2 := strings.Cut(rest, "_WITH_")
	if !old || !old2 {
		return name
	}
	cipher = strings.TrimSuffix(cipher, "_SHA256")
	switch {
	case strings.HasPrefix(cipher, "CHACHA20"):
	case strings.HasSuffix(name, "_SHA256"):
		cipher += "_SHA256"
	}
	cipher = strings.NewReplacer("AES_128_CBC", "AES128", "AES_256_CBC", "AES256", "AES_128", "AES128", "AES_256", "AES256", "3DES_EDE_CBC", "DES_CBC3",
		"RC4_128", "RC4").Replace(cipher)
	if exchange == "RSA" {
		return strings.ReplaceAll(cipher, "_", "-")
	}
	return strings.ReplaceAll(exchange+"_"+cipher, "_", "-")
}
