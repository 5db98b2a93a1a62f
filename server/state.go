package server

// State is where a server is in its life.
type State string

// States.
const (
	Starting State = "starting" // its listeners are open, and nobody is served
	Serving  State = "serving"
	Draining State = "draining" // it finishes the requests that run
	Stopped  State = "stopped"
)

// State tells where the server is in its life.
func (s *Server) State() State {
	select {
	case <-s.stopped:
		return Stopped
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping:
		return Draining
	case s.reactor == nil:
		return Starting
	}
	return Serving
}
