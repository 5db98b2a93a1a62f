// Package embedded runs a NATS server in the process, alone or in a cluster of such processes, for a store of package
// hub/nats that needs no server of its own.
package embedded

import (
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/sys/unix"
)

// Options are the settings of a Server. What is zero has the default.
type Options struct {
	// Dir is the directory of the stream's files. It is made when it is not there. Default: a temporary one, which goes
	// with the server.
	Dir string
	// Listen is HOST:PORT for clients of NATS that are not in the process. Default: none are let in.
	Listen string

	// ClusterListen is where the other servers of the cluster connect: HOST:PORT, with USER:PASSWORD@ in front where they
	// are to prove who they are. Default: there are no others.
	ClusterListen string
	// Routes are the addresses of the others, in the same form and separated by commas; this server's own may be among them.
	Routes string
	// Cluster is the name of the cluster ("weir"), Name that of the server in it (the name of the machine and the port of
	// ClusterListen). A server keeps its name and its directory when it is started again.
	Cluster, Name string
	// CA, Certificate and Key are paths of PEM files. With them servers of the cluster speak TLS, and check one another.
	CA, Certificate, Key string

	// Log is told of what NATS has to say (slog.Default).
	Log *slog.Logger
}

// Server is a NATS server with JetStream. Its methods are safe for use by any goroutine.
type Server struct {
	server    *server.Server
	temporary string
	user      *url.Userinfo
	lock      *os.File
}

// startTime bounds how long a server may take until it can be connected to.
const startTime = 10 * time.Second

// Start starts a server. It does not wait for the others of its cluster.
func Start(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := new(Server)
	options, err := o.server()
	if err != nil {
		return nil, err
	}
	if options.Username != "" {
		s.user = url.UserPassword(options.Username, options.Password)
	}
	if o.Dir == "" {
		if s.temporary, err = os.MkdirTemp("", "weir-hub-"); err != nil {
			return nil, fmt.Errorf("hub/nats/embedded: %w", err)
		}
		options.StoreDir = s.temporary
	}
	if s.lock, err = lock(options.StoreDir); err != nil {
		s.removeDir()
		return nil, fmt.Errorf("hub/nats/embedded: %w", err)
	}
	if s.server, err = server.NewServer(options); err != nil {
		_ = s.lock.Close()
		s.removeDir()
		return nil, fmt.Errorf("hub/nats/embedded: %w", err)
	}
	l := &logger{log: o.Log}
	s.server.SetLoggerV2(l, false, false, false)
	s.server.Start()
	if !s.server.ReadyForConnections(startTime) || !s.server.JetStreamEnabled() {
		s.Stop()
		return nil, fmt.Errorf("hub/nats/embedded: the server does not start: %s", cmp.Or(l.last(), "it took too long"))
	}
	return s, nil
}

// InProcessConn returns a connection of a client in the process.
func (s *Server) InProcessConn() (net.Conn, error) { return s.server.InProcessConn() }

// User is what connections of InProcessConn log in with; nil: with nothing.
func (s *Server) User() *url.Userinfo { return s.user }

// URL is where clients that are not in the process connect, "" when they may not.
func (s *Server) URL() string {
	if s.user != nil || s.server.Addr() == nil {
		return ""
	}
	return s.server.ClientURL()
}

// Stop stops the server, and waits until it has written what it has.
func (s *Server) Stop() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	_ = s.lock.Close()
	s.removeDir()
}

// lock takes the directory for this process: NATS would let two servers write into one.
func lock(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "weir.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if err == unix.EWOULDBLOCK {
			return nil, fmt.Errorf("Options.Dir: %s is used by another process", dir)
		}
		return nil, fmt.Errorf("Options.Dir: %s: %w", dir, err)
	}
	return f, nil
}

func (s *Server) removeDir() {
	if s.temporary != "" {
		_ = os.RemoveAll(s.temporary)
	}
}

// server are the options for NATS.
func (o *Options) server() (*server.Options, error) {
	n := &server.Options{JetStream: true, StoreDir: o.Dir, NoSigs: true, DontListen: o.Listen == "", DisableJetStreamBanner: true}
	var err error
	if o.Listen != "" {
		if n.Host, n.Port, err = hostPort(o.Listen); err != nil {
			return nil, fmt.Errorf("hub/nats/embedded: Options.Listen is %q: %w", o.Listen, err)
		}
	}
	if o.ClusterListen == "" {
		if o.Routes != "" {
			return nil, errors.New("hub/nats/embedded: Options.Routes need Options.ClusterListen")
		}
		return n, nil
	}
	own, err := route(o.ClusterListen)
	if err != nil {
		return nil, fmt.Errorf("hub/nats/embedded: Options.ClusterListen is not HOST:PORT: %w", err)
	}
	c := &n.Cluster
	c.Name = cmp.Or(o.Cluster, "weir")
	if c.Host, c.Port, err = hostPort(own.Host); err != nil {
		return nil, fmt.Errorf("hub/nats/embedded: Options.ClusterListen: %w", err)
	}
	c.Username = own.User.Username()
	c.Password, _ = own.User.Password()
	c.NoAdvertise = true // clients in the process stay with this server
	if o.Listen == "" {
		// NATS begins with its routes when it has a listener for clients: nobody knows how to pass this one.
		n.DontListen, n.Host, n.Port = false, "127.0.0.1", server.RANDOM_PORT
		n.Username, n.Password = "weir", rand.Text()
	}
	if o.Routes != "" {
		for address := range strings.SplitSeq(o.Routes, ",") {
			u, err := route(strings.TrimSpace(address))
			if err != nil {
				return nil, fmt.Errorf("hub/nats/embedded: Options.Routes has what is not HOST:PORT: %w", err)
			}
			n.Routes = append(n.Routes, u)
		}
	}
	if n.ServerName = o.Name; n.ServerName == "" {
		machine, err := os.Hostname()
		if err != nil {
			return nil, err
		}
		n.ServerName = fmt.Sprintf("%s-%d", machine, c.Port)
	}
	if o.Certificate != "" {
		c.TLSConfig, err = o.tls()
		c.TLSTimeout = 5
	}
	return n, err
}

// tls is how servers of the cluster speak with one another.
func (o *Options) tls() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(o.Certificate, o.Key)
	if err != nil {
		return nil, fmt.Errorf("hub/nats/embedded: Options.Certificate and Key: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, fmt.Errorf("hub/nats/embedded: Options.CA: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("hub/nats/embedded: Options.CA: %s has no certificate", o.CA)
		}
		c.ClientCAs = c.RootCAs
	}
	return c, nil
}

// route reads HOST:PORT, with or without a scheme and a user.
func route(address string) (*url.URL, error) {
	if !strings.Contains(address, "://") {
		address = "nats://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("it cannot be read") // the text of err has the password
	}
	if u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "nats-route" {
		return nil, fmt.Errorf("%s:// is not nats://", u.Scheme)
	}
	if u.Hostname() == "" || u.Port() == "" {
		return nil, errors.New("it lacks a host or a port")
	}
	return u, nil
}

func hostPort(address string) (host string, port int, err error) {
	host, digits, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, errors.New("it is not HOST:PORT")
	}
	port, err = strconv.Atoi(digits)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, errors.New("the port is not a number up to 65535")
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}
