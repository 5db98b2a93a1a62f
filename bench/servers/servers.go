// Package servers has the entries of the servers that are compared. README.md says what they may hold.
package servers

import "embed"

// Files has one TOML file for each server.
//
//go:embed *.toml
var Files embed.FS
