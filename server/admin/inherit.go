package admin

import (
	"context"

	"github.com/weirhttp/weir/server"
)

// How the listener goes from one process to the next: see those methods of server.Server that have the same names.

// Descriptors are the listener, for a process that is to inherit it.
func (s *Server) Descriptors() server.Inherited {
	return server.Inherited{Address: s.address, Descriptors: s.listener.Descriptors(), Owned: s.listener.Owns()}
}

// Leave has the process that has inherited the listener answer operators from now on. What is being answered goes on until Close.
func (s *Server) Leave() {
	s.listener.Leave()
	go func() { _ = s.http.Shutdown(context.Background()) }() // ends with Close
}

// Has tells whether the listener is the one that was inherited. A nil Server has none.
func (s *Server) Has(in server.Inherited) bool { return s != nil && s.address == in.Address }

// Own tells that the process which the listener is inherited from has left it to this one.
func (s *Server) Own(in server.Inherited) {
	if in.Owned {
		s.listener.Own()
	}
}
