package main

import (
	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/app/compress"
	"github.com/weirhttp/weir/app/requestid"
)

// middlewareFlags are the middleware that any application can have around it.
type middlewareFlags struct {
	Compress  bool `help:"Compress responses with zstd, brotli or gzip, as clients accept it (docs/compression.md)."`
	RequestID bool `name:"request-id" help:"Give each request a name: X-Request-ID of the client, or a new one, for the application and in the response."`
}

// around returns application with that middleware. What sees the response last is outermost.
func (f *middlewareFlags) around(application app.Application) (app.Application, error) {
	var err error
	if f.Compress {
		application, err = compress.New(application, compress.Options{})
	}
	if f.RequestID {
		application = requestid.New(application, requestid.Options{})
	}
	return application, err
}
