package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/weirhttp/weir/bench/internal/child"
)

// nodes is how many there are of each kind.
const nodes = 3

// stream is that of the weirs.
const stream = "bench"

// servers are all processes. The main goroutine starts them.
type servers struct {
	dir   string
	nats  [nodes]*engine
	weirs [nodes]*weir
}

// engine is a NATS server.
type engine struct {
	*child.Process
	name          string
	argv          []string
	addr, monitor string
}

// weir serves the demo.
type weir struct {
	*child.Process
	addr, admin string
}

func startServers(ctx context.Context, o *options) (s *servers, err error) {
	s = &servers{}
	if s.dir, err = os.MkdirTemp("", "weir-cluster-"); err != nil {
		return nil, err
	}
	if err := s.start(ctx, o); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *servers) start(ctx context.Context, o *options) error {
	ports := child.NewPorts(21000)
	var err error
	free := func() (port int, addr string) {
		var e error
		if port, addr, e = ports.Free(); e != nil {
			err = e
		}
		return port, addr
	}
	var routes, urls []string
	for i := range s.nats {
		clients, addr := free()
		_, cluster := free()
		monitor, at := free()
		name := fmt.Sprint("nats", i)
		s.nats[i] = &engine{name: name, addr: addr, monitor: at, argv: []string{o.nats, "--addr", "127.0.0.1", "--port", fmt.Sprint(clients), "--http_port", fmt.Sprint(monitor),
			"--name", name, "--cluster_name", "bench", "--cluster", "nats://" + cluster, "--jetstream", "--store_dir", filepath.Join(s.dir, name)}}
		routes, urls = append(routes, "nats://"+cluster), append(urls, "nats://"+addr)
	}
	if err != nil {
		return err
	}
	for _, e := range s.nats {
		e.argv = append(e.argv, "--routes", strings.Join(routes, ","))
		if err := e.start(); err != nil {
			return err
		}
	}
	for _, e := range s.nats {
		if err := e.AwaitReady(ctx, func() error { return get("http://" + e.monitor + "/healthz?js-enabled-only=true") }); err != nil {
			return err
		}
	}
	for i := range s.weirs {
		_, addr := free()
		_, admin := free()
		if err != nil {
			return err
		}
		w := &weir{addr: addr, admin: admin}
		w.Process, err = child.Start(fmt.Sprint("weir", i), []string{o.weir, "demo", "--bind", addr, "--admin", admin, "--hub", strings.Join(urls, ","), "--hub-stream", stream, "--hub-replicas", fmt.Sprint(nodes)}, nil)
		if err != nil {
			return err
		}
		s.weirs[i] = w
	}
	for _, w := range s.weirs {
		// The first election is among what is waited for.
		if err := w.AwaitReadyWithin(ctx, time.Minute, func() error { return get("http://" + w.admin + "/readyz") }); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) start() (err error) {
	e.Process, err = child.Start(e.name, e.argv, nil)
	return err
}

// kill ends a process as a loss of power would.
func kill(p *child.Process) error { return syscall.Kill(p.Pid(), syscall.SIGKILL) }

// leader is the NATS server that has to be killed for the stream to be without one.
func (s *servers) leader() (*engine, error) {
	response, err := client.Get("http://" + s.nats[0].monitor + "/jsz?streams=true")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var told struct {
		Accounts []struct {
			Streams []struct {
				Name    string
				Cluster struct{ Leader string }
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	if err := json.NewDecoder(response.Body).Decode(&told); err != nil {
		return nil, err
	}
	for _, account := range told.Accounts {
		for _, detail := range account.Streams {
			i := slices.IndexFunc(s.nats[:], func(e *engine) bool { return e.name == detail.Cluster.Leader })
			if detail.Name == stream && i >= 0 {
				return s.nats[i], nil
			}
		}
	}
	return nil, fmt.Errorf("NATS names no leader of stream %s", stream)
}

// stop ends all processes, and removes their files.
func (s *servers) stop() {
	var processes []*child.Process
	for _, w := range s.weirs {
		if w != nil && w.Process != nil {
			processes = append(processes, w.Process)
		}
	}
	for _, e := range s.nats {
		if e != nil && e.Process != nil {
			processes = append(processes, e.Process)
		}
	}
	child.Stop(processes...)
	_ = os.RemoveAll(s.dir)
}

// client asks servers. It waits for a publication for longer than weir does.
var client = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}}

func get(url string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is answered with %s", url, response.Status)
	}
	return nil
}
