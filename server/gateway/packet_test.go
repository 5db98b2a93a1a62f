package gateway_test

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// pair is a variable of a request that a test makes.
type pair struct{ name, value string }

// uwsgiPacket is a packet of uwsgi.
func uwsgiPacket(modifier byte, pairs []pair) []byte {
	var block []byte
	for _, p := range pairs {
		block = append(binary.LittleEndian.AppendUint16(block, uint16(len(p.name))), p.name...)
		block = append(binary.LittleEndian.AppendUint16(block, uint16(len(p.value))), p.value...)
	}
	head := binary.LittleEndian.AppendUint16([]byte{modifier}, uint16(len(block)))
	return append(append(head, 0), block...)
}

// netstring is the head of a request of SCGI.
func netstring(pairs []pair) []byte {
	var block strings.Builder
	for _, p := range pairs {
		block.WriteString(p.name + "\x00" + p.value + "\x00")
	}
	return fmt.Appendf(nil, "%d:%s,", block.Len(), block.String())
}

// record is a record of FastCGI.
func record(kind byte, id uint16, content []byte, padding int) []byte {
	b := []byte{1, kind, byte(id >> 8), byte(id), byte(len(content) >> 8), byte(len(content)), byte(padding), 0}
	return append(append(b, content...), make([]byte, padding)...)
}

// block is the content of PARAMS. Long sizes have four octets, as those of values that are marked.
func block(pairs []pair) (b []byte) {
	size := func(n int, long bool) {
		if long || n > 127 {
			b = binary.BigEndian.AppendUint32(b, uint32(n)|1<<31)
		} else {
			b = append(b, byte(n))
		}
	}
	for i, p := range pairs {
		size(len(p.name), i%3 == 2)
		size(len(p.value), i%3 == 1)
		b = append(append(b, p.name...), p.value...)
	}
	return b
}

// readRecords is what the records in out say, a line each; those of a stream that follow one another are one line.
func readRecords(out []byte) (lines []string, err error) {
	var last string
	for len(out) > 0 {
		if len(out) < 8 {
			return lines, fmt.Errorf("the head of a record is cut off: %q", out)
		}
		kind, id, size, padding := out[1], binary.BigEndian.Uint16(out[2:]), int(binary.BigEndian.Uint16(out[4:])), int(out[6])
		if out[0] != 1 || len(out) < 8+size+padding {
			return lines, fmt.Errorf("a record is malformed or cut off: %q", out)
		}
		content := out[8 : 8+size]
		out = out[8+size+padding:]
		name := map[byte]string{3: "end", 6: "stdout", 7: "stderr", 10: "values", 11: "unknown"}[kind]
		if name == "" {
			return lines, fmt.Errorf("a record has the type %d", kind)
		}
		stream := fmt.Sprint(name, " ", id)
		switch quoted := strings.Trim(strconv.Quote(string(content)), `"`); {
		case kind == 3:
			lines = append(lines, fmt.Sprint(stream, " ", content[4]))
		case stream == last && size > 0:
			lines[len(lines)-1] += quoted
		case size > 0 || kind != 6 && kind != 7:
			lines = append(lines, stream+" "+quoted)
		}
		last = stream
	}
	return lines, nil
}
