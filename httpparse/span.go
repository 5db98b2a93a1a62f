package httpparse

// Span is a half-open range [Start, End) of octets in the parsed buffer.
// Offsets, not slices, so that a head that moves to another buffer, or is
// copied, keeps its meaning. The zero Span is empty.
type Span struct{ Start, End uint32 }

// Of returns the octets of s in buf, which must hold the head from its first
// octet. The result is a view: it shares buf's memory, lives as long as buf's
// contents stay, and has no spare capacity for append to write into.
func (s Span) Of(buf []byte) []byte { return buf[s.Start:s.End:s.End] }

// Len returns the length in octets.
func (s Span) Len() int { return int(s.End) - int(s.Start) }

// Field is one field line of the head: its name as it was sent, and its value
// without the white space around it.
type Field struct{ Name, Value Span }

func span(start, end int) Span { return Span{uint32(start), uint32(end)} }
