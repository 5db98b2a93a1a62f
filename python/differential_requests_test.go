package python_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
)

// probe is one request of the differential test, or a pipelined pair.
type probe struct {
	name    string
	tags    map[string]bool // what is particular about it, for the list of differences
	head    []byte
	content []byte // in its framing, and what follows it
	expects bool   // the client waits for 100 (Continue), or a final answer, before it sends the content
	methods []string
}

// framing is how a request's content is delimited.
type framing int

const (
	unframed framing = iota
	byLength
	chunked
)

// generator makes probes. The same seed makes the same ones, everywhere.
type generator struct {
	*rand.Rand
	probes []probe
}

// Every way to answer comes with GET; drawnAnswers more have other methods. Ways to read wsgi.input come round, with what they read drawn.
// Those that are malformed are fixed. The rest ask for the environ.
const (
	drawnAnswers = 32
	inputProbes  = 70
	probeCount   = 300
)

// generate makes probeCount probes. answers and inputs are the names that the application knows.
func generate(seed uint64, answers, inputs []string) []probe {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
	for _, how := range answers {
		g.answer("GET", how, g.version(4))
	}
	for _, how := range []string{"list", "list-three", "blocks", "nothing-for-head", "raise", "raise-first", "file"} {
		g.answer("HEAD", how, "HTTP/1.1")
	}
	for _, how := range []string{"blocks", "raise-first", "raise-later", "replace-late", "length-more-blocks"} {
		g.answer("GET", how, "HTTP/1.0")
	}
	for range drawnAnswers {
		g.answer(pick(g, "HEAD", "HEAD", "POST", "GET"), pick(g, answers...), g.version(2))
	}
	for i := range inputProbes {
		g.input(inputs[i%len(inputs)])
	}
	for _, m := range malformed {
		g.add(m.tag+" malformed", m.head, nil, m.content, strings.Fields(m.head)[0])
	}
	for i := 0; len(g.probes) < probeCount; i++ {
		g.environ(i)
	}
	return g.probes
}

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

// version is HTTP/1.0 once in n.
func (g *generator) version(n int) string {
	if g.IntN(n) == 0 {
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}

// add makes a probe of a head, which it ends, and content. Tags are separated by spaces.
func (g *generator) add(tags, head string, fields []string, content string, methods ...string) {
	p := probe{tags: make(map[string]bool), content: []byte(content), methods: methods}
	line, _, _ := strings.Cut(strings.TrimLeft(head, "\r\n"), "\r\n")
	tags += " " + methods[0]
	if i := strings.LastIndexByte(line, ' '); i >= 0 {
		tags += " " + line[i+1:]
	}
	for _, tag := range strings.Fields(tags) {
		p.tags[tag] = true
	}
	p.expects = p.tags["expects"] && p.tags["HTTP/1.1"] && len(content) > 0
	p.name = fmt.Sprintf("%03d %.100q (%s)", len(g.probes), line, strings.TrimSpace(tags))
	p.head = []byte(strings.Join(append([]string{head}, fields...), "\r\n") + "\r\n\r\n")
	g.probes = append(g.probes, p)
}

// follow puts a second request behind the last probe's content.
func (g *generator) follow() {
	p := &g.probes[len(g.probes)-1]
	p.content = append(p.content, "GET /second HTTP/1.1\r\nHost: weir.test\r\n\r\n"...)
	p.methods = append(p.methods, "GET")
	p.tags["pair"] = true
	p.name += " pair"
}

// answer asks for one way to answer.
func (g *generator) answer(method, how, version string) {
	fields := []string{"Host: weir.test"}
	content := ""
	if method == "POST" {
		fields = append(fields, "Content-Length: 5")
		content = "a=1&b"
	}
	fields = append(fields, pick(g, nil, nil, nil, []string{"Connection: close"}, []string{"Connection: keep-alive"})...)
	g.add("answer "+how, method+" /answer/"+how+" "+version, fields, content, method)
}

// lines is content of n octets with line ends at odd places.
func (g *generator) lines(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + g.IntN(26))
		if g.IntN(60) == 0 {
			b[i] = '\n'
		}
	}
	return string(b)
}

// input has content read in one way.
func (g *generator) input(how string) {
	version := g.version(5)
	f := pick(g, unframed, byLength, byLength, byLength, chunked, chunked, chunked)
	if f == chunked {
		version = "HTTP/1.1"
	}
	content := ""
	if f != unframed {
		content = g.lines(pick(g, 0, 1, 12, 200, 3000, 70<<10))
	}
	tags := "input " + how
	fields := []string{"Host: weir.test"}
	if content != "" && g.IntN(5) == 0 {
		fields = append(fields, pick(g, "Expect: 100-continue", "expect: 100-Continue"))
		tags += " expects"
	}
	tags, fields, framed := g.frame(f, content, tags, fields)
	g.add(tags, "POST /input/"+how+" "+version, fields, framed, "POST")
	if version == "HTTP/1.1" && !strings.Contains(tags, "expects") && g.IntN(3) == 0 {
		g.follow()
	}
}

