package app

import (
	"errors"
	"strconv"
	"strings"
)

// tchar marks the octets of a token (RFC 9110 5.6.2):
//
//	tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." /
//	        "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
var tchar = func() (t [256]bool) {
	for _, c := range "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" {
		t[c] = true
	}
	return t
}()

// HasContent tells whether responses with this code of status have content at all (RFC 9110 15.3.5, 15.3.6, 15.4.5).
func HasContent(code int) bool { return code != 204 && code != 205 && code != 304 }

// CheckStatus tells what is wrong with a status line's text: "999 Reason", three digits from 100
// to 999, a space, and a reason phrase without control characters (RFC 9112 section 4). code is 0 when it is wrong.
func CheckStatus(status string) (code int, wrong string) {
	if len(status) < 4 || status[3] != ' ' {
		return 0, "status must be three digits, a space and a reason phrase"
	}
	for i := range 3 {
		d := status[i] - '0'
		if d > 9 {
			return 0, "status must begin with three digits"
		}
		code = code*10 + int(d)
	}
	if code < 100 {
		return 0, "status code must be 100 or more"
	}
	if HasControl(status[4:]) {
		return 0, "status has a control character"
	}
	return code, ""
}

// CheckHeader tells what is wrong with a field of a response: the name must be a token (RFC 9110
// 5.1), the value free of control characters (5.5), and the field
// must not be hop-by-hop, which PEP 3333 leaves to the server. "" means nothing.
func CheckHeader(h Header) (wrong string) {
	if h.Name == "" {
		return "header name is empty"
	}
	for i := range len(h.Name) {
		if !tchar[h.Name[i]] {
			return "header name is not a token"
		}
	}
	if HasControl(h.Value) {
		return "header value has a control character"
	}
	if HopByHop(h.Name) {
		return "header is hop-by-hop, which is the server's"
	}
	return ""
}

// CheckHints tells what is wrong with the fields of an interim response, by the rules of CheckHeader. It is for servers.
func CheckHints(headers []Header) error {
	for _, h := range headers {
		if wrong := CheckHeader(h); wrong != "" {
			return errors.New("app: early hints: " + wrong + ": " + strconv.Quote(h.Name))
		}
	}
	return nil
}

// HasControl tells whether s has an octet that no field value and no reason phrase may have:
// below SP, but for HTAB, or DEL.
func HasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// HopByHop tells whether name is a field that concerns one connection only (the list of RFC 2616
// 13.5.1, which PEP 3333 refers to). Upgrade is among them: protocols are switched by the server.
func HopByHop(name string) bool {
	switch len(name) {
	case 2:
		return strings.EqualFold(name, "TE")
	case 7:
		return strings.EqualFold(name, "Trailer") || strings.EqualFold(name, "Upgrade")
	case 8:
		return strings.EqualFold(name, "Trailers")
	case 10:
		return strings.EqualFold(name, "Connection") || strings.EqualFold(name, "Keep-Alive")
	case 17:
		return strings.EqualFold(name, "Transfer-Encoding")
	case 18:
		return strings.EqualFold(name, "Proxy-Authenticate")
	case 19:
		return strings.EqualFold(name, "Proxy-Authorization")
	}
	return false
}
