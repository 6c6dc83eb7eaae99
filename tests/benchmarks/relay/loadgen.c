/* The load for the relay benchmark: a server that answers, and clients that measure.
 *
 * In C, because a Python client would be the bottleneck. One thread and one epoll set on each side; it knows
 * nothing of the relay between them. Results are printed as "name value" lines.
 *
 *   loadgen serve                          prints its port; echoes; one connection in mode 'S' is a source
 *   loadgen rtt PORT SECONDS               one connection, 64 bytes: rtt_p50_us, rtt_p99_us
 *   loadgen messages PORT SECONDS CONNS    64-byte ping-pong: messages_per_s
 *   loadgen sessions PORT SECONDS CONNS    connect, request, half-close, answer, close: sessions_per_s
 *   loadgen bulk PORT MIB WAYS             upload ('1') or upload and download together ('2'): gbit_per_s
 *   loadgen idle PORT CONNS                opens them, says so, and waits for end of input
 */
#define _GNU_SOURCE
#include "../load.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MESSAGE = 64, CHUNK = 256 * 1024, EVENTS = 512 };
static char buffer[CHUNK];

static void read_all(int fd, size_t want) {
    while (want) {
        ssize_t n = read(fd, buffer, want < CHUNK ? want : CHUNK);
        if (n <= 0) die("short answer");
        want -= n;
    }
}

static void write_all(int fd, size_t want) {
    while (want) {
        ssize_t n = write(fd, buffer, want < CHUNK ? want : CHUNK);
        if (n <= 0) die("write");
        want -= n;
    }
}

/* --- the server ------------------------------------------------------------------------------------ */

/* Each connection's first byte chooses: 'E' echo, 'K' sink, 'S' source (sends until the peer is gone). */
static char modes[1 << 16];

static int serve_source(int fd) {
    for (;;) {
        ssize_t n = write(fd, buffer, CHUNK);
        if (n < 0) return errno == EAGAIN ? 0 : -1;
    }
}

static int serve_reader(int fd) {
    for (;;) {
        ssize_t n = read(fd, buffer, CHUNK);
        if (n == 0) return -1;
        if (n < 0) return errno == EAGAIN ? 0 : -1;
        if (!modes[fd]) modes[fd] = buffer[0];
        if (modes[fd] == 'S') return serve_source(fd);
        if (modes[fd] == 'E' && write(fd, buffer, n) != n) return -1;
    }
}

static void serve(void) {
    struct epoll_event events[EVENTS], e = {.events = EPOLLIN};
    struct sockaddr_in a = loopback(0);
    socklen_t length = sizeof a;
    int one = 1, set = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 4096)) die("listen");
    getsockname(listener, (struct sockaddr *)&a, &length);
    printf("port %d\n", ntohs(a.sin_port));
    fflush(stdout);
    e.data.fd = listener;
    epoll_ctl(set, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(set, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    modes[fd] = 0;
                    e.events = EPOLLIN | EPOLLOUT | EPOLLET;
                    e.data.fd = fd;
                    epoll_ctl(set, EPOLL_CTL_ADD, fd, &e);
                }
            } else if ((modes[fd] == 'S' ? serve_source(fd) : serve_reader(fd)) < 0) {
                close(fd);
            }
        }
    }
}

/* --- the clients ----------------------------------------------------------------------------------- */

static void rtt(int port, double seconds) {
    static double samples[1 << 20];
    int count = 0, fd = dial(port);
    double end = now() + seconds;
    while (now() < end && count < 1 << 20) {
        double start = now();
        write_all(fd, MESSAGE);
        read_all(fd, MESSAGE);
        samples[count++] = now() - start;
        usleep(200); /* idle in between: this is the latency of a quiet connection */
    }
    qsort(samples, count, sizeof *samples, by_value);
    printf("rtt_p50_us %.1f\nrtt_p99_us %.1f\n", samples[count / 2] * 1e6, samples[count * 99 / 100] * 1e6);
}

static void messages(int port, double seconds, int connections) {
    struct epoll_event events[EVENTS], e = {.events = EPOLLIN};
    int set = epoll_create1(0);
    long done = 0;
    for (int i = 0; i < connections; i++) {
        e.data.fd = dial(port);
        epoll_ctl(set, EPOLL_CTL_ADD, e.data.fd, &e);
        write_all(e.data.fd, MESSAGE);
    }
    double start = now(), end = start + seconds;
    while (now() < end) {
        int n = epoll_wait(set, events, EVENTS, 1000);
        for (int i = 0; i < n; i++, done++) {
            read_all(events[i].data.fd, MESSAGE);
            write_all(events[i].data.fd, MESSAGE);
        }
    }
    printf("messages_per_s %.0f\n", done / (now() - start));
}

