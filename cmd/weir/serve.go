package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server"
)

// serveFlags are what all commands that serve have in common.
type serveFlags struct {
	Config          string        `short:"c" placeholder:"FILE" help:"Configuration file (default: weir.toml, if there is one); weir config prints one."`
	HelpAll         helpAll       `help:"Show all options."`
	Bind            []string      `short:"b" default:"127.0.0.1:8000" placeholder:"ADDR" sep:"none" help:"Address to listen at: HOST:PORT, [::]:PORT, unix:PATH, fd://N or fd://NAME of systemd, with uwsgi:, fastcgi: or scgi: in front where it is not HTTP. Repeatable (default: ${default})."`
	Loops           int           `placeholder:"N" help:"Number of event loops (default: the number of CPUs that may be used; a fourth of it for run)."`
	Accept          string        `enum:"reuseport,distribute" default:"${accept}" help:"How loops come by connections: reuseport or distribute."`
	Backlog         int           `placeholder:"N" help:"Length of the queue of connections that are not accepted yet (default: the system's maximum)."`
	AcceptAtOnce    bool          `help:"Accept connections before their clients have sent something."`
	SocketMode      string        `placeholder:"OCTAL" help:"Permission bits of Unix sockets, such as 660."`
	Umask           string        `short:"m" placeholder:"OCTAL" help:"Permission bits that files and Unix sockets of the server do not get, such as 027 (default: as inherited)."`
	ServerHeader    string        `default:"weir" placeholder:"TEXT" help:"Value of the Server header; empty drops it (default: ${default})."`
	GracefulTimeout time.Duration `default:"30s" help:"How long running requests are waited for at SIGTERM."`
	DrainIdle       time.Duration `default:"2s" help:"How long connections without a request are kept for one more then, which is told to be the last."`
	Inline          bool          `help:"The application never blocks: do not watch its calls."`
	KeepHalfClosed  bool          `help:"A client that has ended its sending still waits for a deferred answer."`

	serviceFlags    `group:"Service"`
	upgradeFlags    `group:"Service"`
	logFlags        `group:"Logs"`
	limitFlags      `group:"Limits"`
	adminFlags      `group:"Operations"`
	gripFlags       `group:"GRIP"`
	hubFlags        `group:"Messages"`
	staticFlags     `group:"Files"`
	middlewareFlags `group:"Middleware"`
	proxyFlags      `group:"Behind a proxy"`
	gatewayFlags    `group:"Behind a proxy"`
	http2Flags      `group:"HTTPS and HTTP/2"`
	tlsFlags        `group:"HTTPS and HTTP/2"`
	acmeFlags       `group:"HTTPS and HTTP/2"`

	contentMemory int64 // server.Config.ContentMemory, but 0: none, which is what workers in Python have: their bodies are passed on as they come
	summary       summary
}

// loopsAlone is how many loops there are where the application runs on them.
func loopsAlone(cpus int) int { return cpus }

// serve serves application until a signal ends it, on so many loops for a number of CPUs as the function says. prepare is called when the addresses are
// bound and weir is the user that it stays, before the application is called; nil: there is nothing to prepare.
func (f *serveFlags) serve(l *lifecycle, what string, application app.Application, loops func(cpus int) int, prepare func() error) error {
	config, err := f.configure(application)
	if err != nil {
		return err
	}
	if l.last, err = f.adminFlags.open(); err != nil {
		return err
	}
	f.gripFlags.publishAt(f.admin)
	if in, _ := inherited(); in != nil {
		config.Inherited = in.Listeners
	}
	setGC()
	go giveBack()
	cpus := setMaxProcs()
	config.Loops = cmp.Or(config.Loops, loops(cpus))
	if !config.Inline {
		config.SpareProcs = spareProcs(cpus)
	}
	s, err := server.New(config)
	if err != nil {
		return tlsFailed(err)
	}
	defer reapOrphans()()
	defer s.Shutdown(context.Background()) // closes the addresses when it comes to nothing
	defer f.unsettle()
	l.starting(func() {
		f.unsettle()
		_ = s.Shutdown(context.Background())
		if l.last != nil {
			l.last()
		}
	})
	f.adminFlags.watch(s)
	f.hubFlags.watch(&f.adminFlags)
	if err = f.settle(s); err == nil && prepare != nil {
		err = prepare()
	}
	if err != nil {
		return err
	}
	if err := f.acmeFlags.start(s.Addresses()); err != nil {
		return err
	}
	defer f.acmeFlags.stop()
	var urls []string
	for _, address := range s.Addresses() {
		urls = append(urls, urlOf(f.scheme(), address))
	}
	l.server = s
	l.graceful.Store(int64(config.GracefulTimeout))
	l.upgradeTimeout.Store(int64(f.UpgradeTimeout))
	l.admin, l.nameProcess = f.admin, f.serviceFlags.nameProcess
	l.listen() // before the line that says so: who reads it may send a signal at once
	slog.Info("RLIMIT_NOFILE is raised to its hard limit", "connections", s.MaxConnections())
	plural := "s"
	if s.Loops() == 1 {
		plural = ""
	}
	serving := fmt.Sprintf("weir serves %s at %s with %d loop%s, pid %d", what, strings.Join(urls, " and "), s.Loops(), plural, os.Getpid())
	f.announce(serving, urls, s)
	manager().ready(serving)
	defer manager().watch(s)()
	return l.serve()
}

