/* The load for the API's benchmark, in C because a Python client would be the bottleneck on a machine of few cores.
 *
 * Who transfers and who calls do the same: send a message on one of N connections when its time has come, wait for the
 * whole answer. With a rate, each message has a time at which it is due, and its latency counts from then on, also
 * where it had to wait for the answer before it. Results are printed as "name value" lines.
 *
 *   load transfer PORT SECONDS CONNECTIONS RATE BYTES   messages to a server that echoes; RATE 0: as fast as they go
 *   load call     PORT SECONDS CONNECTIONS RATE PATH    requests to an API
 *   load follow   PORT SECONDS CONNECTIONS PATH         reads streams that do not end
 */
#define _GNU_SOURCE
#include "../load.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 1024, BUFFER = 1 << 20, MOST_SAMPLES = 1 << 20 };
static char buffer[BUFFER];

static struct {
    int fd, busy;
    long sent;     /* messages so far */
    double due;    /* of the message that is under way */
    size_t left;   /* bytes of its answer */
} peers[MOST_CONNECTIONS];

static double samples[MOST_SAMPLES];

static int dial_all(int port, int connections) {
    int set = epoll_create1(0);
    if (connections > MOST_CONNECTIONS) die("too many connections");
    for (int i = 0; i < connections; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
        peers[i].fd = dial(port);
        epoll_ctl(set, EPOLL_CTL_ADD, peers[i].fd, &e);
    }
    return set;
}

static void write_all(int fd, const char *from, size_t want) {
    for (ssize_t n; want; from += n, want -= n)
        if ((n = write(fd, from, want)) <= 0) die("write");
}

/* Sends what is due; returns in how many seconds the next message is. */
static double send_due(const char *message, size_t length, size_t answer, int connections, double rate, double start) {
    double next = 1.0, t = now();
    for (int i = 0; i < connections; i++) {
        if (peers[i].busy) continue;
        double due = rate ? start + (peers[i].sent * (double)connections + i) / rate : t;
        if (due > t) {
            if (due - t < next) next = due - t;
            continue;
        }
        peers[i].due = due;
        peers[i].busy = 1;
        peers[i].left = answer;
        peers[i].sent++;
        write_all(peers[i].fd, message, length);
    }
    return next;
}

/* Exchanges messages until the time is over. Each answer has to begin with `begin`. */
static void exchange(int set, const char *message, size_t length, size_t answer, const char *begin, double seconds,
                     int connections, double rate) {
    struct epoll_event events[MOST_CONNECTIONS];
    long done = 0;
    double start = now(), end = start + seconds, t;
    while ((t = now()) < end) {
        double next = send_due(message, length, answer, connections, rate, start);
        if (next > end - t) next = end - t;
        struct timespec patience = {.tv_sec = next, .tv_nsec = (next - (long)next) * 1e9};
        int n = epoll_pwait2(set, events, MOST_CONNECTIONS, &patience, NULL);
        for (int k = 0; k < n; k++) {
            int i = events[k].data.u32;
            ssize_t got = read(peers[i].fd, buffer, peers[i].left < BUFFER ? peers[i].left : BUFFER);
            if (got <= 0) die("the answer did not come");
            if (peers[i].left == answer && memcmp(buffer, begin, strlen(begin))) die("another answer than expected");
            if (peers[i].left -= got) continue;
            peers[i].busy = 0;
            samples[done++ % MOST_SAMPLES] = now() - peers[i].due;
        }
    }
    double took = now() - start;
    long kept = done < MOST_SAMPLES ? done : MOST_SAMPLES;
    if (!kept) die("nothing was answered");
    qsort(samples, kept, sizeof *samples, by_value);
    printf("per_s %.1f\np50_us %.1f\np99_us %.1f\n", done / took, samples[kept / 2] * 1e6, samples[kept * 99 / 100] * 1e6);
}

static void transfer(int port, double seconds, int connections, double rate, size_t bytes) {
    char *message = calloc(1, bytes);
    message[0] = 'E'; /* what the server of the relay's benchmark takes for: echo */
    exchange(dial_all(port, connections), message, bytes, bytes, "E", seconds, connections, rate);
}

/* How long the answer to a request is, from one. */
static size_t answer_length(int port, const char *request) {
    size_t got = 0;
    int fd = dial(port);
    write_all(fd, request, strlen(request));
    for (;;) {
        ssize_t n = read(fd, buffer + got, BUFFER - got - 1);
        if (n <= 0) die("no answer");
        buffer[got += n] = 0;
        char *head = strstr(buffer, "\r\n\r\n"), *length = strcasestr(buffer, "content-length: ");
        if (!head || !length) continue;
        size_t whole = head + 4 - buffer + atol(length + 16);
        if (got < whole) continue;
        close(fd);
        return whole;
    }
}

static void call(int port, double seconds, int connections, double rate, const char *path) {
    char request[1024];
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    size_t answer = answer_length(port, request);
    exchange(dial_all(port, connections), request, length, answer, "HTTP/1.1 200", seconds, connections, rate);
}

static void follow(int port, double seconds, int connections, const char *path) {
    struct epoll_event events[MOST_CONNECTIONS];
    char request[1024];
    long received[MOST_CONNECTIONS] = {0}, least, most;
    int set = dial_all(port, connections);
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    for (int i = 0; i < connections; i++) write_all(peers[i].fd, request, length);
    for (double end = now() + seconds; now() < end;) {
        int n = epoll_wait(set, events, MOST_CONNECTIONS, 10);
        for (int k = 0; k < n; k++) {
            int i = events[k].data.u32;
            ssize_t got = read(peers[i].fd, buffer, BUFFER);
            if (got <= 0) die("a stream has ended");
            received[i] += got;
        }
    }
    least = most = received[0];
    for (int i = 1; i < connections; i++) {
        if (received[i] < least) least = received[i];
        if (received[i] > most) most = received[i];
    }
    printf("least_bytes %ld\nmost_bytes %ld\n", least, most);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (argc == 7 && !strcmp(what, "transfer"))
        transfer(atoi(argv[2]), atof(argv[3]), atoi(argv[4]), atof(argv[5]), atol(argv[6]));
    else if (argc == 7 && !strcmp(what, "call"))
        call(atoi(argv[2]), atof(argv[3]), atoi(argv[4]), atof(argv[5]), argv[6]);
    else if (argc == 6 && !strcmp(what, "follow"))
        follow(atoi(argv[2]), atof(argv[3]), atoi(argv[4]), argv[5]);
    else return fprintf(stderr, "usage: see the head of load.c\n"), 2;
    return 0;
}
