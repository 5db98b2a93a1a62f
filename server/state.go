package server

// State is where a server is in its life.
type State string

// States.
const (
	Starting State = "starting" // its listeners are open, and nobody is served
	Serving  State = "serving"
	Draining State = "draining" // it accepts nothing, and finishes the requests that run
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
	case s.stopping || s.paused:
		return Draining
	case s.reactor == nil:
		return Starting
	}
	return Serving
}

// Pause stops accepting until Resume, and finishes the requests that run, as Shutdown does. The listeners stay open, and who connects waits; connections of
// HTTP/2 go on.
func (s *Server) Pause() { s.pause(true) }

// Resume has a server that was paused accept again.
func (s *Server) Resume() { s.pause(false) }

func (s *Server) pause(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reactor == nil || s.stopping || s.paused == on {
		return
	}
	if s.paused = on; on {
		s.reactor.Pause()
	} else {
		s.reactor.Resume()
	}
}
