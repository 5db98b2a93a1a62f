package server

import (
	"net"
	"net/netip"
	"strings"

	"github.com/weirhttp/weir/loop"
)

// CheckAddress tells whether an address is one that Config.Bind may have. It looks no name up. The error is a *loop.AddressError.
func CheckAddress(bind string) error {
	_, address := cutProtocol(bind, HTTP)
	return loop.CheckAddress(address)
}

// Overlap tells whether two addresses that Config.Bind may have are the same, or one has the other in it, as 0.0.0.0:80 has 127.0.0.1:80: the second one
// is in use when the first is listened at. It looks no name up.
func Overlap(a, b string) bool {
	_, a = cutProtocol(a, HTTP)
	_, b = cutProtocol(b, HTTP)
	hostA, portA, err := net.SplitHostPort(a)
	hostB, portB, wrong := net.SplitHostPort(b)
	if err != nil || wrong != nil || strings.HasPrefix(a, "unix:") {
		return a == b
	}
	return portA == portB && portA != "0" && (covers(hostA, hostB) || covers(hostB, hostA))
}

// covers tells whether who listens at a host has all connections to another.
func covers(host, other string) bool {
	switch host {
	case "", "::": // IPv4 too
		return true
	case "0.0.0.0":
		ip, err := netip.ParseAddr(other)
		return err != nil || ip.Is4()
	}
	return loopback(host) == loopback(other)
}

// loopback is 127.0.0.1 for localhost, which it is everywhere.
func loopback(host string) string {
	if host == "localhost" {
		return "127.0.0.1"
	}
	return host
}
