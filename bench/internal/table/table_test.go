package table

import (
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	for markdown, want := range map[bool]string{true: "| a | b |\n| --- | --- |\n| 11 | 2 |\n", false: "a   b\n11  2\n"} {
		var text strings.Builder
		Write(&text, []string{"a", "b"}, [][]string{{"11", "2"}}, markdown)
		if got := text.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
