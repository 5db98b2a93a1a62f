package python

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// setDefaults fills in defaults, and refuses what makes no sense.
func (o *Options) setDefaults() error {
	switch {
	case o.App == "":
		return errors.New("python: Options.App is missing")
	case o.Workers < 0 || o.Threads < 0 || o.Connections < 0:
		return errors.New("python: numbers of workers, threads and connections must be 1 or more")
	}
	if o.Develop && o.Preload {
		return errors.New("python: Options.Develop and Options.Preload exclude each other")
	}
	if o.Develop {
		o.QueueTime = -1
	}
	o.Class = cmp.Or(o.Class, Sync)
	if o.Class != Sync && o.Class != Threads && o.Class != Gevent {
		return fmt.Errorf("python: Options.Class is %q, want %q, %q or %q", o.Class, Sync, Threads, Gevent)
	}
	o.Workers = cmp.Or(o.Workers, 1)
	o.Threads = cmp.Or(o.Threads, 1)
	o.Connections = cmp.Or(o.Connections, 1000)
	o.Timeout = orDefault(o.Timeout, 30*time.Second)
	o.Queue = orDefault(o.Queue, 8192)
	o.QueueTime = orDefault(o.QueueTime, 10*time.Second)
	o.MaxRequests = max(o.MaxRequests, 0)
	o.MaxRequestsJitter = max(o.MaxRequestsJitter, 0)
	o.MaxRSS = max(o.MaxRSS, 0)
	o.GracefulTimeout = orDefault(o.GracefulTimeout, 30*time.Second)
	o.BodyBuffer = orDefault(o.BodyBuffer, 256<<10)
	o.Software = cmp.Or(o.Software, "weir")
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Output = cmp.Or(o.Output, o.Logger)
	o.importTime = cmp.Or(o.importTime, importTime)
	for _, variable := range o.Env {
		if i := strings.IndexByte(variable, '='); i < 1 {
			return fmt.Errorf("python: Options.Env has %q, want NAME=VALUE", variable)
		}
	}
	if o.Chdir != "" {
		info, err := os.Stat(o.Chdir)
		switch {
		case err != nil:
			return fmt.Errorf("python: Options.Chdir: %w", err)
		case !info.IsDir():
			return fmt.Errorf("python: Options.Chdir: %s is not a directory", o.Chdir)
		}
	}
	return nil
}

// orDefault is v, fallback when v is 0, and the largest value, which is no limit, when v is negative.
func orDefault[T int | time.Duration](v, fallback T) T {
	switch {
	case v < 0:
		return math.MaxInt64
	case v == 0:
		return fallback
	}
	return v
}

// environment is that of the workers.
func (o *Options) environment() []string {
	return append(os.Environ(), o.Env...)
}

// config is the content of the CONFIG frame.
func (o *Options) config() map[string]any {
	environ := map[string]string{"SERVER_SOFTWARE": o.Software, "GATEWAY_INTERFACE": "CGI/1.1"}
	for key, value := range o.Environ {
		environ[key] = value
	}
	return map[string]any{
		"app":          o.App,
		"chdir":        o.Chdir,
		"pythonpath":   append([]string{}, o.Path...),
		"class":        string(o.Class),
		"threads":      o.Threads,
		"connections":  o.Connections,
		"environ":      environ,
		"credit":       initialCredit,
		"flush":        flushTime.Seconds(),
		"extensions":   o.Hub != nil,
		"returns":      true,
		"marks":        5,
		"multiprocess": o.Workers > 1,
		"validate":     o.Validate,
	}
}

// lifetime is after how many requests a worker is replaced; 0: never.
func (s *Supervisor) lifetime() int {
	n := s.options.MaxRequests
	if n > 0 && s.options.MaxRequestsJitter > 0 {
		n += rand.IntN(min(s.options.MaxRequestsJitter, math.MaxInt-n) + 1)
	}
	return n
}
