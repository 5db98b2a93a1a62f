package accesslog

import "time"

// The fields that JSON has under referer, user_agent and request_id.
var (
	jsonIn  = []string{"Referer", "User-Agent"}
	jsonOut = []string{"X-Request-ID"}
)

// appendJSON appends an object with its line end. The keys have this order, and those of what is not known are left out.
func appendJSON(b []byte, s *stamp, e *Entry, now int64, weight int) []byte {
	b = append(b, s.opening...)
	if e.Remote.IsValid() {
		b = append(b, `,"remote":"`...)
		b = append(s.appendRemote(b, e.Remote), '"')
	}
	b = s.appendLine(b, e.RequestLine)
	if e.Status != 0 {
		b = appendNumber(append(b, `,"status":`...), int64(e.Status))
	}
	b = appendNumber(append(b, `,"bytes":`...), e.Octets)
	if e.Begun != 0 {
		b = appendNumber(append(b, `,"duration_us":`...), max(now-e.Begun, 0)/int64(time.Microsecond))
	}
	if referer := e.header(0); len(referer) > 0 {
		b = appendString(append(b, `,"referer":`...), referer)
	}
	if agent := e.header(1); len(agent) > 0 {
		b = appendString(append(b, `,"user_agent":`...), agent)
	}
	if len(e.Out) > 0 && e.Out[0] != "" {
		b = appendString(append(b, `,"request_id":`...), []byte(e.Out[0]))
	}
	if weight > 1 {
		b = appendNumber(append(b, `,"sample":`...), int64(weight))
	}
	return append(b, "}\n"...)
}

// appendMembers appends a request line as members of an object.
func appendMembers(b, text []byte) []byte {
	l := splitLine(text)
	if len(l.method) == 0 {
		if len(text) == 0 {
			return b
		}
		return appendString(append(b, `,"request":`...), text)
	}
	b = appendString(append(b, `,"method":`...), l.method)
	b = appendString(append(b, `,"path":`...), l.path)
	if len(l.query) > 0 {
		b = appendString(append(b, `,"query":`...), l.query)
	}
	return appendString(append(b, `,"protocol":`...), l.protocol)
}
