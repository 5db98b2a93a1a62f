package main

import (
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/weirhttp/weir/bench/internal/crowd"
)

// Pushpin is a proxy: it asks an origin what to do with a request, and holds it itself when the origin answers with
// Grip-Hold. Messages go to its control port. Debian's package runs as several processes that the first one starts.

// pushpinConfig has words in capitals for what is to be put there. hub/grip's tests have the same.
//
//go:embed pushpin.conf
var pushpinConfig string

// Pushpin answers 502 to what exceeds a queue of 100 requests to zurl, so requests come slowly, and the few that are
// refused all the same come again, which the report tells. The figures are about clients that wait already.
func pushpinRow() row {
	r := row{name: "Pushpin", peer: true, settle: 2, atOnce: 10, pace: 500, retry: true, prepare: preparePushpin}
	for _, program := range []string{"pushpin", "condure", "zurl"} {
		if _, err := exec.LookPath(program); err != nil {
			r.missing = "no " + program + " (apt-get install pushpin condure zurl)"
		}
	}
	return r
}

func preparePushpin(port int) (l launch, err error) {
	dir, err := os.MkdirTemp("", "longpoll-pushpin-")
	if err != nil {
		return l, err
	}
	origin, err := startOrigin()
	l.clean = func() {
		if origin != nil {
			_ = origin.Close()
		}
		_ = os.RemoveAll(dir)
	}
	defer func() {
		if err != nil {
			l.clean()
		}
	}()
	if err != nil {
		return l, err
	}
	control, _, err := ports.Free()
	if err != nil {
		return l, err
	}
	config := strings.NewReplacer("DIR", dir, "PORT", fmt.Sprint(port), "CONTROL", fmt.Sprint(control),
		"KEY", "changeme", "LEVEL", "1", "CLIENTS", "50000").Replace(pushpinConfig)
	err = errors.Join(
		os.Mkdir(filepath.Join(dir, "run"), 0o755),
		os.Mkdir(filepath.Join(dir, "log"), 0o755),
		os.WriteFile(filepath.Join(dir, "routes"), []byte("* "+origin.Addr+"\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "pushpin.conf"), []byte(config), 0o644),
	)
	l.argv = []string{"pushpin", "--config", filepath.Join(dir, "pushpin.conf"), "-m"}
	l.publish, l.grip = local(control), true
	l.rest = 2 * time.Second // its processes find each other: a request that is to be held is answered with 500 before
	return l, err
}

// startOrigin serves what is behind Pushpin. It does nothing while a message is on its way.
func startOrigin() (*http.Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /plaintext", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(crowd.Greeting)) // Pushpin notices
	})
	mux.HandleFunc("GET /poll/{topic}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Grip-Hold", "response")
		w.Header().Set("Grip-Channel", r.PathValue("topic"))
		w.Header().Set("Grip-Timeout", r.URL.Query().Get("timeout"))
	})
	s := &http.Server{Addr: listener.Addr().String(), Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(listener) }() // until Close
	return s, nil
}
