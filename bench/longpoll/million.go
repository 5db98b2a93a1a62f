package longpoll

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/weirhttp/weir/bench/internal/crowd"
	"github.com/weirhttp/weir/bench/internal/proc"
	"github.com/weirhttp/weir/bench/internal/program"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

const millionLimit = 10 * time.Minute // for its crowds, the first of which waits for the last

// million spreads sockets over several server processes, each with a crowd of its own, and adds up their memory. Then
// every server wakes its clients, one after the other, which shows that all of them were held.
func (m *measurer) million() {
	z := m.o.sizes
	growth := m.figure(fmt.Sprintf("%s waiting sockets over %d server processes, RSS growth in all", thousands(z.million), z.millionShares), megabytes, 600)
	if err := roomFor(z.million, z.millionShares); err != nil {
		growth.Failures = append(growth.Failures, fmt.Sprintf("not feasible here: %v", err))
		return
	}
	verdict.Times(m.ctx, 1, func(int) (string, error) { return m.millionOnce(growth) }, growth.Line)
	m.judge(growth)
}

func (m *measurer) millionOnce(growth *figure) (told string, err error) {
	z := m.o.sizes
	// The clients go first: a server that is to end with clients waiting would give them time.
	var servers []*server
	defer func() { stop(servers...) }()
	ctx, dismiss := context.WithCancel(m.ctx)
	var crowds []*crowd.Company
	defer func() {
		dismiss()
		for _, c := range crowds {
			c.Dismiss()
		}
	}()
	for range z.millionShares {
		s, err := m.startWarm()
		if err != nil {
			return "", err
		}
		servers = append(servers, s)
	}
	if err := program.Pause(ctx, z.settle*3/2); err != nil {
		return "", err
	}
	free := availableMemory()
	before, err := residentAll(servers)
	if err != nil {
		return "", err
	}
	began := time.Now()
	for i, s := range servers {
		clients := share(z.million, z.millionShares, i)
		p := m.plan(s, crowd.Plan{Mode: crowd.ModeWake, Number: 1 + i, Clients: clients, Topics: 1})
		p.Limit, p.Settle = millionLimit, 0 // they have waited long enough
		c, err := crowd.Gather(ctx, p)
		if err != nil {
			return "", err
		}
		crowds = append(crowds, c)
		if err := c.AwaitWaiting(clients); err != nil {
			return "", fmt.Errorf("process %d: %w", i+1, err)
		}
		if (i+1)%10 == 0 {
			fmt.Fprintf(os.Stderr, "  %d of %d processes have their clients\n", i+1, len(servers))
		}
	}
	opening := time.Since(began)
	if err := program.Pause(ctx, z.settle*3/2); err != nil {
		return "", err
	}
	after, err := residentAll(servers)
	if err != nil {
		return "", err
	}
	taken := free - availableMemory()
	woken := 0
	var slowest time.Duration
	for i, c := range crowds {
		report, err := c.GoOn(1)
		if err != nil {
			return "", fmt.Errorf("process %d: %w", i+1, err)
		}
		woken += share(z.million, z.millionShares, i)
		slowest = max(slowest, report.Wakes[0].Last)
	}
	total := float64(after - before)
	growth.values = append(growth.values, total/1e6)
	growth.Note("%s clients of 127.0.0.0/8 connected in %.0f s, %.0f bytes of the servers each; all woken, a message for each process, "+
		"the slowest in %s; with the clients and the kernel's part the machine's free memory fell by %.0f MB",
		thousands(woken), opening.Seconds(), total/float64(z.million), milliseconds(inMilliseconds(slowest)), float64(taken)/1e6)
	return megabytes(total / 1e6), nil
}

// share is the i-th of n nearly equal parts.
func share(total, n, i int) int { return total*(i+1)/n - total*i/n }

func residentAll(servers []*server) (total int64, err error) {
	for _, s := range servers {
		bytes, err := s.Resident()
		if err != nil {
			return 0, err
		}
		total += bytes
	}
	return total, nil
}

// What a connection within one machine takes: two sockets.
const (
	kernelBytes    = 9 << 10 // both ends, with their files and places in pollers
	clientBytes    = 100     // of the crowd
	serverBytes    = 600     // with the bar and some more
	shareBytes     = 40 << 20
	ownDescriptors = 200 // of a process, beside the connections
)

// roomFor is an error about the first limit that is too low.
func roomFor(sockets, processes int) error {
	each := (sockets + processes - 1) / processes
	if limit := proc.DescriptorLimit(); limit < each+ownDescriptors {
		return fmt.Errorf("a process may have %d descriptors, %d are needed (ulimit -Hn)", limit, each+ownDescriptors)
	}
	files, err := kernelNumbers("/proc/sys/fs/file-nr", 3)
	if err != nil {
		return err
	}
	if free, need := files[2]-files[0], int64(2*(sockets+processes*ownDescriptors)); free < need {
		return fmt.Errorf("the system has room for %d open files, %d are needed (fs.file-max)", free, need)
	}
	watches, err := kernelNumbers("/proc/sys/fs/epoll/max_user_watches", 1)
	if err != nil {
		return err
	}
	if need := int64(2 * sockets); watches[0] < need {
		return fmt.Errorf("a user may watch %d descriptors, %d are needed (fs.epoll.max_user_watches)", watches[0], need)
	}
	ports, err := kernelNumbers("/proc/sys/net/ipv4/ip_local_port_range", 2)
	if err != nil {
		return err
	}
	if room := (ports[1] - ports[0]) * crowd.SourceCount / 2; room < int64(each) {
		return fmt.Errorf("there are ports for %d connections to a process, %d are needed (net.ipv4.ip_local_port_range)", room, each)
	}
	if need := int64(sockets)*(kernelBytes+clientBytes+serverBytes) + int64(processes)*shareBytes; availableMemory() < need {
		return fmt.Errorf("%d MB of memory are free, %d are needed", availableMemory()>>20, need>>20)
	}
	return trackingRoom(sockets)
}

// trackingRoom looks at the table of the firewall's connection tracking, where that is at work: it drops packets when
// the table is full. A table that stays empty is not at work.
func trackingRoom(sockets int) error {
	most, err := kernelNumbers("/proc/sys/net/netfilter/nf_conntrack_max", 1)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	count, err := kernelNumbers("/proc/sys/net/netfilter/nf_conntrack_count", 1)
	if err != nil {
		return err
	}
	if count[0] > 0 && most[0]-count[0] < int64(sockets) {
		return fmt.Errorf("the firewall tracks %d connections at most, %d are needed (net.netfilter.nf_conntrack_max)", most[0], sockets)
	}
	return nil
}
