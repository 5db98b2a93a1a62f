package static

import (
	"bytes"
	"strings"
)

// codings are those of compressed siblings.
var codings = []struct{ name, suffix string }{{"br", ".br"}, {"zstd", ".zst"}, {"gzip", ".gz"}}

// negotiate chooses the variant that an Accept-Encoding field likes best, and of equals the smallest (RFC 9110 12.5.3). The file without a coding
// is chosen when no other one is wanted, even if that was excluded: 406 would help nobody.
func (r *resource) negotiate(accept []byte) *variant {
	best := r.variants[0]
	if len(r.variants) == 1 || len(accept) == 0 {
		return best
	}
	most := 0
	if q, named := quality(accept, "identity"); named {
		most = q
	}
	for _, v := range r.variants[1:] {
		q, _ := quality(accept, v.coding)
		if q > 0 && (q > most || q == most && (best.coding == "" || v.size < best.size)) {
			best, most = v, q
		}
	}
	return best
}

// quality is the weight of a coding in an Accept-Encoding field, in thousandths. named is false when it is there by "*" only, or not at all.
//
//	Accept-Encoding = #( codings [ weight ] )
//	weight          = OWS ";" OWS "q=" qvalue
func quality(accept []byte, coding string) (q int, named bool) {
	rest := 0
	for element := range bytes.SplitSeq(accept, []byte(",")) {
		name, weight, _ := bytes.Cut(element, []byte(";"))
		switch token := string(bytes.Trim(name, " \t")); {
		case strings.EqualFold(token, coding), coding == "gzip" && strings.EqualFold(token, "x-gzip"):
			return qvalue(weight), true
		case token == "*":
			rest = qvalue(weight)
		}
	}
	return rest, false
}

// qvalue reads a weight without its semicolon. One that is missing is 1, one that is malformed 0.
//
//	qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
func qvalue(weight []byte) int {
	weight = bytes.Trim(weight, " \t")
	if len(weight) == 0 {
		return 1000
	}
	if len(weight) < 3 || weight[0]|0x20 != 'q' || weight[1] != '=' {
		return 0
	}
	digits := weight[2:]
	if len(digits) > 5 || len(digits) > 1 && digits[1] != '.' || digits[0] > '1' || digits[0] < '0' {
		return 0
	}
	q, unit := int(digits[0]-'0')*1000, 100
	for _, d := range digits[min(2, len(digits)):] {
		if d < '0' || d > '9' {
			return 0
		}
		q += int(d-'0') * unit
		unit /= 10
	}
	if q > 1000 {
		return 0
	}
	return q
}
