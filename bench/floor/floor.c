/* floor: what the machine itself allows. It accepts, reads, counts requests by the blank lines behind their heads, and writes as many
 * copies of fixed bytes. It parses nothing, so it is no server: the distance to it is what a server adds.
 *
 *	floor PORT LOOPS [close]
 *
 * Each loop is a thread with an epoll and a listening socket (SO_REUSEPORT) of its own. With close, a connection is closed behind its
 * first answer. Linux only. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 256, ROOM = 64 << 10, EVENTS = 256, MOST_DESCRIPTORS = 1 << 20 };

/* BATCH answers back to back, so that a pipelined burst leaves in one write. There are two of them: while one is in use the other
 * gets the next second's date. */
struct batch {
	size_t one;
	char bytes[BATCH * 256];
};
static struct batch batches[2];
static _Atomic int current;

/* How much of CR LF CR LF the connection has sent so far; each descriptor belongs to one loop. */
static unsigned char seen[MOST_DESCRIPTORS];

static int port, closing;

static void die(const char *what) {
	perror(what);
	exit(1);
}

static void render(struct batch *b) {
	char date[64];
	time_t now = time(NULL);
	struct tm utc;
	gmtime_r(&now, &utc);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
	int n = snprintf(b->bytes, 256, "HTTP/1.1 200 OK\r\nServer: floor\r\nDate: %s\r\n%sContent-Type: text/plain\r\n"
		"Content-Length: 13\r\n\r\nHello, World!", date, closing ? "Connection: close\r\n" : "");
	b->one = (size_t)n;
	for (int i = 1; i < BATCH; i++)
		memcpy(b->bytes + (size_t)i * b->one, b->bytes, b->one);
}

static int listening(void) {
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0)
		die("bind");
	if (listen(fd, 4096) != 0)
		die("listen");
	return fd;
}

/* count tells how many heads end in what was read, and remembers one that is cut. */
static size_t count(int fd, const char *p, size_t n) {
	size_t requests = 0;
	const char *end = p + n;
	unsigned char state = seen[fd];
	while (p < end) {
		if (state == 0) { /* the next CR, at the pace of memchr */
			p = memchr(p, '\r', (size_t)(end - p));
			if (p == NULL)
				break;
			state = 1;
			p++;
			continue;
		}
		char wanted = state & 1 ? '\n' : '\r';
		if (*p != wanted) {
			state = *p == '\r';
		} else if (++state == 4) {
			requests++;
			state = 0;
		}
		p++;
	}
	seen[fd] = state;
	return requests;
}

/* answer is false when the connection is over. A socket that does not take all at once is closed: no client here is that slow. */
static int answer(int fd, size_t requests) {
	const struct batch *b = &batches[atomic_load_explicit(&current, memory_order_acquire)];
	while (requests > 0) {
		size_t some = requests < BATCH ? requests : BATCH, size = some * b->one;
		if (send(fd, b->bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
			return 0;
		requests -= some;
		if (closing)
			return 0;
	}
	return 1;
}

static void serve(int fd, char *room) {
	ssize_t n = recv(fd, room, ROOM, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || !answer(fd, count(fd, room, (size_t)n)))
		close(fd);
}

static void take(int poller, int listener) {
	for (;;) {
		int yes = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		if (fd >= MOST_DESCRIPTORS) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
		seen[fd] = 0;
		struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
		if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) != 0)
			close(fd);
	}
}

static void *loop(void *unused) {
	(void)unused;
	int poller = epoll_create1(EPOLL_CLOEXEC), listener = listening();
	char *room = malloc(ROOM);
	struct epoll_event events[EVENTS], e = {.events = EPOLLIN, .data.fd = listener};
	if (poller < 0 || room == NULL || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e) != 0)
		die("loop");
	for (;;) {
		int n = epoll_wait(poller, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				take(poller, listener);
			else
				serve(events[i].data.fd, room);
		}
	}
	return NULL;
}

int main(int argc, char **argv) {
	if (argc < 3 || argc > 4 || (port = atoi(argv[1])) <= 0 || atoi(argv[2]) <= 0 || (argc == 4 && strcmp(argv[3], "close") != 0)) {
		fprintf(stderr, "usage: floor PORT LOOPS [close]\n");
		return 2;
	}
	closing = argc == 4;
	signal(SIGPIPE, SIG_IGN);
	render(&batches[0]);
	for (int i = atoi(argv[2]); i > 0; i--) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, loop, NULL) != 0)
			die("pthread_create");
	}
	for (int next = 1;; next = !next) {
		sleep(1);
		render(&batches[next]);
		atomic_store_explicit(&current, next, memory_order_release);
	}
}
