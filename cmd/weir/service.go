package main

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/weirhttp/weir/server"
)

// serviceFlags say how the server stands among the processes of its system.
type serviceFlags struct {
	User       string `short:"u" placeholder:"USER" help:"User to become when the addresses are bound and before the application starts, by name or number. Needs root."`
	Group      string `short:"g" placeholder:"GROUP" help:"Group to become, by name or number (default: that of --user)."`
	Initgroups bool   `hidden:"" help:"For command lines of gunicorn: the other groups of --user are always taken on."`
	Pid        string `short:"p" placeholder:"FILE" help:"File that has the number of the process while it serves."`

	identity *identity // to become; nil: weir stays who it is
	told     bool      // which sockets of systemd are served
}

// apply looks the user up.
func (f *serviceFlags) apply() (err error) {
	if f.identity == nil { // the flags are looked at before Python is started, and again
		var named *identity
		if named, err = findIdentity(f.User, f.Group); err == nil {
			f.identity, err = named.toBecome()
		}
		f.identity.setEnvironment()
	}
	manager() // its variables are not for the workers
	return err
}

// settle is what there is to do between binding and the application: the pid file is written, and weir becomes who it is told to be.
func (f *serveFlags) settle(s *server.Server) error {
	if predecessor == 0 { // or else lifecycle.takeOver does it
		if err := f.nameProcess(); err != nil {
			return err
		}
	}
	if f.identity == nil {
		return nil
	}
	for _, path := range f.shared(s.Addresses()) {
		if err := f.identity.own(path); err != nil {
			return err
		}
	}
	if err := f.identity.become(); err != nil {
		return err
	}
	f.warnOfFiles()
	return nil
}

// unsettle removes the pid file, whatever has come of settle.
func (f *serviceFlags) unsettle() {
	if f.Pid != "" {
		removePID(f.Pid)
	}
}

// nameProcess writes the pid file, if there is to be one.
func (f *serviceFlags) nameProcess() error {
	if f.Pid == "" {
		return nil
	}
	if err := writePID(f.Pid); err != nil {
		return fmt.Errorf("--pid %w", err)
	}
	return nil
}

// shared are the files that weir has made as root, and needs afterwards: Unix sockets, the logs, which are opened again, the pid file.
func (f *serveFlags) shared(addresses []string) (paths []string) {
	for _, address := range addresses {
		_, path, ok := strings.Cut(address, "unix:")
		made := slices.ContainsFunc(f.Bind, func(bind string) bool { return strings.HasSuffix(bind, "unix:"+path) })
		if ok && made { // and not passed by somebody
			paths = append(paths, path)
		}
	}
	for _, path := range []string{f.AccessLog, f.ErrorLogfile} {
		if path != "" && path != "-" {
			paths = append(paths, path)
		}
	}
	if f.Pid != "" {
		paths = append(paths, f.Pid)
	}
	return paths
}

// warnOfFiles tells of files that are read again when they change, and which the new user cannot read.
func (f *serveFlags) warnOfFiles() {
	for _, path := range slices.Concat(f.Certfile, f.Keyfile, []string{f.CACerts}) {
		if path != "" && unix.Access(path, unix.R_OK) != nil {
			slog.Warn("the file was read as root, and --user cannot read it: when it changes, weir must be restarted", "file", path, "user", f.identity)
		}
	}
}
