package proxyproto

// For the tests of the grammar.
var (
	Length = length
	Parse  = parse
)