// configure makes a server.Config of the flags, with application and what they put around it.
func (f *serveFlags) configure(application app.Application) (config server.Config, err error) {
	if config, err = f.serverConfig(); err != nil {
		return config, err
	}
	if application, err = f.staticFlags.wrap(application); err != nil {
		return config, err
	}
	config.Application, err = f.middlewareFlags.around(application) // of the files too
	return config, err
}

// checkAll tells what is wrong with the flags, and with the files that they name, as far as it does not matter who starts weir: whether it may become --user,
// and which sockets systemd has passed, is found out when it is started.
func (f *serveFlags) checkAll() error {
	if err := f.logFlags.check(); err != nil {
		return err
	}
	if _, err := f.umask(); err != nil {
		return err
	}
	if _, err := findIdentity(f.User, f.Group); err != nil {
		return err
	}
	if err := f.hubFlags.check(); err != nil {
		return err
	}
	config, err := f.configAt(f.Bind)
	if err != nil {
		return err
	}
	return f.checkFiles(&config)
}

// serverConfig makes a server.Config of the flags.
func (f *serveFlags) serverConfig() (server.Config, error) {
	if err := f.serviceFlags.apply(); err != nil {
		return server.Config{}, err
	}
	bind, err := f.usePassed()
	if err != nil {
		return server.Config{}, err
	}
	return f.configAt(bind)
}

// configAt makes a server.Config of the flags, for these addresses.
func (f *serveFlags) configAt(bind []string) (server.Config, error) {
	c := server.Config{
		Bind:            bind,
		Loops:           f.Loops,
		Accept:          server.Accept(f.Accept),
		Backlog:         f.Backlog,
		AcceptAtOnce:    f.AcceptAtOnce,
		ServerHeader:    f.ServerHeader,
		NoServerHeader:  f.ServerHeader == "",
		GracefulTimeout: f.GracefulTimeout,
		Inline:          f.Inline,
		KeepHalfClosed:  f.KeepHalfClosed,
		ContentMemory:   noLimit(f.contentMemory),
	}
	switch {
	case f.Loops < 0:
		return c, &usageError{"--loops must be 1 or more"}
	case f.GracefulTimeout < 0:
		return c, &usageError{"--graceful-timeout must be 0 or more"}
	case f.DrainIdle < 0:
		return c, &usageError{"--drain-idle must be 0 or more"}
	case f.Backlog < 0:
		return c, &usageError{"--backlog must be 1 or more"}
	case app.HasControl(f.ServerHeader):
		return c, &usageError{"--server-header must not have control characters"}
	}
	if err := f.checkAddresses(bind); err != nil {
		return c, err
	}
	f.logFlags.apply(&c)
	if err := f.upgradeFlags.check(); err != nil {
		return c, err
	}
	if err := f.limitFlags.apply(&c); err != nil {
		return c, err
	}
	if err := f.staticFlags.check(); err != nil {
		return c, err
	}
	if err := f.proxyFlags.apply(&c); err != nil {
		return c, err
	}
	if err := f.gripFlags.check(f.Admin); err != nil {
		return c, err
	}
	f.gatewayFlags.apply(&c)
	f.adminFlags.apply(&c)
	f.http2Flags.apply(&c)
	if err := f.acmeFlags.apply(&f.tlsFlags); err != nil {
		return c, err
	}
	if err := f.tlsFlags.apply(&c); err != nil {
		return c, err
	}
	if f.GracefulTimeout == 0 {
		c.GracefulTimeout = 1 // nanosecond: 0 would mean the default
	}
	c.DrainIdle = noLimit(f.DrainIdle) // there, what is negative is no time at all
	if f.SocketMode != "" {
		mode, err := permissions("--socket-mode", f.SocketMode)
		if err != nil {
			return c, err
		}
		c.SocketMode = os.FileMode(mode)
	}
	return c, nil
}

// checkAddresses tells what is wrong with the addresses as they are written, and with two of them that cannot both be listened at. What systemd passes is
// whatever it is.
func (f *serveFlags) checkAddresses(bind []string) error {
	for i, address := range bind {
		if err := server.CheckAddress(address); err != nil && !strings.Contains(address, "fd://") {
			return &usageError{"--bind: " + err.Error()}
		}
		for _, other := range bind[:i] {
			if server.Overlap(address, other) {
				return &usageError{fmt.Sprintf("--bind: %s and %s are the same address, or one has the other in it: leave one out", other, address)}
			}
		}
	}
	if f.Admin == "" {
		return nil
	}
	if err := loop.CheckAddress(f.Admin); err != nil && !strings.Contains(f.Admin, "fd://") {
		return &usageError{"--admin: " + err.Error()}
	}
	for _, address := range bind {
		if server.Overlap(address, f.Admin) {
			return &usageError{fmt.Sprintf("--admin %s: --bind has this address (%s), and operators need one of their own", f.Admin, address)}
		}
	}
	return nil
}

// umask is what --umask says; 0 when it says nothing.
func (f *serveFlags) umask() (int, error) {
	if f.Umask == "" {
		return 0, nil
	}
	return permissions("--umask", f.Umask)
}

// setUmask comes before the first file.
func (f *serveFlags) setUmask() error {
	mask, err := f.umask()
	if err == nil && f.Umask != "" {
		syscall.Umask(mask)
	}
	return err
}

// permissions reads permission bits in octal.
func permissions(option, value string) (int, error) {
	bits, err := strconv.ParseUint(value, 8, 9)
	if err != nil {
		return 0, &usageError{option + " must be permission bits in octal, such as 660"}
	}
	return int(bits), nil
}
