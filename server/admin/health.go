package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/weirhttp/weir/server"
)

// aliveTime is how long loops may take to answer /healthz.
const aliveTime = 5 * time.Second

// readinessCheck is something that the server needs to be of use.
type readinessCheck struct {
	name string
	err  func() error
}

// AddReadiness has /readyz call check, and answer 503 with name and the error while there is one. check is called for each request, on any
// goroutine, and should answer at once from what is known.
func (s *Server) AddReadiness(name string, check func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks = append(s.checks, readinessCheck{name, check})
}

// server returns what is watched; nil: there is none yet.
func (s *Server) server() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watched
}

// state is that of what is watched.
func (s *Server) state() server.State {
	if watched := s.server(); watched != nil {
		return watched.State()
	}
	return server.Starting
}

// health answers whether the process is of any use: its loops answer. One that does not start, or drains, is alive.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.alive)
	defer cancel()
	var stuck []string
	if watched := s.server(); watched != nil {
		for i, lag := range watched.LoopLags(ctx) {
			if lag < 0 {
				stuck = append(stuck, fmt.Sprintf("loop %d has not answered for %v", i, s.alive))
			}
		}
	}
	answer(w, stuck)
}

// readiness answers whether the server should get requests.
func (s *Server) readiness(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.lacking())
}

// lacking is why the server should get no requests.
func (s *Server) lacking() (lacking []string) {
	if state := s.state(); state != server.Serving {
		lacking = append(lacking, string(state))
	}
	s.mu.Lock()
	checks := s.checks
	s.mu.Unlock()
	for _, c := range checks {
		if err := c.err(); err != nil {
			lacking = append(lacking, fmt.Sprintf("%s: %v", c.name, err))
		}
	}
	return lacking
}

// answer is 200, or 503 with what is wrong, a line each.
func answer(w http.ResponseWriter, wrong []string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if len(wrong) == 0 {
		fmt.Fprintln(w, "ok")
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprintln(w, strings.Join(wrong, "\n"))
}
