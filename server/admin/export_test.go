package admin

import "time"

// SetScrape sets how long a scrape waits for loops.
func (s *Server) SetScrape(d time.Duration) { s.scrape = d }

// SetAlive sets how long loops may take to answer /healthz.
func (s *Server) SetAlive(d time.Duration) { s.alive = d }
