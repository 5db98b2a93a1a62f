package server

import (
	"fmt"
	"slices"

	"github.com/weirhttp/weir/loop"
)

// Inherited is a listener as one process hands it to the next.
type Inherited struct {
	// Address is that of Config.Bind, without the protocol.
	Address string
	// Descriptors are its sockets, one or several that have the address together.
	Descriptors []int
	// Owned tells that the file of the Unix socket is the server's, to be removed at its end.
	Owned bool
}

// inherit returns the inherited listener of an address; nil: there is none.
func (s *Server) inherit(address string, options loop.ListenOptions) (ln *loop.Listener, owned bool, err error) {
	list := s.config.Inherited
	i := slices.IndexFunc(list, func(in Inherited) bool { return in.Address == address })
	if i < 0 {
		return nil, false, nil
	}
	in := list[i]
	s.config.Inherited = slices.Delete(slices.Clone(list), i, i+1)
	if ln, err = loop.Inherit(in.Descriptors, options); err != nil {
		return nil, false, fmt.Errorf("%s: %w", address, err)
	}
	return ln, in.Owned, nil
}

// Drop closes a listener that nobody wants any more, when the process that it is inherited from has left it. The file of a Unix socket goes too, if it was
// the server's.
func (in Inherited) Drop() {
	ln, err := loop.Inherit(in.Descriptors, loop.ListenOptions{})
	if err != nil {
		return // it is closed
	}
	if in.Owned {
		ln.Own()
	}
	ln.Close()
}

// Descriptors are the listeners, for a process that is to inherit them: it is started with copies of the sockets. They stay open here until the server
// shuts down.
func (s *Server) Descriptors() []Inherited {
	var list []Inherited
	c := s.Config()
	for i, ln := range s.listeners {
		_, address := cutProtocol(c.Bind[i], c.Protocol)
		list = append(list, Inherited{address, ln.Descriptors(), ln.Owns()})
	}
	return list
}

// Leave tells, before Shutdown, that the process which has inherited the listeners serves: connections that wait are left to it, and so are the
// files of Unix sockets.
func (s *Server) Leave() {
	for _, ln := range s.listeners {
		ln.Leave()
	}
}

// Own tells that the process which the listeners are inherited from has left them to this one. Those that have no address in the configuration are
// closed.
func (s *Server) Own() {
	s.mu.Lock()
	unwanted := s.unwanted
	s.unwanted = nil
	s.mu.Unlock()
	for _, in := range unwanted {
		in.Drop()
	}
	for _, ln := range s.listeners {
		if ln.owned {
			ln.Own()
		}
	}
}
