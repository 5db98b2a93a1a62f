package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/machine"
)

// schema is the number of the form that results are written in. A change that old readers would misread raises it.
const schema = 1

// results are everything that was measured, and where. results/README.md tells what is in the file.
type results struct {
	Schema    int             `json:"schema"`
	Begun     time.Time       `json:"begun"`
	Machine   machine.Machine `json:"machine"`
	Generator string          `json:"generator"` // of closed loops
	CPUBy     string          `json:"cpu_by,omitempty"`
	Preset    string          `json:"preset,omitempty"`
	Rounds    int             `json:"rounds"`
	Duration  string          `json:"duration"` // of a run
	Cases     []benchCase     `json:"cases"`
	Servers   []server        `json:"servers"`
	Missing   []missing       `json:"missing,omitempty"`
	Commands  []command       `json:"commands"`
	Runs      []runRecord     `json:"runs"`
}

// A runRecord is one run of one server, as measured.
type runRecord struct {
	Case        string          `json:"case"`
	Server      string          `json:"server"`
	Round       int             `json:"round"` // from 1; 0 is before the first
	Load        *loadResult     `json:"load,omitempty"`
	CPU         time.Duration   `json:"cpu_ns,omitempty"`
	CPUPer      float64         `json:"cpu_us_a_request,omitempty"`
	Connections int             `json:"connections,omitempty"` // that were idle, or waited
	RSSBefore   int64           `json:"rss_before,omitempty"`
	RSSAfter    int64           `json:"rss_after,omitempty"`
	RSSPer      float64         `json:"rss_a_connection,omitempty"`
	Wakes       []time.Duration `json:"wakes_ns,omitempty"` // from publishing a message until the last client that waited has it
	Refused     int             `json:"refused,omitempty"`  // requests that were answered with 5xx before that, and sent again
	FailedWith  string          `json:"failed,omitempty"`
}

// A command loaded a case; the address stands for all servers'.
type command struct {
	Case string `json:"case"`
	Line string `json:"line"`
}

// anyAddr stands for a server's address in the commands of a report.
const anyAddr = "127.0.0.1:PORT"

// command notes the load of a case once.
func (r *results) command(c benchCase, addr, name string, args []string) {
	if slices.ContainsFunc(r.Commands, func(noted command) bool { return noted.Case == c.Name }) {
		return
	}
	words := []string{name}
	for _, arg := range args {
		arg = strings.Replace(arg, addr, anyAddr, 1)
		if filepath.IsAbs(arg) && strings.HasSuffix(arg, ".lua") {
			arg = filepath.Base(arg)
		}
		if arg == "" || strings.Contains(arg, " ") {
			arg = "'" + arg + "'"
		}
		words = append(words, arg)
	}
	line := strings.Join(words, " ")
	if c.share > 0 { // the rate differs from server to server
		line = strings.Replace(line, "-rate 0", fmt.Sprintf("-rate %.2f*CAPACITY", c.share), 1)
	}
	r.Commands = append(r.Commands, command{c.Name, line})
}

func (r *results) failedRuns() int {
	failed := 0
	for _, run := range r.Runs {
		if run.FailedWith != "" {
			failed++
		}
	}
	return failed
}

const resultsFile = "results.json"

// write puts the results into their folder, at once or not at all.
func (r *results) write(dir string) error {
	out, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	name := filepath.Join(dir, resultsFile)
	if err := os.WriteFile(name+".new", append(out, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// readResults takes a folder of results.
func readResults(dir string) (*results, error) {
	name := filepath.Join(dir, resultsFile)
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r := &results{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if r.Schema != schema {
		return nil, fmt.Errorf("%s: schema %d, and this program reads %d", name, r.Schema, schema)
	}
	for _, c := range r.Cases {
		if _, ok := figures[c.Kind]; !ok {
			return nil, fmt.Errorf("%s: case %s is of unknown kind %q", name, c.Name, c.Kind)
		}
	}
	return r, nil
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// newResultsDir makes <date>-<cpu> below the folder, or with a number behind it when that is taken.
func newResultsDir(under string, now time.Time, cpu string) (string, error) {
	cpu = strings.NewReplacer("(R)", "", "(TM)", "", "CPU", "", "Processor", "").Replace(cpu)
	name := now.Format("2006-01-02") + "-" + strings.Trim(notInNames.ReplaceAllString(strings.ToLower(cpu), "-"), "-")
	if err := os.MkdirAll(under, 0o755); err != nil {
		return "", err
	}
	dir := filepath.Join(under, name)
	for n := 2; ; n++ {
		err := os.Mkdir(dir, 0o755)
		if !os.IsExist(err) {
			return dir, err
		}
		dir = filepath.Join(under, fmt.Sprintf("%s-%d", name, n))
	}
}
