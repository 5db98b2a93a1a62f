// Package registry describes the servers that are compared. Each is one TOML file, so that another one is added without Go.
package registry

import (
	"errors"
	"fmt"
	"os/user"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Entry is one server, as its file describes it.
type Entry struct {
	Name    string  `toml:"name"`   // of its row in the report
	Family  string  `toml:"family"` // rows of one program have the same; the name when it is not given
	Kind    string  `toml:"kind"`   // go, c or python: peers of one kind are compared with each other
	About   string  `toml:"about"`
	Find    Find    `toml:"find"`
	Start   Start   `toml:"start"`
	Version Version `toml:"version"`
	// Routes are the request targets of the cases that the server offers. A case whose route is not there leaves it out.
	Routes map[string]string `toml:"routes"`
	// Closes says that every answer is the last one of its connection, whatever the client asks for.
	Closes bool `toml:"closes"`
	// Longpoll is what a server offers that lets clients wait for messages; nil for nothing.
	Longpoll *Longpoll `toml:"longpoll"`

	base string // the folder that paths are relative to
}

// Find says where the program comes from: exactly one of Build, Compile, Program and Module.
type Find struct {
	Build   string   `toml:"build"`   // a Go package of the bench module, or of the folder of the file
	Compile string   `toml:"compile"` // a C source, likewise
	Program string   `toml:"program"` // found in PATH and in the folders for daemons, or a path
	Module  string   `toml:"module"`  // what Python must be able to import; the program is Python then
	Needs   []string `toml:"needs"`   // other programs that must be there
	Package string   `toml:"package"` // Debian's, which have all that; separated by spaces
}

// Start says how it is run. Words and files may have placeholders.
type Start struct {
	Command []string `toml:"command"`
	Before  []string `toml:"before"`  // another command, which runs behind the server and starts first
	Closing []string `toml:"closing"` // more words, in the cases with a connection a request
	Files   []File   `toml:"files"`   // written into {dir} before
	Ready   string   `toml:"ready"`   // a target that must be answered with 200; "" waits for the port only
	Within  Duration `toml:"within"`  // how long that may take; 10 s when it is not given
}

// A Longpoll has the request targets of the long-poll cases. servers/README.md tells what is answered to them.
type Longpoll struct {
	Hello   string `toml:"hello"`   // GET: a client's first request
	Poll    string `toml:"poll"`    // GET: with {topic} and {timeout}
	Publish string `toml:"publish"` // POST: with {topic}; http://127.0.0.1:{port2} may be in front
	Message string `toml:"message"` // what is posted: with {topic}, {id} and {data}; "" is the data alone
	Pace    int    `toml:"pace"`    // polls a second that it takes in; 0 for as fast as can be
	Most    int    `toml:"most"`    // clients that it is tried with; 0 for any number
}

// A File is configuration which is made for one run of a server, in a folder that is removed behind it.
type File struct {
	Path string `toml:"path"`
	Text string `toml:"text"`
}

// Version says how the report learns the version: from the build information of a Go binary, from what pip knows of a package of Python's,
// or from the first line that a command prints.
type Version struct {
	Module  string   `toml:"module"` // "" in a Go binary: its own; of Python: what is found
	Command []string `toml:"command"`
}

// A Duration is written as in "10s".
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// Kinds and RouteNames are what a file may say.
var (
	Kinds      = []string{"go", "c", "python"}
	RouteNames = []string{"plaintext", "json", "echo", "bytes", "hello", "sleep"}
)

const readyWithin = 10 * time.Second

// Values are what placeholders stand for in one run.
type Values struct {
	Binary         string
	Port           int
	Port2, Port3   int // more ports, for what it likes
	Loops, Workers int
	Dir            string // for the files of the run
	Here           string // what paths in the entry are relative to; filled in by the entry
	Python         string // the interpreter
	App, Apps      string // a module that has an application named app, and the folder of all of them
}

var (
	placeholder  = regexp.MustCompile(`\{[a-z0-9]+\}`)
	placeholders = []string{"{binary}", "{port}", "{port2}", "{port3}", "{loops}", "{workers}", "{dir}", "{here}", "{python}", "{app}", "{apps}", "{user}"}
)

func (v Values) replacer() *strings.Replacer {
	name := "root"
	if me, err := user.Current(); err == nil {
		name = me.Username
	}
	return strings.NewReplacer("{binary}", v.Binary, "{port}", strconv.Itoa(v.Port), "{port2}", strconv.Itoa(v.Port2),
		"{port3}", strconv.Itoa(v.Port3), "{here}", v.Here, "{loops}", strconv.Itoa(v.Loops),
		"{workers}", strconv.Itoa(v.Workers), "{dir}", v.Dir, "{python}", v.Python, "{app}", v.App, "{apps}", v.Apps, "{user}", name)
}

// Command is what is run.
func (e Entry) Command(v Values, closing bool) []string {
	words := slices.Clone(e.Start.Command)
	if closing {
		words = append(words, e.Start.Closing...)
	}
	v.Here = e.base
	return v.fill(words)
}

// Before is what is run in front of it, nil for nothing.
func (e Entry) Before(v Values) []string {
	v.Here = e.base
	words := v.fill(slices.Clone(e.Start.Before))
	if len(words) > 0 {
		if path, err := lookUp(words[0]); err == nil {
			words[0] = path
		}
	}
	return words
}

// PublishAt is where messages are published: an address and a target.
func (l Longpoll) PublishAt(v Values) (addr, target string) {
	target = v.replacer().Replace(l.Publish)
	if rest, elsewhere := strings.CutPrefix(target, "http://"); elsewhere {
		addr, target, _ = strings.Cut(rest, "/")
		return addr, "/" + target
	}
	return fmt.Sprintf("127.0.0.1:%d", v.Port), target
}

func (v Values) fill(words []string) []string {
	r := v.replacer()
	for i, word := range words {
		words[i] = r.Replace(word)
	}
	return words
}

// Files are those of the run, with their placeholders replaced.
func (e Entry) Files(v Values) []File {
	files := slices.Clone(e.Start.Files)
	v.Here = e.base
	r := v.replacer()
	for i, file := range files {
		files[i].Text = r.Replace(file.Text)
	}
	return files
}

// Within is how long the server may take to become ready.
func (e Entry) Within() time.Duration {
	if e.Start.Within > 0 {
		return time.Duration(e.Start.Within)
	}
	return readyWithin
}

// check completes the entry, and tells what is wrong in it.
func (e *Entry) check() error {
	if e.Family == "" {
		e.Family = e.Name
	}
	sources := 0
	for _, source := range []string{e.Find.Build, e.Find.Compile, e.Find.Program, e.Find.Module} {
		if source != "" {
			sources++
		}
	}
	var wrong []error
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	switch {
	case e.Name == "":
		say("there is no name")
	case strings.ContainsAny(e.Name, ",|<>\n") || strings.TrimSpace(e.Name) != e.Name:
		say("name %q: no commas, bars, angle brackets, and no space around it", e.Name)
	}
	if !slices.Contains(Kinds, e.Kind) {
		say("kind %q: want one of %s", e.Kind, strings.Join(Kinds, ", "))
	}
	if sources != 1 {
		say("find: want exactly one of build, compile, program and module")
	}
	if len(e.Start.Command) == 0 {
		say("start: there is no command")
	}
	for _, word := range slices.Concat(e.Start.Command, e.Start.Before, e.Start.Closing, e.Version.Command) {
		for _, found := range placeholder.FindAllString(word, -1) {
			if !slices.Contains(placeholders, found) {
				say("%s in %q: the placeholders are %s", found, word, strings.Join(placeholders, ", "))
			}
		}
	}
	for _, file := range e.Start.Files {
		if file.Path == "" || strings.ContainsAny(file.Path, `/\`) {
			say("start.files: path %q: want the name of a file in {dir}", file.Path)
		}
	}
	if len(e.Routes) == 0 && e.Longpoll == nil {
		say("routes: there is none, and no longpoll")
	}
	if l := e.Longpoll; l != nil {
		for _, target := range [][2]string{{"hello", l.Hello}, {"poll", l.Poll}, {"publish", strings.TrimPrefix(l.Publish, "http://127.0.0.1:{port2}")}} {
			if !strings.HasPrefix(target[1], "/") {
				say("longpoll: %s = %q: want a path", target[0], target[1])
			}
		}
		if l.Pace < 0 || l.Most < 0 {
			say("longpoll: pace and most are not negative")
		}
	}
	for _, name := range sortedKeys(e.Routes) {
		if !slices.Contains(RouteNames, name) {
			say("routes: unknown %q%s", name, meant(name, RouteNames))
		} else if !strings.HasPrefix(e.Routes[name], "/") {
			say("routes: %s = %q: want a path", name, e.Routes[name])
		}
	}
	return errors.Join(wrong...)
}
