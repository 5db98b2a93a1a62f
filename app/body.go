package app

import (
	"errors"
	"io"
	"iter"
	"os"
	"sync"
)

// ChunkSize is how many octets the bodies over readers and files hand on at a time.
const ChunkSize = 64 << 10

// slice is a body of one chunk. The environ has one inside, so that most answers allocate nothing.
type slice struct {
	chunk []byte
	used  bool // belongs to a response
	done  bool
}

func (s *slice) Next() ([]byte, error) {
	if s.done {
		return nil, io.EOF
	}
	s.done = true
	return s.chunk, io.EOF
}

func (s *slice) Close() error { return nil }
func (s *slice) Size() int64  { return int64(len(s.chunk)) }

// Whole returns the content of a body that Bytes, String, Empty or Environ.Bytes made, and that was not
// read: a server can send it at once. Such a body needs no Close.
func Whole(body Body) (content []byte, ok bool) {
	if s, ok := body.(*slice); ok && !s.done {
		return s.chunk, true
	}
	return nil, false
}

// Bytes returns a body of one chunk. b must stay unchanged until Close; it may be a view of the
// request. Environ.Bytes does the same without an allocation.
func Bytes(b []byte) Body { return &slice{chunk: b} }

// String returns a body of one chunk.
func String(s string) Body { return &slice{chunk: []byte(s)} }

// Empty returns a body without content.
func Empty() Body { return &slice{} }

// sequence is a body over an iterator.
type sequence struct {
	next func() ([]byte, bool)
	stop func()
}

// Seq returns a body of the chunks of seq. Its length is not known: chunked coding, or the end of
// the connection, delimits it. seq is stopped, its deferred calls run, at Close.
func Seq(seq iter.Seq[[]byte]) Body {
	next, stop := iter.Pull(seq)
	return &sequence{next, stop}
}

func (s *sequence) Next() ([]byte, error) {
	chunk, ok := s.next()
	if !ok {
		return nil, io.EOF
	}
	return chunk, nil
}

func (s *sequence) Close() error { s.stop(); return nil }

// reader is a body over an io.Reader.
type reader struct {
	src    io.Reader
	buf    []byte
	filled bool             // by the last read
	fixed  bool             // the size of buf was asked for
	pooled *[ChunkSize]byte // buf; nil when it is no chunk's
}

// Reader returns a body of what r reads, ChunkSize octets at a time at most. When r is an io.Closer,
// it is closed with the body.
func Reader(r io.Reader) Body { return &reader{src: r} }

// ReaderN is Reader for content whose length is known: n octets. An r that ends before aborts the response,
// what it has beyond them is not read. n < 0 stands for a length that is not known.
func ReaderN(r io.Reader, n int64) Body {
	if n < 0 {
		return Reader(r)
	}
	return &sized{reader{src: r}, n, n}
}

// firstChunk is the size of a reader's first buffer, in octets. A source that fills a buffer gets a larger one next, so
// that a slow one costs little.
const firstChunk = 4 << 10

func (r *reader) Next() ([]byte, error) {
	r.grow(ChunkSize)
	return r.read(r.buf)
}

// chunks has large buffers of readers that are closed.
var chunks = sync.Pool{New: func() any { return new([ChunkSize]byte) }}

// grow makes the buffer that is good for the next read, of content of which at most left octets are to come.
func (r *reader) grow(left int64) {
	switch {
	case r.buf == nil:
		r.buf = make([]byte, min(firstChunk, left))
	case r.filled && r.pooled == nil && !r.fixed && left > int64(len(r.buf)):
		r.pooled = chunks.Get().(*[ChunkSize]byte)
		r.buf = r.pooled[:]
	}
}

// read reads into b, which may be a part of buf.
func (r *reader) read(b []byte) ([]byte, error) {
	n, err := r.src.Read(b)
	r.filled = n == len(r.buf)
	return b[:n], err
}

func (r *reader) Close() error {
	if r.pooled != nil {
		chunks.Put(r.pooled)
		r.pooled, r.buf = nil, nil
	}
	if c, ok := r.src.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// sized is a reader that ends after left octets.
type sized struct {
	reader
	size, left int64
}

func (s *sized) Next() ([]byte, error) {
	if s.left == 0 {
		return nil, io.EOF
	}
	s.grow(s.left)
	chunk, err := s.read(s.buf[:min(int64(len(s.buf)), s.left)])
	s.left -= int64(len(chunk))
	if err == io.EOF && s.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return chunk, err
}

func (s *sized) Size() int64 { return s.size }

// section is a body that is part of a file.
type section struct {
	sized
	file   *os.File
	offset int64
}

// FileBody returns a body of the n octets of file from offset on; n < 0 means up to the end that the
// file has now. The file is closed with the body. Its own offset is neither used nor moved.
func FileBody(file *os.File, offset, n int64) (Body, error) {
	if n < 0 {
		info, err := file.Stat()
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, errors.New("app: " + file.Name() + " is not a regular file, its length has to be given")
		}
		n = max(info.Size()-offset, 0)
	}
	src := io.NewSectionReader(file, offset, n)
	return &section{sized{reader{src: src}, n, n}, file, offset}, nil
}

// CheckSection tells what keeps a server from sending count octets of file from offset on, beside that there may be fewer. It is
// for servers.
func CheckSection(file *os.File, offset, count int64) error {
	if offset < 0 || count < 0 {
		return errors.New("app: a part of a file begins at 0 or behind it, and has no length below 0")
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("app: " + file.Name() + " is not a regular file")
	}
	return err
}

func (s *section) Close() error {
	s.src = s.file
	return s.reader.Close()
}

func (s *section) File() (File, int64) { return s.file, s.offset }

// FileWrapper is wsgi.file_wrapper: a body of what is left of filelike, blockSize octets at a time (0:
// ChunkSize). It starts at the current position, and a regular file is sent with sendfile(2).
func FileWrapper(filelike io.Reader, blockSize int) Body {
	if file, ok := filelike.(*os.File); ok {
		if offset, err := file.Seek(0, io.SeekCurrent); err == nil {
			if body, err := FileBody(file, offset, -1); err == nil {
				return body
			}
		}
	}
	r := &reader{src: filelike}
	if blockSize > 0 {
		r.buf, r.fixed = make([]byte, blockSize), true
	}
	return r
}
