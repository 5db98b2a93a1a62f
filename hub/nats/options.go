package nats

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"os"
	"strings"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/weirhttp/weir/hub"
)

// Options say where the stream is, and what it keeps. What is zero has the default.
type Options struct {
	// Servers are the URLs of NATS servers, separated by commas: nats://HOST:PORT, tls:// or ws://. User and password,
	// or a token, may be in them. One of a cluster will do: it tells of the others.
	Servers string
	// Credentials is the path of a .creds file: a JWT and its key.
	Credentials string
	// CA is the path of certificates (PEM) that the server's is checked with; Certificate and Key are what the server
	// checks.
	CA, Certificate, Key string
	// InProcess is a server in this process, instead of Servers, and User what it asks for; nil: for nothing.
	InProcess client.InProcessConnProvider
	User      *url.Userinfo

	// Stream is the name of the stream ("weir"), and the first token of its subjects. It is created when there is
	// none.
	Stream string
	// History bounds what the stream keeps, and what this node has of it in memory: Messages for each topic, Age,
	// TotalBytes in all. The others bound the memory only. First has no meaning, and Wildcards is of this node alone. Where a stream is smaller than that,
	// it counts. A hub that is made later has another's messages only as far as the stream has them.
	History hub.MemoryOptions
	// Replicas is how many servers of a cluster have the stream (1); 3 survives the loss of any of them.
	Replicas int
	// MemoryStorage has the servers keep the stream in memory and not in files.
	MemoryStorage bool

	// KeepBounds has the stream keep the bounds that it has, should they differ.
	KeepBounds bool
	// PublishTimeout bounds how long Append waits for the acknowledgement (5 s). It tries again within it.
	PublishTimeout time.Duration
	// Log is told when the store ceases to be ready, and when it is again (slog.Default).
	Log *slog.Logger
	// Names has errors call the options what the user calls them: "Options.CA" and so on are replaced. nil: they are not.
	Names *strings.Replacer
}

// setDefaults completes o, and tells what is wrong with it.
func (o *Options) setDefaults() error {
	o.Stream = cmp.Or(o.Stream, "weir")
	o.History.Messages = cmp.Or(o.History.Messages, 1000)
	o.History.Age = cmp.Or(o.History.Age, 10*time.Minute)
	o.History.TotalBytes = cmp.Or(o.History.TotalBytes, 256<<20)
	o.Replicas = cmp.Or(o.Replicas, 1)
	o.PublishTimeout = cmp.Or(o.PublishTimeout, 5*time.Second)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	switch {
	case strings.ContainsFunc(o.Stream, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`.*>/\%`, r) }):
		return fmt.Errorf("hub/nats: Options.Stream is %q, and may be letters, digits, - and _", o.Stream)
	case o.History.Messages < 1 || o.History.Messages == math.MaxInt:
		return errors.New("hub/nats: Options.History.Messages must be 1 or more")
	case o.History.Age < 100*time.Millisecond:
		return errors.New("hub/nats: Options.History.Age must be 100 ms or more")
	case o.History.TotalBytes < 1:
		return errors.New("hub/nats: Options.History.TotalBytes must be 1 or more")
	case o.Replicas < 1 || o.Replicas > 5:
		return errors.New("hub/nats: Options.Replicas must be 1 to 5")
	case o.PublishTimeout < 0:
		return errors.New("hub/nats: Options.PublishTimeout must be above 0")
	case (o.Certificate == "") != (o.Key == ""):
		return errors.New("hub/nats: Options.Certificate and Key go together")
	}
	return o.checkServers()
}

func (o *Options) checkServers() error {
	if o.InProcess != nil {
		return nil
	}
	for server := range strings.SplitSeq(o.Servers, ",") {
		server = strings.TrimSpace(server)
		u, err := url.Parse(server)
		if err != nil { // its text has the password
			return errors.New("hub/nats: Options.Servers has what is no URL")
		}
		switch u.Scheme {
		case "nats", "tls", "ws", "wss":
		default:
			return fmt.Errorf("hub/nats: Options.Servers has %s, which is not nats://HOST:PORT", u.Redacted())
		}
		if u.Hostname() == "" {
			return fmt.Errorf("hub/nats: Options.Servers has %s, which names no host", u.Redacted())
		}
	}
	return nil
}

// checkCredentials tells why a .creds file cannot be used.
func checkCredentials(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = nkeys.ParseDecoratedJWT(content)
	if err == nil {
		_, err = nkeys.ParseDecoratedUserNKey(content)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// connection are the options of the client. Files are read here, so that one that cannot be is known at once.
func (o *Options) connection() ([]client.Option, error) {
	options := []client.Option{
		client.Name("weir"),
		client.MaxReconnects(-1),
		client.RetryOnFailedConnect(true),
		client.IgnoreAuthErrorAbort(),
		client.ReconnectBufSize(-1), // what cannot be sent is not kept: who publishes is to know
		client.ReconnectWait(200 * time.Millisecond),
		client.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		client.Timeout(2 * time.Second),
		client.PingInterval(5 * time.Second),
		client.MaxPingsOutstanding(2),
	}
	if o.InProcess != nil {
		options = append(options, client.InProcessServer(o.InProcess))
		password, _ := o.User.Password()
		options = append(options, client.UserInfo(o.User.Username(), password))
	}
	if o.Credentials != "" {
		if err := checkCredentials(o.Credentials); err != nil {
			return nil, fmt.Errorf("hub/nats: Options.Credentials: %w", err)
		}
		options = append(options, client.UserCredentials(o.Credentials))
	}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err == nil && !x509.NewCertPool().AppendCertsFromPEM(pem) {
			err = fmt.Errorf("%s has no certificate", o.CA)
		}
		if err != nil {
			return nil, fmt.Errorf("hub/nats: Options.CA: %w", err)
		}
		options = append(options, client.RootCAs(o.CA))
	}
	if o.Certificate != "" {
		if _, err := tls.LoadX509KeyPair(o.Certificate, o.Key); err != nil {
			return nil, fmt.Errorf("hub/nats: Options.Certificate and Key: %w", err)
		}
		options = append(options, client.ClientCert(o.Certificate, o.Key))
	}
	return options, nil
}
