/* Opens as many connections as it can, of one kind, and says how many it tried: flood KIND ADDRESS COUNT */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in to = {.sin_family = AF_INET};

static int one(int type) {
    int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
    if (fd < 0) perror("socket"), exit(1);
    return fd;
}

/* One packet of a socket of its own, so from a port of its own. */
static void from_new_port(int type, unsigned short port) {
    int fd = one(type);
    to.sin_port = htons(port);
    connect(fd, (struct sockaddr *)&to, sizeof to);
    if (type != SOCK_STREAM) send(fd, "x", 1, 0);
    close(fd);
}

int main(int argc, char **argv) {
    if (argc != 4 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) return 2;
    const char *kind = argv[1];
    int count = atoi(argv[3]);
    int udp = one(SOCK_DGRAM);
    for (int i = 1; i <= count; i++) {
        if (strcmp(kind, "udp") == 0) {
            to.sin_port = htons((unsigned short)(1 + i % 65535));
            sendto(udp, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
        } else if (strcmp(kind, "dns") == 0) {
            from_new_port(SOCK_DGRAM, 53);
        } else if (strcmp(kind, "tcp") == 0) {
            from_new_port(SOCK_STREAM, (unsigned short)(1 + i % 65535));
        } else {
            return 2;
        }
    }
    printf("tried %d\n", count);
    fflush(stdout);
    pause();
}
