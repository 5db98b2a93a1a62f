package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/hub/nats"
	"github.com/weirhttp/weir/hub/nats/embedded"
)

// natsFlags say how NATS is spoken to, for all commands that do.
type natsFlags struct {
	HubStream string `default:"weir" placeholder:"NAME" help:"Stream of NATS JetStream that has the messages, and first token of its subjects (default: ${default})."`
	HubCreds  string `placeholder:"FILE" help:"Credentials for NATS: a .creds file. User and password may be in the URL instead."`
	HubCA     string `name:"hub-ca" placeholder:"FILE" help:"Certificates (PEM) that those of NATS servers are verified with."`
	HubCert   string `placeholder:"FILE" help:"Certificate (PEM) that NATS servers are shown."`
	HubKey    string `placeholder:"FILE" help:"Its private key (PEM)."`
}

// options are those of a store on servers.
func (f *natsFlags) options(servers string) nats.Options {
	return nats.Options{Servers: servers, Stream: f.HubStream, Credentials: f.HubCreds, CA: f.HubCA, Certificate: f.HubCert, Key: f.HubKey, Names: optionNames}
}

// check tells what is wrong with what does not need a server.
func (f *natsFlags) check() error {
	if (f.HubCert == "") != (f.HubKey == "") {
		return &usageError{"--hub-cert and --hub-key go together"}
	}
	if f.HubStream == "" || strings.ContainsFunc(f.HubStream, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
	}) {
		return &usageError{fmt.Sprintf("--hub-stream must be letters, digits, - and _, not %q", f.HubStream)}
	}
	return nil
}

// serversOf tells whether hub names NATS servers.
func serversOf(hub string) bool { return strings.Contains(hub, "://") }

// hubFlags say where messages are kept that clients wait for.
type hubFlags struct {
	Hub            string        `default:"memory" placeholder:"WHERE" help:"Where messages for waiting clients are kept: memory, nats://HOST:PORT,... for a NATS JetStream that several weirs share, or embedded for a NATS server in this process (default: ${default})."`
	HubMaxAge      time.Duration `default:"10m" help:"How long a message is kept for clients that come back."`
	HubMaxMessages int           `default:"1000" placeholder:"N" help:"Messages that are kept of a topic (default: ${default})."`
	HubMaxBytes    int           `default:"268435456" placeholder:"OCTETS" help:"What is kept of all topics together (default: ${default})."`
	HubWildcards   bool          `help:"Let those who wait for messages name many topics at once: * in the place of one part between dots, > at the end for all further ones."`
	HubReplicas    int           `placeholder:"N" help:"NATS servers of a cluster that have the stream, 1 to 5 (default: 1; for embedded as many as there are, up to 3)."`
	natsFlags

	HubStore         string `placeholder:"DIR" help:"Directory for the messages of --hub embedded (default: they are in memory, and go with the process)."`
	HubListen        string `placeholder:"ADDR" help:"HOST:PORT at which --hub embedded lets clients of NATS in, such as weir tail. Off by default."`
	HubClusterListen string `placeholder:"ADDR" help:"HOST:PORT at which --hub embedded is reached by the other weirs of its cluster; USER:PASSWORD@ in front asks them for these."`
	HubRoutes        string `placeholder:"LIST" help:"Addresses (--hub-cluster-listen) of the other weirs, separated by commas."`
	HubCluster       string `default:"weir" placeholder:"NAME" help:"Name of the cluster of weirs (default: ${default})."`
	HubName          string `placeholder:"NAME" help:"Name of this weir in the cluster, which it keeps (default: the name of the machine and the port of --hub-cluster-listen)."`

	store    *nats.Store      // nil: it is in memory
	embedded *embedded.Server // nil: there is none
}

// check tells what is wrong.
func (f *hubFlags) check() error {
	for _, limit := range []struct {
		name         string
		value, least int64
	}{
		{"hub-max-messages", int64(f.HubMaxMessages), 1},
		{"hub-max-bytes", int64(f.HubMaxBytes), 1},
		{"hub-replicas", int64(f.HubReplicas), 0},
	} {
		if limit.value < limit.least {
			return &usageError{fmt.Sprintf("--%s must be %d or more", limit.name, limit.least)}
		}
	}
	switch {
	case f.Hub != "memory" && f.Hub != "embedded" && !serversOf(f.Hub):
		return &usageError{fmt.Sprintf("--hub must be memory, embedded or nats://HOST:PORT, not %q", f.Hub)}
	case f.HubMaxAge < 100*time.Millisecond:
		return &usageError{"--hub-max-age must be 100ms or more"}
	case f.HubReplicas > 5:
		return &usageError{"--hub-replicas must be 1 to 5"}
	case f.Hub == "memory" && (f.HubReplicas != 0 || f.HubCreds != "" || f.HubCA != "" || f.HubCert != "" || f.HubKey != ""):
		return &usageError{"--hub-replicas, --hub-creds, --hub-ca, --hub-cert and --hub-key are for NATS: they need --hub nats://HOST:PORT or --hub embedded"}
	case f.Hub != "embedded" && (f.HubStore != "" || f.HubListen != "" || f.HubClusterListen != "" || f.HubRoutes != "" || f.HubName != ""):
		return &usageError{"--hub-store, --hub-listen, --hub-cluster-listen, --hub-routes and --hub-name need --hub embedded"}
	case f.HubRoutes != "" && f.HubClusterListen == "":
		return &usageError{"--hub-routes needs --hub-cluster-listen: the other weirs connect there"}
	case f.HubClusterListen != "" && f.HubStore == "":
		return &usageError{"--hub-cluster-listen needs --hub-store: a server of a cluster that forgets what it has agreed to puts the messages of all at risk"}
	case f.Hub == "embedded" && (f.HubCA != "" || f.HubCert != "") && (f.HubCert == "" || f.HubClusterListen == ""):
		return &usageError{"--hub-ca, --hub-cert and --hub-key have the weirs of a cluster speak TLS: with --hub embedded they need --hub-cluster-listen, and one another"}
	case f.Hub == "embedded" && f.HubCreds != "":
		return &usageError{"--hub-creds needs --hub nats://HOST:PORT"}
	}
	return f.natsFlags.check()
}

