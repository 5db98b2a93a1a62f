package exchange

import (
	"errors"
	"slices"
	"sync"

	"github.com/weirhttp/weir/app"
)

// Interim responses come before the head. From a goroutine they are posted to the loop each by itself: whatever passes on the head is posted
// later, and posts keep their order.

var errTooLate = errors.New("early hints come before the head of the response")

// EarlyHints sends an interim response with headers, which were checked. It is called by the application.
func (x *Exchange) EarlyHints(headers []app.Header) error {
	switch x.phase {
	case ended:
		return app.ErrGone
	case sending, parked:
		return errTooLate
	}
	x.leave()
	defer x.enter()
	x.wire.Hints(headers)
	return nil
}

// Hints implements Wire.
func (m *mailbox) Hints(headers []app.Header) {
	m.x.host.postHints(m.wire, headers, &m.mu, &m.gone)
}

// postHints has wire send hints on the loop, unless gone is true by then, which mu guards.
func (h *Host) postHints(wire Wire, headers []app.Header, mu *sync.Mutex, gone *bool) {
	headers = slices.Clone(headers)
	h.loop.Post(func(any) {
		mu.Lock()
		late := *gone
		mu.Unlock()
		if !late {
			wire.Hints(headers)
		}
	}, nil)
}

// EarlyHints implements app.Deferred. It does not begin the response.
func (d *Deferred) EarlyHints(headers []app.Header) error {
	if err := app.CheckHints(headers); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.over():
		return app.ErrGone
	case d.x != nil && d.x.phase == sending:
		return errTooLate
	}
	d.hinted = true
	d.wire.Host().postHints(d.wire, headers, &d.mu, &d.gone)
	return nil
}
