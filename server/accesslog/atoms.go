package accesslog

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// kind is what an atom is replaced by.
type kind uint8

const (
	literal kind = iota
	remote
	user
	date
	requestLine
	method
	path
	query
	protocol
	status
	octets
	octetsOrDash
	seconds
	milliseconds
	microseconds
	decimalSeconds
	in
	out
	environ
)

// kinds are gunicorn's atoms by their letters. l, p, f and a are made of others.
var kinds = map[string]kind{
	"h": remote, "u": user, "t": date, "r": requestLine, "m": method, "U": path, "q": query, "H": protocol, "s": status,
	"B": octets, "b": octetsOrDash, "T": seconds, "M": milliseconds, "D": microseconds, "L": decimalSeconds,
}

// atom is a piece of a line.
type atom struct {
	kind  kind
	index int    // in Wants
	text  string // of a literal
}

// compileText reads a format with atoms: %(NAME)s each, or %(NAME)d; %% is a per cent sign.
func compileText(text string) (*form, error) {
	f := &form{}
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			f.atoms = append(f.atoms, atom{kind: literal, text: plain.String()})
			plain.Reset()
		}
	}
	for len(text) > 0 {
		c := text[0]
		switch {
		case c < ' ' && c != '\t' || c == 0x7f:
			return nil, errors.New("an access log format is one line, without control characters")
		case c != '%':
			plain.WriteByte(c)
			text = text[1:]
			continue
		case strings.HasPrefix(text, "%%"):
			plain.WriteByte('%')
			text = text[2:]
			continue
		case !strings.HasPrefix(text, "%("):
			return nil, fmt.Errorf("%q in the access log format: want %%(NAME)s, or %%%% for a per cent sign", text[:min(len(text), 8)])
		}
		end := strings.IndexByte(text, ')')
		if end < 0 || end+1 == len(text) || text[end+1] != 's' && text[end+1] != 'd' {
			return nil, fmt.Errorf("%q in the access log format: want %%(NAME)s", text[:min(len(text), max(end, 10)+2)])
		}
		name := text[2:end]
		text = text[end+2:]
		switch name {
		case "l":
			plain.WriteByte('-')
			continue
		case "p":
			fmt.Fprintf(&plain, "<%d>", os.Getpid())
			continue
		}
		flush()
		a, err := f.atom(name)
		if err != nil {
			return nil, err
		}
		f.atoms = append(f.atoms, a)
	}
	flush()
	return f, nil
}

// atom is the one of that name. What it needs is added to what the form wants.
func (f *form) atom(name string) (a atom, err error) {
	want := func(k kind, list *[]string, name string) atom {
		i := slices.IndexFunc(*list, func(other string) bool { return strings.EqualFold(other, name) })
		if i < 0 {
			i = len(*list)
			*list = append(*list, name)
		}
		return atom{kind: k, index: i}
	}
	switch name {
	case "f":
		return want(in, &f.wants.In, "Referer"), nil
	case "a":
		return want(in, &f.wants.In, "User-Agent"), nil
	case "u":
		return want(user, &f.wants.In, "Authorization"), nil
	}
	if k, ok := kinds[name]; ok {
		f.wants.Time = f.wants.Time || k >= seconds && k <= decimalSeconds
		return atom{kind: k}, nil
	}
	if inside, last, ok := strings.Cut(strings.TrimPrefix(name, "{"), "}"); ok && inside != "" && name[0] == '{' {
		switch last {
		case "i":
			return want(in, &f.wants.In, inside), nil
		case "o":
			return want(out, &f.wants.Out, inside), nil
		case "e":
			return want(environ, &f.wants.Environ, inside), nil
		}
	}
	return a, fmt.Errorf("unknown atom %%(%s)s in the access log format; there are h l u t r m U q H s B b f a T M D L p {header}i {header}o {variable}e", name)
}

// appendAtoms appends the line of e, without its end.
func (f *form) appendAtoms(b []byte, s *stamp, e *Entry, now int64) []byte {
	var l line
	split := false
	for i := range f.atoms {
		a := &f.atoms[i]
		if a.kind >= method && a.kind <= protocol && !split {
			l, split = splitLine(e.RequestLine), true
		}
		switch a.kind {
		case literal:
			b = append(b, a.text...)
		case remote:
			b = s.appendRemote(b, e.Remote)
		case user:
			b = appendSafe(b, basicUser(e.header(a.index)))
		case date:
			b = append(b, s.date...)
		case requestLine:
			b = appendSafe(b, e.RequestLine)
		case method:
			b = appendSafe(b, l.method)
		case path:
			b = appendSafe(b, unescaped(l.path))
		case query:
			if len(l.query) > 0 || len(l.path) == 0 { // else it is known to be empty
				b = appendSafe(b, l.query)
			}
		case protocol:
			b = appendSafe(b, l.protocol)
		case status:
			b = appendPositive(b, int64(e.Status))
		case octets:
			b = appendNumber(b, e.Octets)
		case octetsOrDash:
			b = appendPositive(b, e.Octets)
		case seconds, milliseconds, microseconds, decimalSeconds:
			b = appendDuration(b, a.kind, e.Begun, now)
		case in:
			b = appendSafe(b, e.header(a.index))
		case out:
			b = appendWord(b, e.Out, a.index)
		case environ:
			b = appendWord(b, e.Environ, a.index)
		}
	}
	return b
}

func appendDuration(b []byte, k kind, begun, now int64) []byte {
	if begun == 0 {
		return append(b, '-')
	}
	d := time.Duration(max(now-begun, 0))
	switch k {
	case seconds:
		return appendNumber(b, int64(d/time.Second))
	case milliseconds:
		return appendNumber(b, d.Milliseconds())
	case microseconds:
		return appendNumber(b, d.Microseconds())
	}
	b = append(appendNumber(b, int64(d/time.Second)), '.')
	rest := int64(d%time.Second) / 1000
	for unit := int64(100_000); unit > 0; unit /= 10 {
		b = append(b, byte('0'+rest/unit%10))
	}
	return b
}

// appendPositive appends n, a dash where it is 0.
func appendPositive(b []byte, n int64) []byte {
	if n == 0 {
		return append(b, '-')
	}
	return appendNumber(b, n)
}

func appendWord(b []byte, values []string, i int) []byte {
	if i >= len(values) {
		return append(b, '-')
	}
	return appendSafe(b, []byte(values[i]))
}

// basicUser is the name in the credentials of the scheme Basic (RFC 7617), which nobody has checked.
func basicUser(authorization []byte) []byte {
	const scheme = "Basic "
	if len(authorization) < len(scheme) || !bytes.EqualFold(authorization[:len(scheme)], []byte(scheme)) {
		return nil
	}
	text, err := base64.StdEncoding.AppendDecode(nil, bytes.TrimSpace(authorization[len(scheme):]))
	if err != nil {
		return nil
	}
	name, _, _ := bytes.Cut(text, []byte(":"))
	return name
}