// open makes the hub. maxMessage bounds its messages, 0 as usual.
func (f *hubFlags) open(maxMessage int) (*hub.Hub, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	history := hub.MemoryOptions{Messages: f.HubMaxMessages, TotalBytes: f.HubMaxBytes, Age: f.HubMaxAge, Wildcards: f.HubWildcards}
	if f.Hub == "memory" {
		return hub.New(hub.Options{Memory: history, MaxMessage: maxMessage, Wildcards: f.HubWildcards}), nil
	}
	o := f.natsFlags.options(f.Hub)
	o.History, o.Replicas = history, f.HubReplicas
	if f.Hub == "embedded" {
		if err := f.startEmbedded(); err != nil {
			return nil, err
		}
		o.Servers, o.CA, o.Certificate, o.Key, o.InProcess = "", "", "", "", f.embedded
		o.User = f.embedded.User()
		o.MemoryStorage = f.HubStore == ""
		if o.Replicas == 0 {
			o.Replicas = f.clusterSize()
		}
	}
	var err error
	if f.store, err = nats.Open(o); err != nil {
		f.close()
		return nil, optionError(err)
	}
	return hub.New(hub.Options{Store: f.store, MaxMessage: maxMessage, Wildcards: f.HubWildcards}), nil
}

// optionNames are those of the command line.
var optionNames = strings.NewReplacer("hub/nats/embedded: ", "", "hub/nats: ", "", "Options.Servers", "--hub", "Options.Credentials", "--hub-creds",
	"Options.Certificate and Key", "--hub-cert and --hub-key", "Options.CA", "--hub-ca", "Options.ClusterListen", "--hub-cluster-listen",
	"Options.Listen", "--hub-listen", "Options.Routes", "--hub-routes", "Options.Dir", "--hub-store")

// optionError is err with the names of the command line.
func optionError(err error) error {
	text := optionNames.Replace(err.Error())
	for _, name := range []string{"--hub has", "--hub-cluster-listen", "--hub-listen is", "--hub-routes has"} {
		if strings.HasPrefix(text, name) {
			return &usageError{text}
		}
	}
	return errors.New(text)
}

// clusterSize is how many replicas a cluster of weirs has when nobody has said.
func (f *hubFlags) clusterSize() int {
	if f.HubRoutes == "" {
		return 1
	}
	others := 0
	for route := range strings.SplitSeq(f.HubRoutes, ",") {
		if strings.TrimSpace(route) != f.HubClusterListen {
			others++
		}
	}
	return min(1+others, 3)
}

func (f *hubFlags) startEmbedded() (err error) {
	if f.HubStore != "" {
		if err := os.MkdirAll(f.HubStore, 0o700); err != nil {
			return fmt.Errorf("--hub-store: %w", err)
		}
	}
	f.embedded, err = embedded.Start(embedded.Options{
		Dir: f.HubStore, Listen: f.HubListen, ClusterListen: f.HubClusterListen, Routes: f.HubRoutes, Cluster: f.HubCluster, Name: f.HubName,
		CA: f.HubCA, Certificate: f.HubCert, Key: f.HubKey,
	})
	if err != nil {
		if err = optionError(err); !strings.HasPrefix(err.Error(), "--") {
			err = fmt.Errorf("--hub embedded: %w", err)
		}
		return err
	}
	if url := f.embedded.URL(); url != "" {
		slog.Info("clients of NATS may connect", "url", url)
		if isOpen(f.HubListen) {
			slog.Warn("--hub-listen asks clients for nothing: whoever can connect may publish; bind it to a loopback address or a network of your own")
		}
	}
	if isOpen(f.HubClusterListen) && !strings.Contains(f.HubClusterListen, "@") && f.HubCert == "" {
		slog.Warn("--hub-cluster-listen asks for nothing: whoever can connect may publish; put USER:PASSWORD@ in front, or give --hub-ca, --hub-cert and --hub-key")
	}
	return nil
}

// isOpen tells whether others than this machine may connect to an address.
func isOpen(address string) bool {
	host, _, err := net.SplitHostPort(address[strings.LastIndexByte(address, '@')+1:])
	if err != nil || host == "localhost" {
		return false
	}
	ip := net.ParseIP(host)
	return ip == nil || !ip.IsLoopback()
}

// watch has operators told whether the hub can be used.
func (f *hubFlags) watch(a *adminFlags) {
	if f.store != nil && a.admin != nil {
		a.admin.AddReadiness("hub", f.store.Ready)
	}
}

// holder is what is closed for the requests that it holds when weir is to end. Messages that outlive this weir are taken until its last request has
// ended; others would reach nobody, and who publishes is told.
func (f *hubFlags) holder(topics *hub.Hub) io.Closer {
	if f.store == nil || f.Hub == "embedded" && f.HubStore == "" {
		return topics
	}
	return releaser{topics}
}

// releaser is a hub that ends what waits when it is closed.
type releaser struct{ *hub.Hub }

func (r releaser) Close() error {
	r.Release()
	return nil
}

// close stops the server in the process, which is to outlive the hub.
func (f *hubFlags) close() {
	if f.embedded != nil {
		f.embedded.Stop()
		f.embedded = nil
	}
}
