package compress

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/weirhttp/weir/app"
)

// Limits bound what a request may become when it is decoded.
type Limits struct {
	// MaxSize is how many octets the content may have then. Default: 8 MiB.
	MaxSize int64
	// MaxRatio is how many times longer it may be than what was sent, from 1 MiB on. Default: 100.
	MaxRatio int64
}

// ratioFrom is from how many octets on the ratio counts: what is short may be as dense as it likes.
const ratioFrom = 1 << 20

// Request returns application with the content of requests decoded that have a Content-Encoding: gzip, x-gzip, zstd or br, one of them. The
// application finds the decoded content, its CONTENT_LENGTH, and no HTTP_CONTENT_ENCODING.
//
// It is decoded whole before the application is called, on a goroutine, and kept in memory: so that a request which becomes too much is
// answered with 413, one that is no such coding with 400, and a coding that is not known with 415.
func Request(application app.Application, limits Limits) (app.Application, error) {
	if limits.MaxSize < 0 || limits.MaxRatio < 0 {
		return nil, errors.New("compress: Limits.MaxSize and MaxRatio must be 1 or more, or 0 for 8 MiB and 100")
	}
	if limits.MaxSize == 0 {
		limits.MaxSize = 8 << 20
	}
	if limits.MaxRatio == 0 {
		limits.MaxRatio = 100
	}
	decoding := app.Blocking(func(environ *app.Environ, start app.StartResponse) app.Body {
		value, _ := environ.Header("Content-Encoding")
		content, err := limits.decode(strings.ToLower(strings.Trim(string(value), " \t")), environ.Input())
		if err != nil {
			return refuse(start, err)
		}
		environ.Set("wsgi.input", app.Input(app.NewMemory(content)))
		environ.Set("CONTENT_LENGTH", strconv.Itoa(len(content)))
		environ.Delete("HTTP_CONTENT_ENCODING")
		return application(environ, start)
	})
	return func(environ *app.Environ, start app.StartResponse) app.Body {
		value, ok := environ.Header("Content-Encoding")
		if !ok || len(bytes.Trim(value, " \t")) == 0 || bytes.EqualFold(bytes.Trim(value, " \t"), []byte("identity")) {
			return application(environ, start)
		}
		return decoding(environ, start)
	}, nil
}

var (
	errUnknown = errors.New("this content coding is not known here")
	errTooMuch = errors.New("the decoded content is too long")
)

// refuse answers a request that cannot be decoded.
func refuse(start app.StartResponse, err error) app.Body {
	status, headers := "400 Bad Request", []app.Header{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}
	switch {
	case errors.Is(err, errUnknown):
		status = "415 Unsupported Media Type"
		headers = append(headers, app.Header{Name: "Accept-Encoding", Value: "zstd, br, gzip"}) // RFC 9110 15.5.16
	case errors.Is(err, errTooMuch):
		status = "413 Content Too Large"
	}
	start(status, headers)
	return app.String(err.Error() + "\n")
}

// decode returns the content that src has in that coding.
func (l Limits) decode(coding string, src io.Reader) ([]byte, error) {
	sent := &counter{src: src}
	r, err := l.reader(coding, sent)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var content bytes.Buffer
	for {
		// A little at a time: a bomb is found out before it has grown.
		_, err := io.CopyN(&content, r, 64<<10)
		size := int64(content.Len())
		switch {
		case size > l.MaxSize, size > ratioFrom && size/l.MaxRatio > sent.octets:
			return nil, errTooMuch
		case errors.Is(err, io.EOF):
			return content.Bytes(), nil
		case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
			return nil, errTooMuch
		case err != nil:
			return nil, fmt.Errorf("the content is no %s: %w", coding, err)
		}
	}
}

// counter counts what is read.
type counter struct {
	src    io.Reader
	octets int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.octets += int64(n)
	return n, err
}

// reader returns what decodes src.
func (l Limits) reader(coding string, src io.Reader) (io.ReadCloser, error) {
	switch coding {
	case "gzip", "x-gzip":
		r, err := gzip.NewReader(src)
		if err != nil {
			return nil, fmt.Errorf("the content is no gzip: %w", err)
		}
		return r, nil
	case "zstd":
		r, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderMaxMemory(uint64(max(l.MaxSize, 8<<20))))
		if err != nil {
			return nil, fmt.Errorf("the content is no zstd: %w", err)
		}
		return r.IOReadCloser(), nil
	case "br":
		return io.NopCloser(brotli.NewReader(src)), nil
	}
	return nil, errUnknown
}
