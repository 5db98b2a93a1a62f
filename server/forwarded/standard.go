package forwarded

import (
	"bytes"
	"net/netip"
)

// readStandard reads Forwarded. Each proxy appends an element: who has connected to it, and what was asked of it. The one that names the
// client is the one that counts.
func (p *Policy) readStandard(head Head, o *Origin) {
	for list := range p.elements(head, standard) {
		e, ok := parseElement(list)
		if !ok {
			return // what was known before stays
		}
		o.Scheme, o.Host = scheme(e.proto), authority(e.host)
		client, ok := standardNode(e.node)
		if !ok {
			return
		}
		o.Client = client
		if !p.trusted.contains(client.Addr()) {
			return
		}
	}
}

// element is what of a forwarded-element counts: views, nil where it does not say.
type element struct{ node, proto, host []byte }

// parseElement parses
//
//	forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] ) ; RFC 7239 4
//	forwarded-pair    = token "=" value
//	value             = token / quoted-string
//
// with spaces around ";" too, which some write. A parameter that comes twice is wrong. Escapes in a quoted-string are not undone: nothing
// that counts needs them.
func parseElement(s []byte) (e element, ok bool) {
	for {
		s = bytes.TrimLeft(s, " \t")
		if len(s) == 0 {
			return e, true
		}
		if s[0] == ';' {
			s = s[1:]
			continue
		}
		name := s[:word(s)]
		s = s[len(name):]
		if len(name) == 0 || len(s) == 0 || s[0] != '=' {
			return e, false
		}
		s = s[1:]
		var value []byte
		if len(s) > 0 && s[0] == '"' {
			n := quoted(s[1:])
			if n < 0 {
				return e, false
			}
			value, s = s[1:n+1], s[n+2:]
		} else {
			value = s[:word(s)]
			s = s[len(value):]
			if len(value) == 0 {
				return e, false
			}
		}
		if s = bytes.TrimLeft(s, " \t"); len(s) > 0 && s[0] != ';' {
			return e, false
		}
		var known *[]byte
		switch {
		case equalFold(name, "for"):
			known = &e.node
		case equalFold(name, "proto"):
			known = &e.proto
		case equalFold(name, "host"):
			known = &e.host
		default:
			continue
		}
		if *known != nil {
			return e, false
		}
		*known = value
	}
}

// word is the length of the token, or of the value without quotes, that s begins with. It takes more than a token: RFC 7239 wants quotes around
// addresses with a colon, and many leave them out.
func word(s []byte) int {
	if n := bytes.IndexAny(s, "=;\" \t"); n >= 0 {
		return n
	}
	return len(s)
}

// quoted is the length of what stands before the closing quote, -1 when there is none.
func quoted(s []byte) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// standardNode reads
//
//	node      = nodename [ ":" node-port ] ; RFC 7239 6
//	nodename  = IPv4address / "[" IPv6address "]" / "unknown" / obfnode
//	node-port = port / obfport
//	obfport   = "_" 1*( ALPHA / DIGIT / "." / "_" / "-" )
//
// of which only addresses tell who the client is.
func standardNode(s []byte) (client netip.AddrPort, ok bool) {
	if i := bytes.LastIndex(s, []byte(":_")); i > 0 {
		s = s[:i]
	}
	if len(s) == 0 {
		return client, false
	}
	return node(s)
}
