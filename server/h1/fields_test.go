package h1_test

import (
	"slices"
	"testing"

	"github.com/weirhttp/weir/app"
)

// TestRepeatedFields: field lines leave as the application gave them, one each, in order, and not joined: a
// Set-Cookie could not be (RFC 9110 section 5.3).
func TestRepeatedFields(t *testing.T) {
	c := dial(t, func(_ *app.Environ, start app.StartResponse) app.Body {
		start("200 OK", []app.Header{
			{Name: "Set-Cookie", Value: "a=1; Path=/"},
			{Name: "X", Value: "1"},
			{Name: "set-cookie", Value: "b=2, 3"},
			{Name: "x", Value: ""},
			{Name: "X", Value: "\xe9"},
		})
		return app.String("content")
	}, nil)
	c.Feed([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	r, _, err := readResponse(c.out.Bytes(), false, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.values("Set-Cookie"), []string{"a=1; Path=/", "b=2, 3"}; !slices.Equal(got, want) {
		t.Errorf("Set-Cookie is %q, want %q", got, want)
	}
	if got, want := r.values("X"), []string{"1", "", "\xe9"}; !slices.Equal(got, want) {
		t.Errorf("X is %q, want %q", got, want)
	}
}
