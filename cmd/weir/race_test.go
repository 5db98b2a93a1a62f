//go:build race

package main

// underRace tells that the race detector runs, under which all takes several times as long.
const underRace = true
