package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/weirhttp/weir/bench/internal/openloop"
)

// rateCommand is the hidden first argument with which the runner starts itself as a client that asks at fixed times.
const rateCommand = "rate"

// A rateResult is what a fixed rate has beside a closed loop.
type rateResult struct {
	Asked     float64       `json:"asked_per_second"`
	Capacity  float64       `json:"capacity_per_second,omitempty"` // of which the rate is a part
	Blocking  int64         `json:"blocking_requests,omitempty"`
	Late      time.Duration `json:"client_late_p99_ns"` // what the client itself added
	Busy      float64       `json:"client_busy"`        // share of the time in which the client was on a core
	Histogram string        `json:"hdr_histogram"`      // of the latencies in us, in HdrHistogram's V2 compressed encoding
}

const (
	busyClient = 0.85 // from here on a figure is the client's as much as the server's
	lateClient = 0.5  // likewise, as a part of the latency
)

// bottleneck tells whether the client was one: it had no core to spare, or half of the p99 is its own lateness.
func (l *loadResult) bottleneck() bool {
	return l.Rate != nil && (l.Rate.Busy > busyClient || float64(l.Rate.Late) > lateClient*float64(l.P99))
}

// rateArgs asks c's requests at a rate; 0 is as many as are answered.
func rateArgs(c benchCase, routes map[string]string, addr string, rate float64, length time.Duration) []string {
	return []string{
		rateCommand, "-addr", addr, "-connections", strconv.Itoa(c.connections),
		"-route", c.route, "-target", routes[c.route], "-sleep", routes["sleep"],
		"-close=" + strconv.FormatBool(c.closing), "-every", strconv.Itoa(c.every), "-slow", strconv.Itoa(c.slow),
		"-rate", strconv.FormatFloat(rate, 'f', 0, 64), "-duration", length.String(),
	}
}

// rateMain is the client process: figures as JSON on standard output.
func rateMain(args []string) int {
	var (
		o     openloop.Options
		slow  int
		sleep string
	)
	fs := flag.NewFlagSet(rateCommand, flag.ContinueOnError)
	fs.StringVar(&o.Addr, "addr", "", "server")
	fs.IntVar(&o.Connections, "connections", 64, "open at a time")
	fs.Float64Var(&o.Rate, "rate", 0, "requests a second")
	fs.DurationVar(&o.Length, "duration", time.Second, "how long")
	fs.BoolVar(&o.Closing, "close", false, "a connection for each request")
	fs.IntVar(&o.Every, "every", 0, "each such request blocks")
	fs.StringVar(&sleep, "sleep", "", "target of those")
	fs.IntVar(&slow, "slow", 0, "clients beside it that send an octet a second")
	want := exchangeFlags(fs)
	if err := fs.Parse(args); err != nil {
		return exitUsage
	}
	asked := func(x exchange) openloop.Request {
		return openloop.Request{Bytes: x.bytes(o.Addr, o.Closing), Check: x.answered}
	}
	o.Grace, o.Request, o.Other = grace, asked(want()), asked(exchangeOf("sleep", sleep, 0))

	stop, err := trickle(o.Addr, slow)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	defer stop()
	r, err := openloop.Run(o)
	result := &loadResult{}
	if err != nil {
		result.Problems = append(result.Problems, err.Error())
	} else {
		result.of(r, o.Rate)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return 0
}

func (l *loadResult) of(r *openloop.Result, asked float64) {
	l.Requests, l.PerSecond = r.Requests, float64(r.Requests)/r.Elapsed.Seconds()
	l.P50, l.P99 = quantile(r.Latencies, 50), quantile(r.Latencies, 99)
	l.Rate = &rateResult{Asked: asked, Blocking: r.Others, Late: quantile(r.Late, 99), Busy: r.Busy}
	encoded, err := r.Latencies.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		l.Problems = append(l.Problems, err.Error())
	}
	l.Rate.Histogram = string(encoded)
	if r.Requests == 0 {
		l.Problems = append(l.Problems, "no request was answered")
	}
}

func quantile(h *hdrhistogram.Histogram, percent float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(percent)) * time.Microsecond
}

// trickle opens connections that begin a request and then send an octet a second of it, without an end.
func trickle(addr string, count int) (stop func(), err error) {
	conns := make([]net.Conn, 0, count)
	done := make(chan struct{})
	stop = func() {
		close(done)
		closeAll(conns)
	}
	for range count {
		conn, err := net.DialTimeout("tcp", addr, grace)
		if err == nil {
			conns = append(conns, conn)
			_, err = conn.Write([]byte("GET /plaintext HTTP/1.1\r\nHost: " + addr + "\r\nX-Slow: "))
		}
		if err != nil {
			stop()
			return nil, fmt.Errorf("slow clients: %w", err)
		}
	}
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Second):
			}
			for _, conn := range conns {
				_, _ = conn.Write([]byte("x")) // a server may have had enough of it
			}
		}
	}()
	return stop, nil
}
