package h1

import (
	"net/netip"
	"slices"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/httpparse"
)

// via is what trusted proxies say of a request, beside its Host.
type via struct {
	client netip.AddrPort // the zero Addr: they do not say
	scheme string         // "": the connection's
	name   httpparse.Span // SERVER_NAME; empty: the listener's
	port   int            // SERVER_PORT; 0: the listener's
}

// readVia acts on the fields by which proxies speak for clients: what is not to be believed is removed, and what is takes the place of what
// the connection says. It is called when the head is in, before anybody looks at it; Host is changed where it stands.
func (t *transaction) readVia() {
	t.repeat.forget() // the request is not as it was parsed any more
	r := &t.request
	policy := t.c.protocol.config().Forwarded
	proxied := t.c.Proxied()
	o := policy.Read(t, t.c.Remote().Addr(), proxied != nil && proxied.Anonymous)
	if o.Client.IsValid() {
		t.via.client, t.forwarded = o.Client, true
	}
	if o.Scheme != "" {
		t.via.scheme, t.forwarded = o.Scheme, true
	}
	if o.Host != nil {
		value := t.spanOf(o.Host)
		host, _, _ := httpparse.HostAndPort(o.Host)
		t.via.name, t.forwarded = t.spanOf(host), true
		t.setHost(value)
	}
	if t.via.port = o.Port; o.Port == 0 && (o.Host != nil || o.Scheme != "") {
		t.via.port = t.askedPort()
	}
	t.forwarded = t.forwarded || o.Port != 0
	r.Fields = slices.DeleteFunc(r.Fields, func(f httpparse.Field) bool { return policy.Removes(&o, f.Name.Of(t.head)) })
}

// spanOf is where a view of the head is.
func (t *transaction) spanOf(b []byte) httpparse.Span {
	start := offset(t.head, b)
	return httpparse.Span{Start: start, End: start + uint32(len(b))}
}

// setHost has the request ask for another host than its own Host field does.
func (t *transaction) setHost(value httpparse.Span) {
	r := &t.request
	if r.Form == httpparse.AbsoluteForm {
		r.Authority = value // Field serves it
		return
	}
	for i := range r.Fields {
		if f := &r.Fields[i]; f.Value == r.Host && r.HasHost {
			f.Value, r.Host = value, value
			return
		}
	}
	r.Host = value // there was none: it comes behind the others
}

// askedPort is the port that the client has asked for, by the Host field and the scheme.
func (t *transaction) askedPort() int {
	r := &t.request
	asked := r.Host
	if r.Form == httpparse.AbsoluteForm {
		asked = r.Authority
	}
	if _, port, ok := httpparse.HostAndPort(asked.Of(t.head)); ok && port != 0 {
		return port
	}
	return app.UsualPort(t.Scheme())
}
