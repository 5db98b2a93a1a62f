package admin

import "time"

// SetAlive sets how long loops may take to answer /healthz.
func (s *Server) SetAlive(d time.Duration) { s.alive = d }
