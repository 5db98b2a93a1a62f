package forwarded

import (
	"net/netip"
	"strconv"

	"github.com/weirhttp/weir/httpparse"
)

// readX reads the X-Forwarded fields.
//
// Each proxy appends to X-Forwarded-For who has connected to it. The others are lists too where proxies append to them, and one
// value where they replace it: what belongs to the client stands at the same place from the right, or is the first.
func (p *Policy) readX(head Head, o *Origin, met *kinds) {
	place, length := 0, 0
	for element := range p.elements(head, xFor) {
		length++
		client, ok := node(element)
		if !ok {
			break // the farthest address that is known stays
		}
		o.Client = client
		if !p.trusted.contains(client.Addr()) {
			break
		}
		place++
	}
	place = max(min(place, length-1), 0)
	if met[xProto] {
		o.Scheme = scheme(p.at(head, xProto, place))
	}
	if met[xHost] {
		o.Host = authority(p.at(head, xHost, place))
	}
	if met[xPort] {
		o.Port = port(p.at(head, xPort, place))
	}
}

// at is the element at a place from the right, the first of a shorter list, nil when the list is empty.
func (p *Policy) at(head Head, k kind, place int) (element []byte) {
	for element = range p.elements(head, k) {
		if place--; place < 0 {
			break
		}
	}
	return element
}

// node reads an address, with or without port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80. Names,
// "unknown" among them, are no addresses.
func node(s []byte) (netip.AddrPort, bool) {
	if len(s) > len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535") {
		return netip.AddrPort{}, false
	}
	text := string(s)
	if s[0] == '[' && s[len(s)-1] == ']' {
		a, err := netip.ParseAddr(text[1 : len(text)-1])
		return netip.AddrPortFrom(a, 0), err == nil && a.Is6() && a.Zone() == ""
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(a.Unmap(), 0), a.Zone() == ""
	}
	a, err := netip.ParseAddrPort(text)
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), err == nil && a.Addr().Zone() == ""
}

// scheme reads a scheme, "" when it is none of HTTP's. Some proxies name WebSocket's.
func scheme(s []byte) string {
	switch {
	case equalFold(s, "http"), equalFold(s, "ws"):
		return "http"
	case equalFold(s, "https"), equalFold(s, "wss"):
		return "https"
	}
	return ""
}

// authority is s when it may stand in a Host field, else nil.
func authority(s []byte) []byte {
	if host, _, ok := httpparse.HostAndPort(s); !ok || len(host) == 0 {
		return nil
	}
	return s
}

// port reads the number of a port, 0 when it is none.
func port(s []byte) int {
	for _, c := range s {
		if c < '0' || c > '9' { // strconv allows signs
			return 0
		}
	}
	n, err := strconv.ParseUint(string(s), 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}
