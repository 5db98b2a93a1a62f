package nats

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	client "github.com/nats-io/nats.go"
)

// refusal is why there is no connection though a server is there: it, or this side, does not take what the options have.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

// away is why there is no connection.
func (s *Store) away() error {
	err := s.conn.LastError()
	if err == nil {
		err = client.ErrNoServers
	}
	if r := s.refusal(); r != nil && errors.Is(err, client.ErrNoServers) { // what the library says when it has tried them all
		return r
	}
	text := "not connected: " + strings.TrimPrefix(err.Error(), "nats: ")
	if options := about(err); options != "" {
		if s.options.Names != nil {
			options = s.options.Names.Replace(options)
		}
		return &refusal{fmt.Sprintf("%s (look at %s)", text, options)}
	}
	return errors.New(text)
}

// refusal is what is wrong so far, if that is one.
func (s *Store) refusal() (r *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	errors.As(s.trouble, &r)
	return r
}

// about are the options that have to do with a failure to connect, "" when that cannot be told.
func about(err error) string {
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	switch {
	case errors.As(err, &certificate):
		return "Options.CA"
	case errors.As(err, &alert), errors.Is(err, client.ErrTLS): // the library takes a connection that ends so for a certificate that is not liked
		return "Options.Certificate and Key"
	case errors.Is(err, client.ErrSecureConnRequired), errors.Is(err, client.ErrSecureConnWanted):
		return "Options.Servers"
	}
	text := strings.ToLower(err.Error()) // the library has errors of several types for it
	for _, refusal := range []string{client.AUTHORIZATION_ERR, client.AUTHENTICATION_EXPIRED_ERR, client.AUTHENTICATION_REVOKED_ERR, client.ACCOUNT_AUTHENTICATION_EXPIRED_ERR} {
		if strings.Contains(text, refusal) {
			return "Options.Credentials, or user and password in Options.Servers"
		}
	}
	return ""
}

// refused tells whether it is no use to try again: NATS has never taken the connection, and says that it will not.
func (s *Store) refused(err error) bool {
	var r *refusal
	return !s.known.Load() && errors.As(err, &r)
}
