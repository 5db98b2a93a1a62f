package static

import (
	"io"

	"github.com/weirhttp/weir/app"
)

// body makes the body of an answer with parts of an acquired variant.
func (a *answer) body(v *variant) app.Body {
	simple := len(a.parts) == 1 && a.parts[0].before == ""
	if v.handle == nil {
		if simple {
			s := a.parts[0].span
			return app.Bytes(v.content[s.offset : s.offset+s.n])
		}
		content := make([]byte, 0, a.length)
		for _, p := range a.parts {
			content = append(append(content, p.before...), v.content[p.offset:p.offset+p.n]...)
		}
		return app.Bytes(append(content, a.tail...))
	}
	b := &partsBody{handle: v.handle, parts: a.parts, tail: a.tail, size: a.length}
	if simple {
		return &sectionBody{*b}
	}
	return b
}

// partsBody is a body of several sections of a file, each with text in front of it. They are read: sendfile is for one section, which
// nearly all requests with ranges ask for.
type partsBody struct {
	handle *handle
	parts  []part // what is left; the text of the first is sent when it is ""
	tail   string
	size   int64
	buf    []byte
}

// Next implements app.Body.
func (b *partsBody) Next() ([]byte, error) {
	if len(b.parts) == 0 {
		return []byte(b.tail), io.EOF
	}
	p := &b.parts[0]
	if p.before != "" {
		text := []byte(p.before)
		p.before = ""
		return text, nil
	}
	if b.buf == nil {
		b.buf = make([]byte, min(app.ChunkSize, b.size))
	}
	chunk := b.buf[:min(int64(len(b.buf)), p.n)]
	n, err := b.handle.ReadAt(chunk, p.offset)
	p.offset += int64(n)
	p.n -= int64(n)
	switch {
	case n == 0 && err == io.EOF:
		return nil, io.ErrUnexpectedEOF // the file was truncated
	case n == 0:
		return nil, err
	}
	if p.n == 0 {
		b.parts = b.parts[1:]
	}
	return chunk[:n], nil
}

// Size implements app.Sized.
func (b *partsBody) Size() int64 { return b.size }

// Close implements app.Body.
func (b *partsBody) Close() error {
	b.handle.release()
	return nil
}

// sectionBody is a body of one section of a file.
type sectionBody struct{ partsBody }

// File implements app.Filer.
func (b *sectionBody) File() (app.File, int64) { return b.handle, b.parts[0].offset }
