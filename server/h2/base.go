//go:build !(go1.27 && !http2legacy)

package h2

import "net/http"

// baseConfig is the configuration of a connection.
func baseConfig(base *http.Server) *http.Server { return base }
