package app_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/weirhttp/weir/app"
)

func TestEnvironFields(t *testing.T) {
	list := func(e *app.Environ) (all []string) {
		for name, value := range e.Fields() {
			all = append(all, fmt.Sprintf("%s: %s", name, value))
		}
		return all
	}
	e := get("/", "hOst: h", "X-A: 1", "x-a: 2", "X_B: 3", ": chunked", "Content-Type: a/b")
	if got, want := list(e), []string{"hOst: h", "X-A: 1", "x-a: 2", "Content-Type: a/b"}; !slices.Equal(got, want) {
		t.Errorf("as received: %q, want %q", got, want)
	}
	e.Set("HTTP_X_A", "3")
	e.Set("CONTENT_TYPE", "c/d")
	e.Set("HTTP_NEW_ONE", "4")
	e.Set("wsgi.something", "5")
	e.Set("QUERY_STRING", "6")
	e.Delete("HTTP_HOST")
	got := list(e)
	slices.Sort(got)
	if want := []string{"CONTENT-TYPE: c/d", "NEW-ONE: 4", "X-A: 3"}; !slices.Equal(got, want) {
		t.Errorf("changed: %q, want %q", got, want)
	}
	for range e.Fields() {
		break
	}
	for range get("/", "A: 1", "B: 2").Fields() {
		break
	}
}
