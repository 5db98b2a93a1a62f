package exchange

import (
	"slices"

	"github.com/weirhttp/weir/app"
)

// Switcher is a Parked whose connection can leave HTTP.
type Switcher interface {
	Parked
	// Switch answers with 101 and headers, and hands the connection over. It is the last call. It is called on the loop, and does
	// not return when the loop was taken over meanwhile.
	Switch(headers []app.Header, to any)
}

// switching is an answer that ends a request by leaving HTTP.
type switching struct {
	deferred *Deferred
	headers  []app.Header
	to       any
}

// SwitchProtocols answers the request by handing its connection over, once the application has returned. The answer is a
// deferred one, so that it does not matter where the application runs.
func (x *Exchange) SwitchProtocols(headers []app.Header, to any) error {
	d := x.Defer().(*Deferred)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.wire.Host().loop.Post(switchProtocols, &switching{d, slices.Clone(headers), to})
	return nil
}

func switchProtocols(p any) {
	s := p.(*switching)
	d := s.deferred
	d.mu.Lock()
	gone := d.gone
	d.mu.Unlock()
	if !gone {
		d.wire.(Switcher).Switch(s.headers, s.to)
	}
}
