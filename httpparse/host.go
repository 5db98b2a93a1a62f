package httpparse

import (
	"bytes"
	"math/bits"
)

// hostAndPort parses
//
//	Host      = uri-host [ ":" port ]                 ; RFC 9110 7.2
//	uri-host  = IP-literal / IPv4address / reg-name   ; RFC 3986 3.2.2
//	port      = *DIGIT                                ; at most 65535
//
// It returns the length of the host, and the index of the first octet that is
// wrong or -1. There is no userinfo, so an "@" is wrong. An IPv4address is a
// reg-name to the grammar.
func hostAndPort(s []byte) (host, bad int) {
	if len(s) > 0 && s[0] == '[' {
		closing := bytes.IndexByte(s, ']')
		if closing < 0 || !ipLiteral(s[1:closing]) {
			return 0, 0
		}
		host = closing + 1
	} else {
		host = regName(s)
		if host < len(s) && s[host] == '%' {
			return host, host
		}
	}
	if host == len(s) {
		return host, -1
	}
	if s[host] != ':' {
		return host, host
	}
	port := uint(0)
	for i, c := range s[host+1:] {
		digit := uint(c) - '0'
		port = port*10 + digit
		if digit > 9 || port > 65535 {
			return host, host + 1 + i
		}
	}
	return host, -1
}

// HostAndPort reads an authority as a Host field has it: the host, an IPv6 address in its brackets, and the port, 0 when there is none. host
// is a view of s, and may be empty.
func HostAndPort(s []byte) (host []byte, port int, ok bool) {
	n, bad := hostAndPort(s)
	if bad >= 0 {
		return nil, 0, false
	}
	for _, c := range s[min(n+1, len(s)):] {
		port = port*10 + int(c-'0')
	}
	return s[:n:n], port, true
}

// regName returns the length of the reg-name that s begins with:
//
//	reg-name    = *( unreserved / pct-encoded / sub-delims ) ; RFC 3986 3.2.2
//	pct-encoded = "%" HEXDIG HEXDIG
func regName(s []byte) int {
	end := 0
	for {
		for end+8 <= len(s) {
			other := notHostLike(word(s, end))
			if other == 0 {
				end += 8
				continue
			}
			end += bits.TrailingZeros64(other) / 8
			break
		}
		for end < len(s) && regNameOctet.has(s[end]) {
			end++
		}
		if end+2 >= len(s) || s[end] != '%' || !hexDigit.has(s[end+1]) || !hexDigit.has(s[end+2]) {
			return end
		}
		end += 3
	}
}

// ipLiteral parses what stands between the brackets:
//
//	IP-literal = "[" ( IPv6address / IPvFuture  ) "]"                ; RFC 3986 3.2.2
//	IPvFuture  = "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )
//
// Zone identifiers (RFC 6874) mean nothing to another host and are refused.
func ipLiteral(s []byte) bool {
	if len(s) == 0 || s[0]|0x20 != 'v' {
		return ipv6Address(s)
	}
	dot := bytes.IndexByte(s, '.')
	if dot < 2 || dot == len(s)-1 {
		return false
	}
	for _, c := range s[1:dot] {
		if !hexDigit.has(c) {
			return false
		}
	}
	for _, c := range s[dot+1:] {
		if !regNameOctet.has(c) && c != ':' {
			return false
		}
	}
	return true
}

// ipv6Address parses eight groups
//
//	h16  = 1*4HEXDIG
//	ls32 = ( h16 ":" h16 ) / IPv4address ; RFC 3986 3.2.2
//
// of which one run of at least one group may be written as "::".
func ipv6Address(s []byte) bool {
	groups, elided := 0, false
	if len(s) >= 2 && s[0] == ':' && s[1] == ':' {
		elided, s = true, s[2:]
	}
	for len(s) > 0 {
		digits := 0
		for digits < len(s) && hexDigit.has(s[digits]) {
			digits++
		}
		if digits < len(s) && s[digits] == '.' {
			groups += 2
			return ipv4Address(s) && fillsAddress(groups, elided)
		}
		if digits == 0 || digits > 4 {
			return false
		}
		groups++
		s = s[digits:]
		if len(s) == 0 {
			break
		}
		switch {
		case s[0] != ':' || len(s) == 1:
			return false
		case s[1] != ':':
			s = s[1:]
		case elided:
			return false
		default:
			elided, s = true, s[2:]
		}
	}
	return fillsAddress(groups, elided)
}

// fillsAddress reports whether the groups are eight with those that "::" stands
// for, which is at least one.
func fillsAddress(groups int, elided bool) bool {
	if elided {
		return groups < 8
	}
	return groups == 8
}

// ipv4Address parses
//
//	IPv4address = dec-octet "." dec-octet "." dec-octet "." dec-octet
//	dec-octet   = 0 to 255 without leading zeros ; RFC 3986 3.2.2
func ipv4Address(s []byte) bool {
	for part := range 4 {
		value, digits := 0, 0
		for digits < len(s) && s[digits]-'0' <= 9 && digits < 4 {
			value = value*10 + int(s[digits]-'0')
			digits++
		}
		if digits == 0 || value > 255 || digits > 1 && s[0] == '0' {
			return false
		}
		s = s[digits:]
		if part < 3 {
			if len(s) == 0 || s[0] != '.' {
				return false
			}
			s = s[1:]
		}
	}
	return len(s) == 0
}
