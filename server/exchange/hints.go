package exchange

import (
	"errors"
	"slices"

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
	headers = slices.Clone(headers)
	m.x.host.loop.Post(func(any) {
		m.mu.Lock()
		gone := m.gone
		m.mu.Unlock()
		if !gone {
			m.wire.Hints(headers)
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
	case d.closed || d.expired || d.gone:
		return app.ErrGone
	case d.x != nil && d.x.phase == sending:
		return errTooLate
	}
	headers = slices.Clone(headers)
	d.hinted = true
	d.wire.Host().loop.Post(func(any) {
		d.mu.Lock()
		gone := d.gone
		d.mu.Unlock()
		if !gone {
			d.wire.Hints(headers)
		}
	}, nil)
	return nil
}
