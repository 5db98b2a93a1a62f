package nats

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// subject is the subject of a topic, below that of the stream. Dots of the topic separate its tokens, so that wildcards of
// NATS mean something; what a subject must not have is written as a per cent sign and two hexadecimal digits: spaces and
// controls, "*", ">", "%" itself, and the dots that would make an empty token.
func subject(stream, topic string) string {
	var b strings.Builder
	b.Grow(len(stream) + 1 + len(topic))
	b.WriteString(stream)
	b.WriteByte('.')
	open := false // a token has begun
	for i := range len(topic) {
		c := topic[i]
		switch {
		case c == '.' && open && i+1 < len(topic):
			b.WriteByte('.')
			open = false
			continue
		case c == '.', c <= ' ', c == '*', c == '>', c == '%', c == 0x7f:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
		open = true
	}
	return b.String()
}

// filter is the subjects of the topics that a pattern stands for: its wildcards are those of NATS.
func filter(stream, pattern string) string {
	tokens := strings.Split(subject(stream, pattern), ".")
	for i, token := range tokens[1:] {
		switch token {
		case "%2A":
			tokens[i+1] = "*"
		case "%3E":
			tokens[i+1] = ">"
		}
	}
	return strings.Join(tokens, ".")
}

// topicOf is the topic of a subject. One that subject has not made, as others may publish to, is read as it would be; ok
// tells whether it can be, and is a name that a topic may have: those who wait for patterns are told it.
func topicOf(stream, subject string) (topic string, ok bool) {
	if topic, ok = unescape(stream, subject); !ok || !utf8.ValidString(topic) {
		return "", false
	}
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	return topic, !strings.ContainsFunc(topic, control)
}

func unescape(stream, subject string) (topic string, ok bool) {
	escaped, ok := strings.CutPrefix(subject, stream+".")
	if !ok || !strings.Contains(escaped, "%") {
		return escaped, ok
	}
	b := make([]byte, 0, len(escaped))
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		if c == '%' {
			if i+2 >= len(escaped) {
				return "", false
			}
			high, low := hex(escaped[i+1]), hex(escaped[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			c = byte(high<<4 | low)
			i += 2
		}
		b = append(b, c)
	}
	return string(b), true
}

// hex is the value of a hexadecimal digit, -1 for what is none.
func hex(c byte) int { return strings.IndexByte("0123456789ABCDEF", c) }
