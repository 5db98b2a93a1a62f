//go:build go1.27 && !http2legacy

package h2

import "net/http"

// baseConfig is none: x/net/http2 is net/http's own from Go 1.27 on, and takes the configuration of the http.Server that it was
// set up with. With another one the connection would not hear of Shutdown.
func baseConfig(*http.Server) *http.Server { return nil }
