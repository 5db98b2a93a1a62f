// Package forwarded finds out for whom a proxy speaks: X-Forwarded-For, -Proto, -Host and -Port, and Forwarded (RFC 7239).
//
// Anybody can send these fields. They are believed when the connection comes from a trusted address, and only as far as trusted
// proxies have written them: lists are walked from the right, where the nearest proxy writes, past addresses
// that are trusted. What stands left of the first one that is not was sent by that client, who may claim what he likes.
package forwarded

import (
	"fmt"
	"net/netip"
	"strings"
)

// Policy is who is believed, and what. It is not changed once made, and any goroutine may use it. A nil Policy believes nobody.
type Policy struct {
	trusted Networks
	names   map[string]bool // lower case; nil: all
}

// NewPolicy returns the policy that believes the trusted networks. names are the fields that these proxies write: others that look
// like them come from their clients and are removed. No names: the proxies write, or remove, all of them.
func NewPolicy(trusted Networks, names []string) (*Policy, error) {
	p := &Policy{trusted: trusted}
	for _, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		if kindOf([]byte(name)) == none {
			return nil, fmt.Errorf("%q is neither Forwarded nor an X-Forwarded field", name)
		}
		if p.names == nil {
			p.names = make(map[string]bool)
		}
		p.names[name] = true
	}
	return p, nil
}

// kind is what a field may say.
type kind uint8

const (
	none     kind = iota
	standard      // Forwarded
	xFor
	xProto
	xHost
	xPort
	xOther // nothing that weir knows of
)

// kinds are those that a head has.
type kinds [xOther + 1]bool

// kindOf is the kind of a field by its name.
func kindOf(name []byte) kind {
	const prefix = "x-forwarded-"
	switch {
	case len(name) < len("forwarded"):
		return none
	case name[0]|0x20 != 'x' && name[0]|0x20 != 'f': // most are told from it by that
		return none
	case len(name) == len("forwarded") && equalFold(name, "forwarded"):
		return standard
	case len(name) <= len(prefix) || !equalFold(name[:len(prefix)], prefix):
		return none
	}
	switch rest := name[len(prefix):]; {
	case equalFold(rest, "for"):
		return xFor
	case equalFold(rest, "proto"):
		return xProto
	case equalFold(rest, "host"):
		return xHost
	case equalFold(rest, "port"):
		return xPort
	}
	return xOther
}

// equalFold tells whether s is lower, which is in lower case, in any case.
func equalFold(s []byte, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i, c := range s {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// Head is the fields of a request, in the order received. A name may be nil.
type Head interface {
	Fields() int
	Field(i int) (name, value []byte)
}

// Origin is what trusted proxies say of a request. Zero values stand for what they do not say.
type Origin struct {
	// Client is the client's address. Its port is 0 when only the address is told.
	Client netip.AddrPort
	// Scheme is "http" or "https".
	Scheme string
	// Host is the authority that the client has asked for, with or without port: a view of the field.
	Host []byte
	// Port is the one that the client has connected to.
	Port int

	trusted bool // the connection's peer
	x       bool // Forwarded does not count, because there are the others
}

// Read reads what head says. The connection comes from peer, the zero Addr for a Unix socket; anonymous: from whom, is not known.
func (p *Policy) Read(head Head, peer netip.Addr, anonymous bool) (o Origin) {
	if p == nil || anonymous || !p.trusted.Peer(peer) {
		return o
	}
	o.trusted = true
	var met kinds
	for i := range head.Fields() {
		name, _ := head.Field(i)
		if k := kindOf(name); k != none && p.writes(name) {
			met[k] = true
		}
	}
	o.x = met[xFor] || met[xProto] || met[xHost] || met[xPort]
	switch {
	case o.x:
		p.readX(head, &o, &met)
	case met[standard]:
		p.readStandard(head, &o)
	}
	return o
}

// writes tells whether the proxies write that field, of some kind.
func (p *Policy) writes(name []byte) bool {
	return p.names == nil || p.names[strings.ToLower(string(name))]
}

// Removes tells whether applications must not see a field: it may be invented, or contradicts what was believed. o is what was read
// of the head that it is from.
func (p *Policy) Removes(o *Origin, name []byte) bool {
	switch k := kindOf(name); {
	case k == none:
		return false
	case !o.trusted || !p.writes(name):
		return true
	default:
		return k == standard && o.x
	}
}