// frame frames content.
func (g *generator) frame(f framing, content, tags string, fields []string) (string, []string, string) {
	switch f {
	case byLength:
		return fmt.Sprintf("%s length-%d", tags, len(content)), append(fields, fmt.Sprintf("Content-Length: %d", len(content))), content
	case chunked:
		tags = fmt.Sprintf("%s chunked chunked-%d", tags, len(content))
		var b bytes.Buffer
		for rest := content; rest != ""; {
			n := min(len(rest), 1+g.IntN(9000))
			fmt.Fprintf(&b, pick(g, "%x", "%X", "0%x")+"\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		b.WriteString("0\r\n\r\n")
		return tags, append(fields, pick(g, "Transfer-Encoding: chunked", "transfer-encoding: Chunked")), b.String()
	}
	return tags, fields, ""
}

var (
	paths = []string{
		"/", "/plain", "/a/b/c", "/a%20b", "/a+b", "/caf%C3%A9", "/%E2%82%AC/x", "/caf%e9", "/a%2Fb", "/a%2fb", "/a%252Fb", "/nul%00nul", "/%0d%0a",
		"//a", "//a//b/", "///", "/a/../b", "/a/./b", "/%2e%2e/b", "/p;v=1", "/p;v=1/q;w", "/a%", "/a%2", "/a%zz", "/a%G1b", "/~u", "/a:b@c", "/a|b", "/a\"b",
		"/%7Eu", "/a%3Fb", "/a%23b", "/x%FF", "/a=b&c", "/'()*!$", "/a{b}", "/a^b", "/caf\xc3\xa9",
	}
	queries  = []string{"", "", "", "?", "?a=1", "?a=1&a=2&b", "?q=%C3%A9", "?q=%zz", "?a?b", "?a=b/c", "?x=%00", "?a+b", "?a=//b", "?\xc3\xa9", "?a=1;b=2", "?a\"b"}
	oddities = []struct {
		tag    string
		fields []string
	}{
		{"repeated", []string{"Accept: text/html", "Accept: text/plain;q=0.5"}},
		{"repeated", []string{"X-Many: 1", "X-Other: o", "x-many: 2", "X-MANY: 3"}},
		{"cookies", []string{"Cookie: a=1; b=2"}},
		{"cookies-twice", []string{"Cookie: a=1", "Cookie: b=2"}},
		{"underscore", []string{"X_Under: 1"}},
		{"underscore", []string{"X_Under: 1", "X-Under: 2"}},
		{"underscore-length", []string{"Content_Length: 5"}},
		{"value-empty", []string{"X-Empty:"}},
		{"value-empty", []string{"X-Empty:   "}},
		{"value-spaces", []string{"X-Spaces:  \t a  b \t "}},
		{"value-latin-1", []string{"X-Latin: caf\xe9"}},
		{"value-utf-8", []string{"X-Utf: caf\xc3\xa9"}},
		{"value-long", []string{"X-Long: " + strings.Repeat("0123456789", 300)}},
		{"value-comma", []string{"X-Comma: a, b,,c"}},
		{"casing", []string{"uSER-aGENT: odd"}},
		{"name-odd", []string{"X!#$%&'*+.^`|~: 1"}},
		{"type", []string{"Content-Type: text/plain; charset=utf-8"}},
		{"type-empty", []string{"Content-Type:"}},
		{"type-twice", []string{"Content-Type: text/a", "Content-Type: text/b"}},
		{"forwarded", []string{"X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https", "Forwarded: for=10.0.0.2;proto=https"}},
		{"script-name", []string{"Script-Name: /admin", "Script_Name: /admin"}},
		{"proxy", []string{"Proxy: http://evil.test"}},
		{"auth", []string{"Authorization: Basic dTpw"}},
		{"remote-user", []string{"Remote-User: root"}},
		{"expects-other", []string{"Expect: something"}},
		{"te", []string{"TE: trailers", "Connection: TE"}},
		{"upgrade", []string{"Connection: Upgrade", "Upgrade: websocket"}},
		{"range", []string{"Range: bytes=0-1", "If-None-Match: \"a\""}},
		{"https", []string{"Https: on"}},
	}
)

// environ asks what the environ is. Paths and oddities come round with i.
func (g *generator) environ(i int) {
	method := pick(g, "GET", "GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PURGE", "M-SEARCH", "get", "Get")
	version := g.version(4)
	f := unframed
	if method == "POST" || method == "PUT" || method == "PATCH" {
		f = pick(g, unframed, byLength, chunked)
	}
	if f == chunked {
		version = "HTTP/1.1"
	}
	path := paths[i%len(paths)]
	target := path + pick(g, queries...)
	tags := "environ"
	if _, err := url.PathUnescape(path); err != nil {
		tags += " escape-malformed"
	}
	if strings.Contains(target, "\xc3") {
		tags += " target-octets"
	}
	if i%9 == 4 {
		target = pick(g, "http://weir.test", "http://other.test:81", "HTTP://weir.test") + target
		tags += " absolute"
	}
	fields := []string{pick(g, "Host: weir.test", "host: weir.test:8080", "HOST:weir.test")}
	if version == "HTTP/1.0" && g.IntN(2) == 0 {
		fields = nil
		tags += " hostless"
	}
	for n := range 1 + g.IntN(2) {
		odd := oddities[i%len(oddities)]
		if n > 0 {
			odd = pick(g, oddities...)
		}
		tags += " " + odd.tag
		fields = append(fields, odd.fields...)
	}
	if g.IntN(4) == 0 && !slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(f, "Connection") }) {
		fields = append(fields, pick(g, "Connection: close", "Connection: keep-alive", "connection: Keep-Alive"))
	}
	tags, fields, content := g.frame(f, "some=content", tags, fields)
	g.add(tags, method+" "+target+" "+version, fields, content, method)
	if version == "HTTP/1.1" && g.IntN(5) == 0 && !slices.Contains(fields, "Connection: close") {
		g.follow()
	}
}

