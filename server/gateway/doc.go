// Package gateway has the protocols by which a web server in front passes requests on: uwsgi, FastCGI and SCGI. All three carry the
// same thing: meta-variables (RFC 3875 section 4), content, and a response with a head of its own. What differs is the framing,
// which is a codec's (uwsgi.go, scgi.go, fastcgi.go). All above is here once: the connection, the environ, limits and answers.
//
// The far end is trusted: a request says by itself whose it is, and over which scheme it came.
package gateway
