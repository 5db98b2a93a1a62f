package longpoll

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/bench/internal/crowd"
	"github.com/weirhttp/weir/bench/internal/program"
)

// The test program is also the server under test, and the crowd: it is started again with the arguments that weir and
// the crowd get.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case crowd.Command:
			if err := crowd.Main(os.Args[2:]); err != nil {
				os.Exit(program.Tell("crowd", err))
			}
			os.Exit(0)
		case "demo":
			fmt.Println(http.ListenAndServe(os.Args[3], newStandIn(os.Getenv("STANDIN_FAULT"))))
			os.Exit(program.Failed)
		}
	}
	os.Exit(m.Run())
}

// A standIn has the routes of weir demo, and a fault when it is told to.
type standIn struct {
	*http.ServeMux
	fault string
	mu    sync.Mutex
	news  map[string]*standInTopic // guarded by mu, as what they hold
	count int                      // of answers to polls or of messages, for the fault; guarded by mu
}

type standInTopic struct {
	messages []string // the n-th has the id n
	arrived  chan struct{}
	waiting  int
}

// leave is for who no longer waits: a message that came meanwhile has begun to count anew.
func (t *standInTopic) leave(arrived chan struct{}) {
	if t.arrived == arrived {
		t.waiting--
	}
}

func newStandIn(fault string) *standIn {
	s := &standIn{ServeMux: http.NewServeMux(), fault: fault, news: make(map[string]*standInTopic)}
	s.HandleFunc("GET /plaintext", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, crowd.Greeting) })
	s.HandleFunc("GET /poll/{topic}", s.poll)
	s.HandleFunc("POST /publish/{topic}", s.publish)
	return s
}

func (s *standIn) topic(name string) *standInTopic {
	if s.news[name] == nil {
		s.news[name] = &standInTopic{arrived: make(chan struct{})}
	}
	return s.news[name]
}

func (s *standIn) poll(w http.ResponseWriter, r *http.Request) {
	seconds, _ := strconv.Atoi(r.FormValue("timeout"))
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topic(r.PathValue("topic"))
	since, err := strconv.Atoi(r.FormValue("since"))
	if err != nil {
		since = len(t.messages)
	}
	for since >= len(t.messages) {
		arrived := t.arrived
		t.waiting++
		s.mu.Unlock()
		select {
		case <-arrived:
		case <-time.After(time.Duration(seconds) * time.Second):
			s.mu.Lock()
			t.leave(arrived)
			w.WriteHeader(http.StatusNoContent)
			return
		case <-r.Context().Done():
			s.mu.Lock()
			t.leave(arrived)
			return
		}
		s.mu.Lock()
	}
	n := since
	if s.fault == "repeat" && since > 0 && s.faulty() {
		n--
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"id": n + 1, "data": t.messages[n]})
}

// faulty is true a few times, and not at the end, so that nobody waits for what follows.
func (s *standIn) faulty() bool {
	s.count++
	return s.count > 30 && s.count < 60 && s.count%7 == 0
}

func (s *standIn) publish(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topic(r.PathValue("topic"))
	if s.fault == "lose" && s.faulty() {
		_ = json.NewEncoder(w).Encode(map[string]any{"id": len(t.messages) + 1, "reached": 0})
		return
	}
	t.messages = append(t.messages, string(data))
	close(t.arrived)
	reached := t.waiting
	t.arrived, t.waiting = make(chan struct{}), 0
	if s.fault == "reach" {
		reached--
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"id": len(t.messages), "reached": reached})
}
