package exchange

import "github.com/weirhttp/weir/app"

// ServerWide answers OPTIONS *, which asks about the server and not about the application (RFC 9110 9.3.7).
func ServerWide(environ *app.Environ, start app.StartResponse) app.Body {
	start("200 OK", []app.Header{{Name: "Allow", Value: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}})
	return app.Empty()
}
