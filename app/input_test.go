package app_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
)

func TestMemoryReadLine(t *testing.T) {
	const text = "one\n\nthree and more\nlast"
	for limit, want := range map[int]string{
		-1:  `"one\n" "\n" "three and more\n" "last" EOF EOF`,
		100: `"one\n" "\n" "three and more\n" "last" EOF EOF`,
		4:   `"one\n" "\n" "thre" "e an" "d mo" "re\n" "last" EOF EOF`,
		15:  `"one\n" "\n" "three and more\n" "last" EOF EOF`,
	} {
		m := app.NewMemory([]byte(text))
		var got []string
		for range strings.Count(want, " ") + 10 {
			line, err := m.ReadLine(limit)
			if err != nil {
				got = append(got, err.Error())
				if len(got) > 1 && got[len(got)-2] == "EOF" {
					break
				}
				continue
			}
			got = append(got, fmt.Sprintf("%q", line))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("limit %d: %s, want %s", limit, s, want)
		}
	}

	content := []byte("line\nrest")
	m := app.NewMemory(content)
	if line, err := m.ReadLine(0); len(line) != 0 || err != nil {
		t.Errorf("limit 0: %q, %v", line, err)
	}
	line, _ := m.ReadLine(-1)
	content[0] = 'X'
	if string(line) != "line\n" {
		t.Errorf("the line is not the caller's: %q", line)
	}
}

func TestMemory(t *testing.T) {
	m := app.NewMemory([]byte("0123456789"))
	p := make([]byte, 4)
	if n, err := m.Read(p); n != 4 || err != nil || string(p) != "0123" {
		t.Errorf("Read = %d, %v, %q", n, err, p)
	}
	if n, err := m.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of nothing = %d, %v", n, err)
	}
	for range 2 {
		if all, ok := m.View(); string(all) != "456789" || !ok {
			t.Errorf("View = %q, %v", all, ok)
		}
	}
	var out bytes.Buffer
	if n, err := m.WriteTo(&out); n != 6 || err != nil || out.String() != "456789" {
		t.Errorf("WriteTo = %d, %v, %q", n, err, &out)
	}
	if n, err := m.WriteTo(&out); n != 0 || err != nil {
		t.Errorf("WriteTo at the end = %d, %v", n, err)
	}
	if n, err := m.Read(p); n != 0 || err != io.EOF {
		t.Errorf("Read at the end = %d, %v", n, err)
	}
	if all, ok := m.View(); len(all) != 0 || !ok {
		t.Errorf("View at the end = %q, %v", all, ok)
	}
	m.Reset([]byte("next"))
	if all, err := io.ReadAll(m); string(all) != "next" || err != nil {
		t.Errorf("after Reset: %q, %v", all, err)
	}
}
