package forwarded

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Networks are addresses that are trusted to say for whom they speak. The zero Networks trust nobody. They are not changed
// once made, and any goroutine may use them.
type Networks struct {
	prefixes []netip.Prefix
	everyone bool // whoever has connected
	local    bool // and whoever connects to a Unix socket
}

// Loopback is the text of the networks that are trusted by default: this machine.
var Loopback = []string{"127.0.0.0/8", "::1"}

var (
	errNetwork = errors.New(`want an IP address, a network such as 10.0.0.0/8, "*" or "none"`)
	errNone    = errors.New(`"none" stands alone`)
)

// ParseNetworks reads addresses and networks (CIDR). "*" is whoever has connected: the addresses of the proxies need not be known then. "none"
// stands alone, and means what it says; with any other list Unix sockets are trusted too.
func ParseNetworks(list []string) (Networks, error) {
	n := Networks{local: true}
	for _, text := range list {
		text = strings.TrimSpace(text)
		switch {
		case text == "none" && len(list) == 1:
			return Networks{}, nil
		case text == "none":
			return Networks{}, errNone
		case text == "*":
			n.everyone = true
			continue
		}
		if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
			a = a.Unmap()
			n.prefixes = append(n.prefixes, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil || p.Addr().Is4In6() {
			return Networks{}, fmt.Errorf("%q: %w", text, errNetwork)
		}
		n.prefixes = append(n.prefixes, p.Masked())
	}
	return n, nil
}

// Peer tells whether who has connected from a is trusted. The zero Addr is that of a Unix socket.
func (n *Networks) Peer(a netip.Addr) bool {
	if !a.IsValid() {
		return n.local
	}
	return n.everyone || n.contains(a)
}

// contains tells whether a is in a network. "*" is none: it says nothing of who else is on the way.
func (n *Networks) contains(a netip.Addr) bool {
	for _, p := range n.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
