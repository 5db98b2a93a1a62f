package compress

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/weirhttp/weir/app"
)

// allCodings are those that there are.
var allCodings = [...]string{"zstd", "br", "gzip"}

// window is how far back, in octets, a coder looks for what is repeated: more would be memory that few responses make use of. Clients
// must take 8 MiB (RFC 9659).
const window = 256 << 10

// writer is what the libraries' writers have in common.
type writer interface {
	io.WriteCloser
	Flush() error
	Reset(w io.Writer)
}

// codec is a content coding. Its writers are pooled, and the collector takes those that are not used.
type codec struct {
	name    string
	writers sync.Pool
}

// newCodec returns the codec of that name.
func newCodec(name string, options Options) (*codec, error) {
	c := &codec{name: name}
	var open func() (writer, error)
	switch name {
	case "gzip":
		level, err := level("GzipLevel", options.GzipLevel, 5, 1, 9)
		if err != nil {
			return nil, err
		}
		open = func() (writer, error) { return gzip.NewWriterLevel(nil, level) }
	case "zstd":
		level, err := level("ZstdLevel", options.ZstdLevel, 1, 1, 4)
		if err != nil {
			return nil, err
		}
		open = func() (writer, error) {
			return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevel(level)), zstd.WithEncoderConcurrency(1),
				zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(window))
		}
	case "br":
		level, err := level("BrotliLevel", options.BrotliLevel, 4, 0, 11)
		if err != nil {
			return nil, err
		}
		open = func() (writer, error) {
			return brotli.NewWriterOptions(nil, brotli.WriterOptions{Quality: level, LGWin: 18}), nil
		}
	default:
		return nil, fmt.Errorf("compress: Options.Codings must be of %s, not %q", strings.Join(allCodings[:], ", "), name)
	}
	if _, err := open(); err != nil {
		return nil, fmt.Errorf("compress: %s: %w", name, err)
	}
	c.writers.New = func() any { w, _ := open(); return w }
	return c, nil
}

// level is a level of the options, where 0 stands for the usual one, and -1 for 0 where there is a level 0.
func level(field string, value, usual, least, most int) (int, error) {
	switch {
	case value == 0:
		return usual, nil
	case value == -1 && least == 0:
		return 0, nil
	case value < max(least, 1) || value > most:
		return 0, fmt.Errorf("compress: Options.%s must be %d to %d, not %d", field, least, most, value)
	}
	return value, nil
}

// is tells whether coding names c. x-gzip is gzip (RFC 9110 8.4.1.3).
func (c *codec) is(coding string) bool {
	return strings.EqualFold(coding, c.name) || c.name == "gzip" && strings.EqualFold(coding, "x-gzip")
}

// short is how many octets a response has that does not count as a stream: its coder is needed for a moment.
const short = 64 << 10

// coder returns the coder of a response of size octets, -1 for not known; nil when there are too many.
func (r *request) coder(size int64) app.Coder {
	c := &coder{codec: r.codec, left: size}
	if size < 0 || size > short {
		if r.streams.Add(1) > r.maxStreams {
			r.streams.Add(-1)
			return nil
		}
		c.leave = func() { r.streams.Add(-1) }
	}
	return c
}

// coder implements app.Coder.
type coder struct {
	*codec
	w     writer // nil before the first chunk, and after the last
	out   output
	left  int64  // octets of content that are to come, -1 for not known
	leave func() // a stream ends; nil: it does not count
}

// errShort takes the place of the end of a compressed response whose content is not all there: without it the client took what it has for the whole.
var errShort = errors.New("compress: the content is shorter than its Content-Length")

// output collects what a writer writes.
type output struct{ octets []byte }

func (o *output) Write(p []byte) (int, error) {
	o.octets = append(o.octets, p...)
	return len(p), nil
}

// Encode implements app.Coder.
func (c *coder) Encode(dst, chunk []byte, last bool) ([]byte, error) {
	if c.left >= 0 { // the server cannot tell any more
		chunk = chunk[:min(int64(len(chunk)), c.left)]
		c.left -= int64(len(chunk))
		if last && c.left > 0 {
			return dst, errShort
		}
	}
	if len(chunk) == 0 && !last {
		return dst, nil
	}
	if c.w == nil {
		c.w = c.writers.Get().(writer)
		c.w.Reset(&c.out)
	}
	c.out.octets = dst
	_, err := c.w.Write(chunk)
	switch {
	case err != nil:
	case last:
		err = c.w.Close()
	default:
		err = c.w.Flush()
	}
	dst, c.out.octets = c.out.octets, nil
	return dst, err
}

// Close implements app.Coder.
func (c *coder) Close() {
	if c.w != nil {
		c.w.Reset(nil) // it refers to nothing of this response
		c.writers.Put(c.w)
		c.w = nil
	}
	if c.leave != nil {
		c.leave()
		c.leave = nil
	}
}