// malformed are requests that gateways refuse, or should, or that some do.
var malformed = []struct{ tag, head, content string }{
	{"length-and-chunked", "POST /input/read HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked", "1\r\na\r\n0\r\n\r\n"},
	{"length-twice-equal", "POST /input/read-length HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3", "abc"},
	{"length-twice", "POST /input/read-length HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4", "abcd"},
	{"length-plus", "POST /input/read HTTP/1.1\r\nHost: a\r\nContent-Length: +3", "abc"},
	{"length-negative", "POST /input/read HTTP/1.1\r\nHost: a\r\nContent-Length: -1", ""},
	{"length-list", "POST /input/read HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3", "abc"},
	{"coding-unknown", "POST /input/read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: other", "abc"},
	{"coding-unknown-chunked", "POST /input/read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: other, chunked", "1\r\na\r\n0\r\n\r\n"},
	{"coding-twice", "POST /input/read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "1\r\na\r\n0\r\n\r\n"},
	{"coding-not-last", "POST /input/read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, other", "1\r\na\r\n0\r\n\r\n"},
	{"coding-in-1.0", "POST /input/read HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked", "1\r\na\r\n0\r\n\r\n"},
	{"chunk-extension", "POST /input/read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", "1;x=\"y\"\r\na\r\n0\r\n\r\n"},
	{"chunk-trailer", "POST /input/read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", "1\r\na\r\n0\r\nX-Trailer: 1\r\n\r\n"},
	{"chunk-size-word", "POST /input/read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", "x\r\na\r\n0\r\n\r\n"},
	{"chunk-size-prefix", "POST /input/read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", "0x1\r\na\r\n0\r\n\r\n"},
	{"chunk-unended", "POST /input/read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", "1\r\nab\r\n0\r\n\r\n"},
	{"space-before-colon", "GET / HTTP/1.1\r\nHost: a\r\nX-Space : 1", ""},
	{"folded", "GET / HTTP/1.1\r\nHost: a\r\nX-Fold: a\r\n b", ""},
	{"colonless", "GET / HTTP/1.1\r\nHost: a\r\nnonsense", ""},
	{"value-nul", "GET / HTTP/1.1\r\nHost: a\r\nX-Nul: a\x00b", ""},
	{"bare-lf", "GET / HTTP/1.1\nHost: a\nX-Lf: 1", ""},
	{"bare-cr", "GET / HTTP/1.1\r\nHost: a\r\nX-Cr: a\rb", ""},
	{"host-missing", "GET / HTTP/1.1\r\nX-Host: a", ""},
	{"host-twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: b", ""},
	{"host-malformed", "GET / HTTP/1.1\r\nHost: a b", ""},
	{"version-1.2", "GET / HTTP/1.2\r\nHost: a", ""},
	{"version-2.0", "GET / HTTP/2.0\r\nHost: a", ""},
	{"version-word", "GET / HTTP/x\r\nHost: a", ""},
	{"fragment", "GET /a#b HTTP/1.1\r\nHost: a", ""},
	{"expects-other", "GET / HTTP/1.1\r\nHost: a\r\nExpect: something", ""},
	{"target-octets", "GET //a?\xc3\xa9 HTTP/1.1\r\nHost: a", ""},
	{"target-space", "GET /a b HTTP/1.1\r\nHost: a", ""},
	{"target-rootless", "GET a HTTP/1.1\r\nHost: a", ""},
	{"target-ftp", "GET ftp://a/b HTTP/1.1\r\nHost: a", ""},
	{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a", ""},
	{"asterisk-get", "GET * HTTP/1.1\r\nHost: a", ""},
	{"connect", "CONNECT a:443 HTTP/1.1\r\nHost: a:443", ""},
	{"method-odd", "GE(T / HTTP/1.1\r\nHost: a", ""},
	{"method-long", "ABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1\r\nHost: a", ""},
	{"empty-line-first", "\r\nGET / HTTP/1.1\r\nHost: a", ""},
	{"continue-in-1.0", "POST /input/read HTTP/1.0\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue", "abc"},
}
