package admin

import (
	_ "embed"
	"net/http"
)

//go:embed page.html
var pageHTML []byte

// page is the page for people. It asks for /status once a second, and for nothing else.
func page(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'")
	_, _ = w.Write(pageHTML)
}
