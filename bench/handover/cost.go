package handover

import (
	"fmt"
	"time"

	"github.com/weirhttp/weir/bench/internal/interval"
	"github.com/weirhttp/weir/bench/internal/verdict"
)

// mostRatio is how much more CPU a request may take when calls are watched than when they are not.
const mostRatio = 1.03

var costLoads = []load{
	{title: "64 connections", connections: 64},
	{title: "256 connections, 16 requests pipelined", connections: 256, pipelined: true},
}

// cost compares the CPU a request with that of a server which is promised that nothing blocks.
func (m *measurer) cost() {
	for _, load := range costLoads {
		l := m.line("CPU a /plaintext request against --inline, "+load.title, fmt.Sprintf("95 %% interval not above %.2f", mostRatio))
		var watched, inline []float64
		m.times(m.o.rounds, func(round int) (string, error) {
			us, err := m.costRound(load, round)
			if err != nil {
				return "", err
			}
			watched, inline = append(watched, us[0]), append(inline, us[1])
			return fmt.Sprintf("%s: %.3f us, inline %.3f us, ratio %.3f", load.title, us[0], us[1], us[0]/us[1]), nil
		}, l)
		judgeRatio(l, watched, inline)
	}
}

func judgeRatio(l *verdict.Line, watched, inline []float64) {
	of, err := interval.OfRatio(watched, inline)
	if err != nil {
		l.Note("%v", err)
		return
	}
	l.Judge(of.Low <= mostRatio, fmt.Sprintf("%.3f", of.Ratio),
		fmt.Sprintf("%.3f to %.3f; %.3f us and %.3f us", of.Low, of.High, verdict.Median(watched), verdict.Median(inline)))
	switch {
	case len(watched) < leastRounds:
		l.Verdict = verdict.NotJudged
	case l.Verdict == verdict.Met && of.High > mostRatio:
		l.Verdict = fmt.Sprintf("met, %.2f lies inside", mostRatio)
	}
}

// costRound has a process of its own for each, because where one lands in memory makes a difference that no number of its
// runs tells apart from one of the code. Each has two runs, A B B A or B A A B, so that a machine that becomes busier in the
// course of a round is so for both. The figures are us a request, watched and inline.
func (m *measurer) costRound(load load, round int) (us [2]float64, err error) {
	arguments := [2][]string{nil, {"--inline"}}
	first, second := round%2, 1-round%2
	var servers [2]*server
	for _, i := range []int{first, second} {
		if servers[i], err = m.start(arguments[i]...); err != nil {
			return us, err
		}
		defer servers[i].stop()
		if _, err := m.wrk(servers[i], load, time.Second); err != nil {
			return us, err
		}
	}
	var taken, requests [2]float64
	for _, i := range []int{first, second, second, first} {
		before, err := servers[i].CPU()
		if err != nil {
			return us, err
		}
		result, err := m.wrk(servers[i], load, m.o.sizes.run)
		if err != nil {
			return us, err
		}
		after, err := servers[i].CPU()
		if err != nil {
			return us, err
		}
		taken[i] += float64((after - before).Nanoseconds()) / 1e3
		requests[i] += float64(result.Requests)
	}
	for i := range us {
		us[i] = taken[i] / requests[i]
	}
	return us, nil
}
