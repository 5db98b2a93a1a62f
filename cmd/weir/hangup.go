package main

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

// SIGHUP: the command line, the environment and the configuration file are read once more, as they are now, and what they say counts, as
// far as that is possible in a process that runs. Whatever is wrong with them, all stays as it was.

// What becomes of an option whose value has changed. Those that are in neither list stay what they were until a restart, or an upgrade (SIGUSR2).
var (
	// countAtOnce are the options that count at once, for requests on connections that are open too.
	countAtOnce = []string{
		"server-header", "keep-half-closed", "drain-idle", "upgrade-timeout",
		"limit-request-line", "limit-request-head", "limit-request-field", "limit-request-fields", "limit-request-body", "content-memory",
		"head-timeout", "content-timeout", "content-rate", "content-grace", "keep-alive", "write-timeout",
		"max-requests-per-connection", "max-connections", "max-connections-per-address",
		"static", "static-max-age", "static-immutable", "static-dotfiles", "static-symlinks", "sendfile-root", "compress", "request-id",
		"forwarded-allow-ips", "forwarded-headers",
		"certfile", "keyfile", "tls-min", "ca-certs", "cert-reqs", "handshake-timeout", "max-handshakes",
	}
	// countForWorkers are the options that new workers have. The old ones serve until those can.
	countForWorkers = []string{
		"workers", "worker-class", "threads", "worker-connections", "python", "virtualenv", "chdir", "pythonpath", "env", "preload",
		"timeout", "max-requests", "max-requests-jitter", "max-worker-rss", "queue", "queue-timeout", "body-buffer", "stream-bodies",
		"retry-idempotent", "graceful-timeout", appKey,
	}
)

// begun are the settings of the command that runs, as they were read last.
var begun struct {
	args   []string
	values map[string]any
}

// values are those of the options of a command that was parsed.
func (s *settings) values() map[string]any {
	values := make(map[string]any)
	for _, f := range s.command.Flags {
		values[f.Name] = f.Target.Interface()
	}
	for _, a := range s.command.Positional {
		values[appKey] = a.Target.Interface()
	}
	return values
}

// read reads the settings of a command line as they are now.
func read(args []string) (*cli, *settings, error) {
	c := new(cli)
	parser := newParser(c, func(int) {})
	s, err := gather(parser.Model, args)
	if err != nil {
		return nil, nil, err
	}
	args = s.commandLine()
	if _, err := parser.Parse(args); err != nil {
		return nil, nil, s.misread(args, err)
	}
	return c, s, nil
}

// changes are the options that are not what they were.
func changes(before, now map[string]any) (names []string) {
	for name, value := range now {
		if !reflect.DeepEqual(value, before[name]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// hangup does what SIGHUP asks for, on a goroutine: l.reloaded tells that it is over.
func (l *lifecycle) hangup() {
	if l.reloading {
		l.again = true
		return
	}
	l.reloading = true
	l.server.Resume()
	slog.Info("SIGHUP: the configuration is read again")
	manager().reloading()
	go func() { l.reloaded <- l.reload() }()
}

// hungUp takes note of the end of a reload.
func (l *lifecycle) hungUp(err error) {
	l.reloading = false
	if err != nil {
		slog.Error("SIGHUP: the configuration cannot be used, all stays as it was", "error", err)
	}
	manager().ready("the configuration was read again")
	if again := l.again; again && l.why == "" {
		l.again = false
		l.hangup()
	}
}

// reload reads the settings again and has the command go on with them.
func (l *lifecycle) reload() error {
	fresh, s, err := read(begun.args)
	if err != nil {
		return err
	}
	values := s.values()
	var workers bool
	var lasting, counting []string
	for _, name := range changes(begun.values, values) {
		switch {
		case slices.Contains(countAtOnce, name):
			counting = append(counting, "--"+name)
		case slices.Contains(countForWorkers, name) && !l.keepsWorkers:
			counting = append(counting, "--"+name)
			workers = true
		default:
			lasting = append(lasting, "--"+name)
			values[name] = begun.values[name] // so that it is told again next time
		}
	}
	if err := l.reconfigure(fresh, workers); err != nil {
		return s.located(err)
	}
	begun.values = values
	if len(lasting) > 0 {
		slog.Warn("SIGHUP: options have changed that need a restart or SIGUSR2, and stay what they were", "options", strings.Join(lasting, " "))
	}
	slog.Info("SIGHUP: the configuration counts", "changed", strings.Join(counting, " "))
	return nil
}

// reload has the server go on with other flags. application is what it serves, without what the flags put around it.
func (f *serveFlags) reload(l *lifecycle, fresh *serveFlags, application app.Application) error {
	fresh.acmeFlags.manager, fresh.certificates = f.acmeFlags.manager, f.certificates
	fresh.identity, fresh.told = f.identity, f.told
	config, err := fresh.configure(application)
	if err != nil {
		return err
	}
	if err := l.server.Reload(config); err != nil {
		if errors.Is(err, server.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("%w", tlsFailed(err))
	}
	l.graceful.Store(int64(config.GracefulTimeout))
	l.upgradeTimeout.Store(int64(fresh.UpgradeTimeout))
	return nil
}
