//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package loop

// weir runs on Linux, macOS and the BSDs. The undefined name below is this message, given by the compiler.
var _ = weir_does_not_support_this_operating_system_it_needs_epoll_or_kqueue
