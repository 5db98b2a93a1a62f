package compress

import "strings"

// negotiate chooses a coding for a value of Accept-Encoding:
//
//	Accept-Encoding = #( codings [ weight ] )
//	codings         = content-coding / "identity" / "*"
//
// codec is nil where the content is to be sent as it is. must tells that the client does not take that. Members that are
// malformed do not count.
func (m *middleware) negotiate(accept string) (codec *codec, must bool) {
	const unlisted = -1
	identity, other := unlisted, unlisted
	var named [len(allCodings)]int // the weight for each of m.codecs
	for i := range named {
		named[i] = unlisted
	}
	for member := range strings.SplitSeq(accept, ",") {
		coding, weight, ok := parseMember(member)
		switch {
		case !ok:
		case coding == "*":
			other = max(other, weight)
		case strings.EqualFold(coding, "identity"):
			identity = max(identity, weight)
		default:
			for i, c := range m.codecs {
				if c.is(coding) {
					named[i] = max(named[i], weight)
				}
			}
		}
	}
	best := max(identity, 1)
	for i, c := range m.codecs {
		weight := named[i]
		if weight == unlisted {
			weight = other
		}
		if weight > best || weight == best && codec == nil {
			codec, best = c, weight
		}
	}
	return codec, identity == 0 || identity == unlisted && other == 0
}

// parseMember reads a member of Accept-Encoding. The weight is in thousandths.
func parseMember(member string) (coding string, weight int, ok bool) {
	coding, parameter, weighed := strings.Cut(member, ";")
	coding = strings.Trim(coding, " \t")
	if !weighed {
		return coding, 1000, coding != ""
	}
	name, value, _ := strings.Cut(strings.Trim(parameter, " \t"), "=")
	if !strings.EqualFold(name, "q") {
		return "", 0, false
	}
	weight, ok = parseWeight(value)
	return coding, weight, ok && coding != ""
}

// parseWeight reads a qvalue, as thousandths:
//
//	qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
func parseWeight(value string) (weight int, ok bool) {
	whole, decimals, _ := strings.Cut(value, ".")
	if whole != "0" && whole != "1" || len(decimals) > 3 {
		return 0, false
	}
	weight = int(whole[0]-'0') * 1000
	unit := 100
	for _, digit := range []byte(decimals) {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		weight += int(digit-'0') * unit
		unit /= 10
	}
	return weight, weight <= 1000
}
