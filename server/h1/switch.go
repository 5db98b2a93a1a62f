package h1

import (
	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/loop"
)

// SwitchProtocols implements app.Switcher.
func (t *transaction) SwitchProtocols(headers []app.Header, to any) error {
	if t.c.protocol.config().Switch == nil || t.http10 || t.stream != nil {
		return app.ErrNoSwitch
	}
	return t.exchange.SwitchProtocols(headers, to)
}

// Switch implements exchange.Switcher. To this protocol the connection is a closed one from here on.
func (p *parked) Switch(headers []app.Header, to any) {
	c := p.c
	b := append(c.Buffer(), "HTTP/1.1 101 Switching Protocols\r\n"...)
	b = append(b, c.protocol.fields()...)
	for _, h := range headers {
		b = append(append(append(append(b, h.Name...), ": "...), h.Value...), "\r\n"...)
	}
	c.SetBuffer(append(b, "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"...))
	p.status, p.headSent, p.finished, p.complete = 101, true, true, true
	if c.protocol.log != nil {
		c.noteHead(headers)
	}
	p.record()
	c.move(connectionClosed)
	c.unpark()
	c.SetDeadline(0)
	next := c.protocol.config().Switch(c.protocol.host, &c.Conn, to)
	c.Handle(next)
	c.Release() // what the client has sent behind the request
	next.Opened()
}

var _ loop.Handler = (*conn)(nil)
