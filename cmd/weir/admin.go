package main

import (
	"fmt"
	"log/slog"

	"github.com/weirhttp/weir/hub"
	"github.com/weirhttp/weir/python"
	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/admin"
)

// adminFlags open a listener for operators.
type adminFlags struct {
	Admin string `placeholder:"ADDR" help:"Address for operators, HOST:PORT, unix:PATH or fd://NAME of systemd: health, metrics, profiles. Off by default."`

	admin  *admin.Server // nil: there is none
	topics *hub.Hub      // nil: there is none
}

// open opens the listener, if there is to be one. close closes it: it is to be the last thing that ends.
func (f *adminFlags) open() (close func(), err error) {
	if f.Admin == "" {
		return nil, nil
	}
	o := admin.Options{Address: f.Admin}
	if in, _ := inherited(); in != nil && in.Admin != nil && in.Admin.Address == f.Admin {
		o.Inherited = in.Admin.Descriptors
	}
	f.admin, err = admin.Listen(o)
	if err != nil {
		return nil, fmt.Errorf("--admin: %w", err)
	}
	slog.Info("operators may ask", "address", f.admin.Address())
	return func() { _ = f.admin.Close() }, nil
}

// apply puts the flags into a server.Config.
func (f *adminFlags) apply(c *server.Config) { c.CountRequests = f.Admin != "" }

// watch has the listener tell of s.
func (f *adminFlags) watch(s *server.Server) {
	if f.admin == nil {
		return
	}
	if f.topics != nil {
		f.admin.WatchHub(f.topics)
	}
	f.admin.Watch(s)
}

// watchWorkers has it tell of Python workers.
func (f *adminFlags) watchWorkers(w *python.Supervisor) {
	if f.admin != nil {
		f.admin.WatchWorkers(w)
	}
}
