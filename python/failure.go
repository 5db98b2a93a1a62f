package python

import (
	"bytes"
	_ "embed"
	"errors"
	html "html/template"
	"strings"

	"github.com/weirhttp/weir/app"
)

// failure is why an edition of the application does not start, as clients are told.
type failure struct{ page, text *app.Response }

func (f *failure) answer(asPage bool) *app.Response {
	if asPage {
		return f.page
	}
	return f.text
}

// longestTitle is how much of what is wrong is in the title of the page, in characters.
const longestTitle = 300

//go:embed failure.html
var failureSource string

var failurePage = html.Must(html.New("failure").Parse(failureSource))

func newFailure(err error) *failure {
	var what struct{ Title, Traceback, Cure string }
	what.Cure = err.Error()
	var start *StartError
	if errors.As(err, &start) {
		what.Traceback, what.Cure = start.Split()
	}
	lines := strings.Split(strings.TrimSpace(what.Traceback), "\n")
	what.Title = lines[len(lines)-1]
	if title := []rune(what.Title); len(title) > longestTitle {
		what.Title = string(title[:longestTitle]) + " ..."
	}
	var page bytes.Buffer
	if err := failurePage.Execute(&page, what); err != nil {
		page.WriteString(html.HTMLEscapeString(err.Error()))
	}
	text := what.Traceback + what.Cure + "\n"
	return &failure{page: failureResponse("text/html", page.Bytes()), text: failureResponse("text/plain", []byte(text))}
}

func failureResponse(kind string, content []byte) *app.Response {
	return &app.Response{
		Status: "500 Internal Server Error",
		Headers: []app.Header{
			{Name: "Content-Type", Value: kind + "; charset=utf-8"},
			{Name: "Cache-Control", Value: "no-store"},
			{Name: "Content-Security-Policy", Value: "default-src 'none'; style-src 'unsafe-inline'"},
			{Name: "X-Content-Type-Options", Value: "nosniff"},
		},
		Content: content,
	}
}

// wantsHTML tells whether a client is a browser that shows a page.
func wantsHTML(environ *app.Environ) bool {
	return strings.Contains(environ.Get("HTTP_ACCEPT"), "text/html")
}
