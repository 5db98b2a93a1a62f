package crowd

import (
	"bytes"
	"fmt"
	"strconv"
)

// A message is the content of an answer to a poll: {"id":N,"data":"..."}. data is a view into it; the data that this
// program publishes needs no escapes.
type message struct {
	id   uint64
	data []byte
}

func parseMessage(content []byte) (m message, err error) {
	if m.id, err = member(content, `"id"`); err != nil {
		return m, err
	}
	_, rest, found := bytes.Cut(content, []byte(`"data"`))
	_, rest, quoted := bytes.Cut(rest, []byte(`"`))
	m.data, _, quoted = cutQuote(rest, quoted)
	if !found || !quoted {
		return m, fmt.Errorf("not a message: %.80q", content)
	}
	return m, nil
}

func cutQuote(rest []byte, opened bool) (before, after []byte, found bool) {
	before, after, found = bytes.Cut(rest, []byte(`"`))
	return before, after, found && opened
}

// member is the number under a quoted name in a flat JSON object.
func member(content []byte, name string) (uint64, error) {
	at := bytes.Index(content, []byte(name))
	if at >= 0 {
		rest := bytes.TrimLeft(content[at+len(name):], ": ")
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		if n, err := strconv.ParseUint(string(rest[:digits]), 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("no number %s in %.80q", name, content)
}
