// Package machine describes where a report comes from.
package machine

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// A Machine is where a report comes from. Its figures mean little elsewhere,
// and little here while others keep it busy: hence the load.
type Machine struct {
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`
	Kernel  string `json:"kernel"`
	Go      string `json:"go"`
	LoadAvg string `json:"load_average"`     // when the runs began
	Env     string `json:"go_env,omitempty"` // which the servers inherit
}

func Describe() Machine {
	m := Machine{
		CPU:     cpuModel(),
		Cores:   runtime.NumCPU(),
		Kernel:  firstLine("/proc/sys/kernel/osrelease"),
		Go:      runtime.Version(),
		LoadAvg: strings.Join(firstFields(firstLine("/proc/loadavg"), 3), " "),
	}
	var env []string
	for _, name := range []string{"GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	m.Env = strings.Join(env, " ")
	return m
}

func (m Machine) String() string {
	s := fmt.Sprintf("%s, %d cores, Linux %s, %s, load average before %s", m.CPU, m.Cores, m.Kernel, m.Go, m.LoadAvg)
	if m.Env != "" {
		s += ", " + m.Env
	}
	return s
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	for line := range bytes.Lines(info) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && string(bytes.TrimSpace(name)) == "model name" {
			return string(bytes.TrimSpace(value))
		}
	}
	return runtime.GOARCH + " CPU"
}

func firstLine(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

func firstFields(line string, n int) []string {
	fields := strings.Fields(line)
	return fields[:min(n, len(fields))]
}
