package hub

import (
	"net/url"
	"testing"
)

// TestQuery: a query means what url.ParseQuery makes of it.
func TestQuery(t *testing.T) {
	for _, text := range []string{
		"", "a", "a=", "=b", "a=1", "a=1&a=2", "&&a=1&", "a=%41%2b+b", "%61=1", "a=1;b=2", "a=%zz", "%=1", "b=1&a=%e2%82%ac", "a=b=c",
	} {
		want, err := url.ParseQuery(text)
		q := query(text)
		if q.valid() != (err == nil) {
			t.Errorf("%q: valid is %v, url.ParseQuery says %v", text, q.valid(), err)
		}
		if err != nil {
			continue
		}
		for _, name := range []string{"", "a", "b"} {
			var got []string
			for value := range q.values(name) {
				got = append(got, value)
			}
			first, ok := q.value(name)
			if len(got) != len(want[name]) || ok != want.Has(name) || first != want.Get(name) {
				t.Errorf("%q: %q is %q, want %q", text, name, got, want[name])
				continue
			}
			for i := range got {
				if got[i] != want[name][i] {
					t.Errorf("%q: %q is %q, want %q", text, name, got, want[name])
				}
			}
		}
	}
}