static int begin_session(int port, int set) {
    struct epoll_event e = {.events = EPOLLIN};
    int fd = dial(port);
    write_all(fd, MESSAGE);
    shutdown(fd, SHUT_WR);
    e.data.fd = fd;
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &e);
    return fd;
}

static void sessions(int port, double seconds, int connections) {
    struct epoll_event events[EVENTS];
    int set = epoll_create1(0);
    long done = 0;
    for (int i = 0; i < connections; i++) begin_session(port, set);
    double start = now(), end = start + seconds;
    while (now() < end) {
        int n = epoll_wait(set, events, EVENTS, 1000);
        for (int i = 0; i < n; i++) {
            ssize_t got = read(events[i].data.fd, buffer, CHUNK);
            if (got > 0) continue; /* the answer; its FIN is another event */
            if (got < 0) die("session");
            close(events[i].data.fd);
            begin_session(port, set);
            done++;
        }
    }
    printf("sessions_per_s %.0f\n", done / (now() - start));
}

static void bulk(int port, long mib, int ways) {
    struct epoll_event events[2], e = {.events = EPOLLOUT};
    int set = epoll_create1(0), up = dial(port), down = ways == 2 ? dial(port) : -1;
    long left_up = mib << 20, left_down = ways == 2 ? mib << 20 : 0;
    buffer[0] = 'K';
    write_all(up, 1);
    fcntl(up, F_SETFL, O_NONBLOCK);
    e.data.fd = up;
    epoll_ctl(set, EPOLL_CTL_ADD, up, &e);
    if (down >= 0) {
        buffer[0] = 'S';
        write_all(down, 1);
        fcntl(down, F_SETFL, O_NONBLOCK);
        e = (struct epoll_event){.events = EPOLLIN, .data.fd = down};
        epoll_ctl(set, EPOLL_CTL_ADD, down, &e);
    }
    double start = now();
    while (left_up > 0 || left_down > 0) {
        int n = epoll_wait(set, events, 2, 5000);
        if (n <= 0) die("bulk stalled");
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            ssize_t moved = fd == up ? write(fd, buffer, CHUNK) : read(fd, buffer, CHUNK);
            if (moved < 0 && errno != EAGAIN) die("bulk");
            if (moved <= 0) continue;
            if (fd == up && (left_up -= moved) <= 0) {
                fcntl(up, F_SETFL, 0);
                shutdown(up, SHUT_WR);
                read(up, buffer, 1); /* the sink has read everything when it closes */
                epoll_ctl(set, EPOLL_CTL_DEL, up, NULL);
            } else if (fd == down && (left_down -= moved) <= 0) {
                epoll_ctl(set, EPOLL_CTL_DEL, down, NULL);
                close(down);
            }
        }
    }
    printf("gbit_per_s %.3f\n", (mib << 20) * 8.0 * ways / (now() - start) / 1e9);
}

static void idle(int port, int connections) {
    for (int i = 0; i < connections; i++) {
        int fd = dial(port);
        buffer[0] = 'E';
        write_all(fd, 1);
        read_all(fd, 1);
    }
    printf("open %d\n", connections);
    fflush(stdout);
    while (getchar() != EOF) {
    }
}

int main(int argc, char **argv) {
    struct rlimit files;
    const char *what = argc > 1 ? argv[1] : "";
    int port = argc > 2 ? atoi(argv[2]) : 0;
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    buffer[0] = 'E';
    if (!strcmp(what, "serve")) serve();
    else if (!strcmp(what, "rtt") && argc == 4) rtt(port, atof(argv[3]));
    else if (!strcmp(what, "messages") && argc == 5) messages(port, atof(argv[3]), atoi(argv[4]));
    else if (!strcmp(what, "sessions") && argc == 5) sessions(port, atof(argv[3]), atoi(argv[4]));
    else if (!strcmp(what, "bulk") && argc == 5) bulk(port, atol(argv[3]), atoi(argv[4]));
    else if (!strcmp(what, "idle") && argc == 4) idle(port, atoi(argv[3]));
    else return fprintf(stderr, "usage: see the head of loadgen.c\n"), 2;
    return 0;
}
