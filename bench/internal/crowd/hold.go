package crowd

import (
	"context"
	"fmt"
	"time"
)

// A Server is what clients wait on, with all its processes.
type Server interface {
	Alive() error // why it has ended
	CPU() (time.Duration, error)
	Resident() (int64, error) // octets
}

// A Hold is a crowd that waits on a server.
type Hold struct {
	Before, After int64 // resident memory of the server without and with the waiting clients, in octets

	ctx     context.Context
	server  Server
	plan    Plan
	company *Company
}

// StartHold has a crowd wait on a server that is warm. On the main goroutine only, as Gather; Dismiss must be called.
func StartHold(ctx context.Context, s Server, p Plan) (*Hold, error) {
	h := &Hold{ctx: ctx, server: s, plan: p}
	if err := h.begin(); err != nil {
		if h.company != nil {
			h.Dismiss()
		}
		return nil, h.failure(err)
	}
	return h, nil
}

func (h *Hold) begin() (err error) {
	if _, err = h.restingCPU(); err != nil {
		return err
	}
	if h.Before, err = h.server.Resident(); err != nil {
		return err
	}
	if h.company, err = Gather(h.ctx, h.plan); err != nil {
		return err
	}
	if err := h.company.AwaitWaiting(h.plan.Clients); err != nil {
		return err
	}
	if _, err = h.restingCPU(); err != nil {
		return err
	}
	h.After, err = h.server.Resident()
	return err
}

// GoOn has the crowd do what its plan says, as often as told, once the server has nothing to do. cpu is what the server has taken for that.
func (h *Hold) GoOn(count int) (report Report, cpu time.Duration, err error) {
	before, err := h.restingCPU()
	if err != nil {
		return report, 0, h.failure(err)
	}
	if report, err = h.company.GoOn(count); err != nil {
		return report, 0, h.failure(err)
	}
	after, err := h.server.CPU()
	return report, after - before, err
}

// Each is how much memory each client has added, in octets.
func (h *Hold) Each() float64 { return float64(h.After-h.Before) / float64(h.plan.Clients) }

// Dismiss ends the crowd.
func (h *Hold) Dismiss() { h.company.Dismiss() }

// failure prefers how the server has ended to how the crowd noticed.
func (h *Hold) failure(err error) error {
	if ended := h.server.Alive(); ended != nil {
		return ended
	}
	return err
}

const (
	quietShare  = 0.03 // of a core, which a runtime may take for itself
	quietWithin = time.Minute
)

// restingCPU returns once the server has done nothing for the time in which the plan lets it settle, so that it has taken in what was sent. It is
// what the server has taken until then.
func (h *Hold) restingCPU() (time.Duration, error) {
	deadline := time.Now().Add(quietWithin)
	for {
		before, err := h.server.CPU()
		if err != nil {
			return 0, err
		}
		select {
		case <-h.ctx.Done():
			return 0, h.ctx.Err()
		case <-time.After(h.plan.Settle):
		}
		after, err := h.server.CPU()
		taken := after - before
		switch {
		case err != nil:
			return 0, err
		case taken <= time.Duration(quietShare*float64(h.plan.Settle)):
			return after, nil
		case time.Now().After(deadline):
			return 0, fmt.Errorf("the server has not become quiet in %v: it took %v of CPU time in the last %v", quietWithin, taken, h.plan.Settle)
		}
	}
}

// Warm has a few clients wait on a server, be woken and go: code and tables that any use touches. Its plan is that of the crowd to come.
func Warm(ctx context.Context, p Plan, clients int) error {
	p.Clients, p.Topics, p.Mode, p.Probe = min(clients, p.Clients), 1, ModeWake, false
	c, err := Gather(ctx, p)
	if err != nil {
		return err
	}
	defer c.Dismiss()
	if err := c.AwaitWaiting(p.Clients); err != nil {
		return err
	}
	_, err = c.GoOn(1)
	return err
}
