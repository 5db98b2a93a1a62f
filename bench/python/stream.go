package python

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/weirhttp/weir/bench/internal/proc"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// mostGrowth is how much the memory of the server, and of a worker, may grow by, in MiB.
const mostGrowth = 8.0

// streamWithin bounds a transfer.
const streamWithin = 2 * time.Minute

// warmLong is what is transferred before memory is looked at, in octets.
const warmLong = 8 << 20

// A transfer is a way of long content.
type transfer struct {
	title string
	more  []string // arguments of weir
	run   func(client *http.Client, s *server, size int64) error
}

var transfers = []transfer{
	{"up", nil, upload},
	{"up with --stream-bodies", []string{"--stream-bodies"}, upload},
	{"down", nil, download},
}

// stream moves long content through weir to an application that streams, and looks at the most memory that its processes have had.
func (m *measurer) stream() {
	r, found := m.row(weir)
	if !found {
		return
	}
	size := m.o.sizes.long
	for _, t := range transfers {
		title := fmt.Sprintf("%s %s: growth of peak RSS, ", mebibytes(float64(size)/(1<<20)), t.title)
		bar := "at most " + mebibytes(mostGrowth)
		server, worker := m.line(title+"server", bar), m.line(title+"worker", bar)
		var servers, workers, rates []float64
		verdict.Times(m.ctx, min(m.o.rounds, fewRounds), func(int) (string, error) {
			g, err := m.streamOnce(r, t, size)
			if err != nil {
				return "", err
			}
			servers, workers, rates = append(servers, g.server), append(workers, g.worker), append(rates, g.perSecond)
			return fmt.Sprintf("%s: server %s, worker %s, %.0f MiB/s", t.title, mebibytes(g.server), mebibytes(g.worker), g.perSecond), nil
		}, server, worker)
		server.JudgeMedian(servers, mostGrowth, mebibytes)
		worker.JudgeMedian(workers, mostGrowth, mebibytes)
		if len(rates) > 0 {
			server.Note("%.0f MiB/s", verdict.Median(rates))
		}
	}
}

// A growth is in MiB, that of the worker which has grown most.
type growth struct{ server, worker, perSecond float64 }

func (m *measurer) streamOnce(r row, t transfer, size int64) (g growth, err error) {
	s, err := m.startWith(r, "stream", t.more...)
	if err != nil {
		return g, err
	}
	defer s.Stop()
	client := &http.Client{Timeout: streamWithin, Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	for range 4 { // so that both workers have seen some
		if err := t.run(client, s, min(warmLong, size)); err != nil {
			return g, s.why(err)
		}
	}
	master := s.Processes[0].Pid()
	pids := append([]int{master}, proc.Children(master)...)
	for _, pid := range pids {
		if err := proc.ResetPeak(pid); err != nil {
			m.results.remark("%s: the peak of RSS cannot be reset, so growth counts from that of the time before: %v", t.title, err)
			break
		}
	}
	before, err := peaks(pids)
	if err != nil {
		return g, err
	}
	began := time.Now()
	if err := t.run(client, s, size); err != nil {
		return g, s.why(err)
	}
	g.perSecond = float64(size) / (1 << 20) / time.Since(began).Seconds()
	after, err := peaks(pids)
	if err != nil {
		return g, err
	}
	grown := make([]float64, len(pids))
	for i := range pids {
		grown[i] = max(float64(after[i]-before[i])/(1<<20), 0)
	}
	if len(grown) < 2 {
		return g, errors.New("weir has no workers")
	}
	g.server, g.worker = grown[0], slices.Max(grown[1:])
	return g, nil
}

func peaks(pids []int) (values []int64, err error) {
	for _, pid := range pids {
		bytes, err := proc.PeakBytes(pid)
		if err != nil {
			return nil, err
		}
		values = append(values, bytes)
	}
	return values, nil
}

// zeros is content without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func upload(client *http.Client, s *server, size int64) error {
	request, err := http.NewRequest(http.MethodPost, "http://"+s.Addr+"/up", io.LimitReader(zeros{}, size))
	if err != nil {
		return err
	}
	request.ContentLength = size
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err == nil && (response.StatusCode != http.StatusOK || string(content) != fmt.Sprint(size)) {
		err = fmt.Errorf("an upload of %d octets is answered with %s %.60q", size, response.Status, content)
	}
	return err
}

func download(client *http.Client, s *server, size int64) error {
	response, err := client.Get(fmt.Sprintf("http://%s/down?%d", s.Addr, size))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || n != size) {
		err = fmt.Errorf("a download of %d octets is answered with %s and %d octets", size, response.Status, n)
	}
	return err
}

func mebibytes(v float64) string {
	if v >= 1024 {
		return fmt.Sprintf("%g GiB", v/1024)
	}
	return fmt.Sprintf("%.1f MiB", v)
}
