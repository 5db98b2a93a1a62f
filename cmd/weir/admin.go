package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/weirhttp/weir/loop"
	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/admin"
)

// adminFlags open a listener for operators.
type adminFlags struct {
	Admin string `placeholder:"ADDR" help:"Address for operators, HOST:PORT or unix:PATH: health, metrics, profiles. Off by default."`

	admin *admin.Server // nil: there is none
}

// open opens the listener, if there is to be one and it is not open yet. close closes it, unless somebody else has opened it: it is to be
// the last thing that ends.
func (f *adminFlags) open() (close func(), err error) {
	if f.Admin == "" || f.admin != nil {
		return func() {}, nil
	}
	o := admin.Options{Address: f.Admin}
	if in, _ := inherited(); in != nil && in.Admin != nil && in.Admin.Address == f.Admin {
		o.Inherited = in.Admin.Descriptors
	}
	f.admin, err = admin.Listen(o)
	var wrong *loop.AddressError
	switch {
	case errors.As(err, &wrong):
		return nil, &usageError{"--admin: " + err.Error()}
	case err != nil:
		return nil, fmt.Errorf("--admin: %w", err)
	}
	slog.Info("operators may ask", "address", f.admin.Address())
	return func() { _ = f.admin.Close() }, nil
}

// watch has the listener tell of s.
func (f *adminFlags) watch(s *server.Server) {
	if f.admin != nil {
		f.admin.Watch(s)
	}
}
