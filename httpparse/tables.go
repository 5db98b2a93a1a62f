package httpparse

// class is a set of the grammar rules that an octet matches.
type class uint8

const (
	// tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." /
	//         "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA       ; RFC 9110 5.6.2
	tchar class = 1 << iota

	// underscore is the one tchar that a CGI name (HTTP_X_Y) cannot tell from "-".
	underscore

	// field-vchar = VCHAR / obs-text                            ; RFC 9110 5.5
	// and SP and HTAB, which may stand between them.
	fieldOctet

	// Of a request target we take every VCHAR but "#", since browsers send
	// some that RFC 3986 would have encoded (RFC 9112 3.2).
	targetOctet

	// unreserved  = ALPHA / DIGIT / "-" / "." / "_" / "~"       ; RFC 3986 2.3
	// sub-delims  = "!" / "$" / "&" / "'" / "(" / ")" / "*" / "+" / "," / ";" / "="
	// reg-name    = *( unreserved / pct-encoded / sub-delims )  ; RFC 3986 3.2.2
	// without ",", which would make one Host look like a list of two.
	regNameOctet

	// scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )       ; RFC 3986 3.1
	schemeOctet

	// HEXDIG = DIGIT / "A" / "B" / "C" / "D" / "E" / "F"        ; RFC 5234 B.1
	// in either case (RFC 3986 2.1, RFC 9112 7.1).
	hexDigit

	// qdtext = HTAB / SP / %x21 / %x23-5B / %x5D-7E / obs-text  ; RFC 9110 5.6.4
	qdtext
)

// classes is written once, before main.
var classes = func() (t [256]class) {
	set := func(rule class, octets string) {
		for i := 0; i < len(octets); i++ {
			t[octets[i]] |= rule
		}
	}
	const (
		digit = "0123456789"
		alpha = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	)
	set(tchar, "!#$%&'*+-.^_`|~"+digit+alpha)
	set(underscore, "_")
	set(regNameOctet, "-._~"+"!$&'()*+;="+digit+alpha)
	set(schemeOctet, "+-."+digit+alpha)
	set(hexDigit, digit+"ABCDEFabcdef")
	set(fieldOctet|qdtext, "\t ")
	for c := 0x21; c <= 0xff; c++ {
		if c == 0x7f {
			continue
		}
		t[c] |= fieldOctet
		if c != '"' && c != '\\' {
			t[c] |= qdtext
		}
		if c < 0x7f && c != '#' {
			t[c] |= targetOctet
		}
	}
	return t
}()

func (rule class) has(octet byte) bool { return classes[octet]&rule != 0 }
