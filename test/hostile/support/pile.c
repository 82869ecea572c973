// Piles up objects of the kernel:  pile KIND PROCESSES MOST SECONDS
// Each of PROCESSES makes at most MOST of KIND, or until the kernel refuses; each says how many there were, and all are held for SECONDS; with 0 until the last one is made.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static char junk[65536];
static int who;

static struct sockaddr_in loopback(int fd) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  bind(fd, (void *)&at, sizeof at);
  getsockname(fd, (void *)&at, &size);
  return at;
}

static void widen(int fd) {
  int most = 64 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &most, sizeof most);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
}

// Answers of a routing socket, never read: of a wrong request comes back an error, request included.
static int netlink(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (fd < 0) return -1;
  widen(fd);
  static struct nlmsghdr ask[1024];
  for (int i = 0; i < 1024; i++) ask[i] = (struct nlmsghdr){.nlmsg_len = sizeof *ask, .nlmsg_type = 77, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
  for (int i = 0; i < 64; i++)
    if (send(fd, ask, sizeof ask, MSG_DONTWAIT) < 0) break;
  return 0;
}

static int netlink_dumps(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (fd < 0) return -1;
  struct {
    struct nlmsghdr head;
    struct ifinfomsg about;
  } ask = {{.nlmsg_len = sizeof ask, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}, {0}};
  for (int i = 0; i < 64; i++)
    if (send(fd, &ask, sizeof ask, MSG_DONTWAIT) < 0) break;
  return 0;
}

// Sent to one another's port, never read.
static int netlink_peers(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (fd < 0) return -1;
  widen(fd);
  struct sockaddr_nl at = {.nl_family = AF_NETLINK};
  socklen_t size = sizeof at;
  bind(fd, (void *)&at, sizeof at);
  getsockname(fd, (void *)&at, &size);
  int from = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  for (int i = 0; i < 1024; i++)
    if (sendto(from, junk, 32768, MSG_DONTWAIT, (void *)&at, size) < 0) return i == 0 ? -1 : 0;
  return 0;
}

static int udp(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return -1;
  widen(fd);
  struct sockaddr_in at = loopback(fd);
  for (int i = 0; i < 256; i++)
    if (sendto(fd, junk, 60000, MSG_DONTWAIT, (void *)&at, sizeof at) < 0) return i == 0 ? -1 : 0;
  return 0;
}

static int udp_corked(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return -1;
  widen(fd);
  struct sockaddr_in at = loopback(fd);
  return sendto(fd, junk, 60000, MSG_DONTWAIT | MSG_MORE, (void *)&at, sizeof at) < 0 ? -1 : 0;
}

static int ping(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
  if (fd < 0) return -1;
  widen(fd);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  char ask[60000] = {8};
  for (int i = 0; i < 256; i++)
    if (sendto(fd, ask, sizeof ask, MSG_DONTWAIT, (void *)&at, sizeof at) < 0) return i == 0 ? -1 : 0;
  return 0;
}

static int tcp_of(int protocol) {
  static int listens = -1;
  static struct sockaddr_in at;
  if (listens < 0) {
    listens = socket(AF_INET, SOCK_STREAM, protocol);
    widen(listens);
    at = loopback(listens);
    listen(listens, 4096);
  }
  int fd = socket(AF_INET, SOCK_STREAM, protocol);
  if (fd < 0) return -1;
  widen(fd);
  if (connect(fd, (void *)&at, sizeof at) < 0 || accept(listens, NULL, NULL) < 0) return -1;
  for (int i = 0; i < 512; i++)
    if (send(fd, junk, sizeof junk, MSG_DONTWAIT) < 0) return i == 0 ? -1 : 0;
  return 0;
}
static int tcp(void) { return tcp_of(0); }

// Connections that nobody accepts: the kernel makes their sockets by itself, in nobody's name.
static int tcp_waiting_of(size_t bytes) {
  static int listens = -1, count;
  static struct sockaddr_in at;
  if (listens < 0 || ++count % 4000 == 0) {
    listens = socket(AF_INET, SOCK_STREAM, 0);
    widen(listens);
    at = loopback(listens);
    if (listen(listens, 4096) < 0) return -1;
  }
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (void *)&at, sizeof at) < 0) return -1;
  if (bytes > 0) widen(fd);
  for (size_t sent = 0; sent < bytes; sent += sizeof junk)
    if (send(fd, junk, sizeof junk, MSG_DONTWAIT) < 0) break;
  close(fd);
  return 0;
}
static int tcp_waiting(void) { return tcp_waiting_of(8 << 20); }
static int tcp_empty(void) { return tcp_waiting_of(0); }

static int udp_hidden_socket(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return -1;
  widen(fd);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(9)};
  if (sendto(fd, junk, 60000, MSG_DONTWAIT | MSG_MORE, (void *)&at, sizeof at) < 0) return -1;
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  return connect(fd, &none, sizeof none) < 0 ? -1 : fd;
}
static int udp_hidden(void) { return udp_hidden_socket(); }

// The same, in messages that nobody reads: in no table of open files either.
static int udp_in_flight(void) {
  int pair[2], many[250];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0) return -1;
  char room[CMSG_SPACE(sizeof many)] = {0};
  struct iovec one = {junk, 1};
  struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  *CMSG_FIRSTHDR(&message) = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof many)};
  for (int i = 0; i < 250; i++)
    if ((many[i] = udp_hidden_socket()) < 0) return -1;
  memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), many, sizeof many);
  int sent = sendmsg(pair[0], &message, MSG_DONTWAIT);
  for (int i = 0; i < 250; i++) close(many[i]);
  return sent < 0 ? -1 : 0;
}

// The same, each 500 in the table of a thread that has one for itself.
static int udp_of_thread(void *done) {
  for (int i = 0; i < 500; i++)
    if (udp_hidden_socket() < 0) break;
  *(volatile int *)done = 1;
  while (pause() < 0) {}
  return 0;
}
static int udp_in_threads(void) {
  volatile int done = 0;
  char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack == MAP_FAILED || clone(udp_of_thread, stack + 65536, CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD, (void *)&done) < 0) return -1;
  while (!done) usleep(1000);
  return 0;
}
static int mptcp(void) { return tcp_of(262); }

// Keys of TCP's signatures: as many as a socket's options may take.
static int tcp_keys(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return -1;
  for (int i = 0; i < 2000; i++) {
    struct tcp_md5sig key = {.tcpm_keylen = 80};
    struct sockaddr_in *at = (void *)&key.tcpm_addr;
    at->sin_family = AF_INET;
    at->sin_addr.s_addr = htonl(0x0a000000 + i);
    if (setsockopt(fd, IPPROTO_TCP, 14, &key, sizeof key) < 0) return i == 0 ? -1 : 0;
  }
  return 0;
}

// As many groups as a socket may join, each with as many sources as it may name.
static int groups4_of(int sources) {
  static unsigned group = 0xe0010000;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return -1;
  for (int i = 0; i < 20; i++, group++) {
    struct in_addr at = {htonl(group + ((unsigned)who << 20))}, here = {htonl(INADDR_LOOPBACK)};
    struct ip_mreq all = {at, here};
    if (sources == 0 && setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &all, sizeof all) < 0) return -1;
    for (int source = 0; source < sources; source++) {
      struct ip_mreq_source one = {at, here, {htonl(0x0a000001u + (unsigned)source)}};
      if (setsockopt(fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &one, sizeof one) < 0) return -1;
    }
  }
  return 0;
}
static int groups4(void) { return groups4_of(0); }
static int sources4(void) { return groups4_of(10); }

static int groups6(void) {
  int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  if (fd < 0) return -1;
  for (int i = 0; i < 3000; i++) {
    struct ipv6_mreq group = {.ipv6mr_interface = 1};
    group.ipv6mr_multiaddr.s6_addr[0] = 0xff;
    group.ipv6mr_multiaddr.s6_addr[1] = 1;
    memcpy(group.ipv6mr_multiaddr.s6_addr + 12, &i, 4);
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group) < 0) return i == 0 ? -1 : 0;
  }
  return 0;
}

static int socket_filter(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return -1;
  static struct sock_filter code[4096];
  for (int i = 0; i < 2000; i++) code[i] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, i);
  code[1999] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
  struct sock_fprog program = {2000, code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static int unix_pair(int type) {
  int fd[2];
  if (socketpair(AF_UNIX, type, 0, fd) < 0) return -1;
  widen(fd[0]);
  widen(fd[1]);
  for (int i = 0; i < 512; i++)
    if (send(fd[0], junk, 32768, MSG_DONTWAIT) < 0) return i == 0 ? -1 : 0;
  return 0;
}
static int unix_stream(void) { return unix_pair(SOCK_STREAM); }
static int unix_datagrams(void) { return unix_pair(SOCK_DGRAM); }

// Connections that nobody accepts, their own end closed.
static int unix_waiting(void) {
  static int listens = -1;
  static struct sockaddr_un at = {.sun_family = AF_UNIX};
  static int number, count;
  if (listens < 0 || ++count % 4000 == 0) {
    listens = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(at.sun_path + 1, 40, "%d-%d", who, number++);
    if (bind(listens, (void *)&at, sizeof at) < 0 || listen(listens, 4096) < 0) return -1;
  }
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0 || connect(fd, (void *)&at, sizeof at) < 0) return -1;
  send(fd, junk, 1024, MSG_DONTWAIT);
  close(fd);
  return 0;
}

static int in_flight(void) {
  int fd[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fd) < 0) return -1;
  widen(fd[0]);
  char room[CMSG_SPACE(250 * sizeof(int))] = {0};
  struct iovec one = {junk, 1};
  struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  *head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(250 * sizeof(int))};
  for (int i = 0; i < 250; i++) ((int *)CMSG_DATA(head))[i] = eventfd(0, 0);
  int sent = sendmsg(fd[0], &message, MSG_DONTWAIT);
  for (int i = 0; i < 250; i++) close(((int *)CMSG_DATA(head))[i]);
  return sent < 0 ? -1 : 0;
}

static int pipes(void) {
  int fd[2];
  if (pipe2(fd, O_NONBLOCK) < 0) return -1;
  fcntl(fd[1], F_SETPIPE_SZ, 1 << 20);
  int i = 0;
  while (write(fd[1], junk, sizeof junk) > 0) i++;
  return i == 0 ? -1 : 0;
}

// Pages that are unmapped at once, and stay in the pipe.
static int vmspliced(void) {
  int fd[2];
  if (pipe2(fd, O_NONBLOCK) < 0) return -1;
  fcntl(fd[1], F_SETPIPE_SZ, 1 << 20);
  size_t size = 1 << 20;
  char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (pages == MAP_FAILED) return -1;
  memset(pages, 1, size);
  struct iovec all = {pages, size};
  long done = vmsplice(fd[1], &all, 1, 2 /* SPLICE_F_NONBLOCK */ | 8 /* GIFT */);
  munmap(pages, size);
  return done > 0 ? 0 : -1;
}

static int shm_sysv(void) {
  int id = shmget(IPC_PRIVATE, 1 << 20, 0600);
  char *at = id < 0 ? (char *)-1 : shmat(id, NULL, 0);
  if (at == (char *)-1) return -1;
  memset(at, 1, 1 << 20);
  shmdt(at);
  return 0;
}
static int sems_sysv(void) { return semget(IPC_PRIVATE, 32000, 0600); }
static int msgs_sysv(void) {
  int id = msgget(IPC_PRIVATE, 0600);
  if (id < 0) return -1;
  struct {
    long type;
    char text[8000];
  } one = {.type = 1};
  for (int i = 0; i < 4; i++)
    if (msgsnd(id, &one, sizeof one.text, IPC_NOWAIT) < 0) return i == 0 ? -1 : 0;
  return 0;
}
static int mqueues(void) {
  static int number;
  char name[40];
  snprintf(name, sizeof name, "/%d-%d", who, number++);
  struct mq_attr how = {.mq_maxmsg = 10, .mq_msgsize = 8192};
  mqd_t queue = mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, &how);
  if (queue < 0) return -1;
  while (mq_send(queue, junk, 8192, 0) == 0) {}
  return 0;
}

static int eventfds(void) { return eventfd(0, 0); }
static int timerfds(void) { return timerfd_create(CLOCK_MONOTONIC, 0); }
static int signalfds(void) {
  sigset_t all;
  sigfillset(&all);
  return signalfd(-1, &all, 0);
}
static int epolls(void) {
  static int first = -1;
  if (first < 0) first = eventfd(0, 0);
  int fd = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  return fd < 0 ? -1 : epoll_ctl(fd, EPOLL_CTL_ADD, first, &event);
}
static int timers(void) {
  timer_t timer;
  struct sigevent how = {.sigev_notify = SIGEV_NONE};
  return timer_create(CLOCK_MONOTONIC, &how, &timer);
}
static int signals(void) {
  static int set;
  if (!set) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    set = 1;
  }
  union sigval value = {0};
  return sigqueue(getpid(), SIGRTMIN, value);
}
static int memfds(void) {
  int fd = memfd_create("x", 0);
  return fd < 0 || write(fd, junk, sizeof junk) < 0 ? -1 : 0;
}
static int secret(void) {
  int fd = syscall(SYS_memfd_secret, 0);
  if (fd < 0 || ftruncate(fd, 1 << 16) < 0) return -1;
  char *at = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return -1;
  memset(at, 1, 1 << 16);
  return 0;
}
static int watches(void) {
  static int fd = -1, number;
  if (fd < 0) fd = inotify_init();
  char name[64];
  snprintf(name, sizeof name, "/tmp/w-%d-%d", who, number++);
  int file = open(name, O_CREAT | O_RDWR, 0600);
  if (file < 0) return -1;
  close(file);
  int watch = inotify_add_watch(fd, name, IN_ALL_EVENTS);
  unlink(name);
  return watch;
}
// Events that nobody reads.
static int locks(void) {
  static int file = -1, number;
  if (file < 0 || number % 2000 == 0) {
    char name[64];
    snprintf(name, sizeof name, "/tmp/l-%d-%d", who, number);
    file = open(name, O_CREAT | O_RDWR, 0600);
    if (file < 0) return -1;
    unlink(name);
  }
  struct flock one = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2 * (number++ % 2000), .l_len = 1};
  return fcntl(file, F_SETLK, &one);
}
static int leases(void) {
  static int number;
  char name[64];
  snprintf(name, sizeof name, "/tmp/e-%d-%d", who, number++);
  int file = open(name, O_CREAT | O_RDWR, 0600);
  if (file < 0) return -1;
  unlink(name);
  return fcntl(file, F_SETLEASE, F_WRLCK);
}
static int page_tables(void) {
  char *at = mmap(NULL, 1L << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return -1;
  volatile char sum = 0;
  for (long i = 0; i < 512; i++) sum += at[i << 21];
  return 0;
}
static int maps(void) {
  static int turn;
  return mmap(NULL, 4096, ++turn % 2 ? PROT_READ : PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}
static int negative_dentries(void) {
  static long number;
  char name[128];
  snprintf(name, sizeof name, "/tmp/none-%d-%ld-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", who, number++);
  return access(name, F_OK) == 0 || errno == ENOENT ? 0 : -1;
}
static int negative_proc(void) {
  static long number;
  char name[300];
  snprintf(name, sizeof name, "/none-%d-%ld-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", who, number++);
  return access(name, F_OK) == 0 || errno == ENOENT ? 0 : -1;
}
static int inodes(void) {
  static long number;
  char name[64];
  snprintf(name, sizeof name, "/tmp/i-%d-%ld", who, number++);
  int file = open(name, O_CREAT | O_RDWR, 0600);
  if (file < 0) return -1;
  return close(file);
}
static int xattrs(void) {
  static long number;
  char name[64];
  snprintf(name, sizeof name, "/tmp/x-%d-%ld", who, number++);
  int file = open(name, O_CREAT | O_RDWR, 0600);
  if (file < 0) return -1;
  int done = fsetxattr(file, "user.x", junk, 60000, 0);
  close(file);
  return done;
}
static void *forever(void *unused) {
  pause();
  return unused;
}
static int threads(void) {
  pthread_t one;
  pthread_attr_t how;
  pthread_attr_init(&how);
  pthread_attr_setstacksize(&how, 16384);
  return pthread_create(&one, &how, forever, NULL) == 0 ? 0 : -1;
}
static int ptys(void) { return open("/dev/ptmx", O_RDWR | O_NOCTTY); }
static int aio(void) {
  unsigned long context = 0;
  return syscall(SYS_io_setup, 64, &context);
}
static int seccomps(void) {
  static struct sock_filter code[4000];
  for (int i = 0; i < 3999; i++) code[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
  code[3999] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0x7fff0000);
  struct sock_fprog program = {4000, code};
  return syscall(SYS_seccomp, 1, 0, &program);
}
static int landlock(void) {
  unsigned long rights[1] = {1};
  return syscall(SYS_landlock_create_ruleset, rights, sizeof rights, 0);
}
static int pidfds(void) { return syscall(SYS_pidfd_open, getpid(), 0); }
// Not read: what was sent, with the time at which it was.
static int stamps(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  int listens = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || listens < 0) return -1;
  struct sockaddr_in at = loopback(listens);
  if (listen(listens, 1) < 0) return -1;
  widen(fd);
  if (connect(fd, (void *)&at, sizeof at) < 0) return -1;
  int other = accept(listens, NULL, NULL);
  close(listens);
  char room[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec all = {junk, 32768};
  struct msghdr message = {.msg_iov = &all, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  *head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SO_TIMESTAMPING, .cmsg_len = CMSG_LEN(sizeof(int))};
  *(int *)CMSG_DATA(head) = 1 << 8; /* SOF_TIMESTAMPING_TX_SCHED */
  static char sink[65536];
  for (int i = 0; i < 1024; i++) {
    if (sendmsg(fd, &message, MSG_DONTWAIT) < 0) return i == 0 ? -1 : 0;
    while (recv(other, sink, sizeof sink, MSG_DONTWAIT) > 0) {}
  }
  return 0;
}
// Children that nobody waits for: the kernel adds what they used to nobody's.
static int unwaited(void) {
  signal(SIGCHLD, SIG_IGN);
  pid_t pid = fork();
  if (pid < 0) return -1;
  if (pid == 0) {
    while (clock() < CLOCKS_PER_SEC / 20) {}
    _exit(0);
  }
  wait(NULL);
  return 0;
}
// Whether a program can have the kernel call what core_pattern pipes to: with a limit of 0 it would.
static int core_limit(void) {
  struct rlimit none = {0, 0}, now = {7, 7};
  int set = setrlimit(RLIMIT_CORE, &none), done = syscall(SYS_setrlimit, RLIMIT_CORE, &none);
  getrlimit(RLIMIT_CORE, &now);
  printf("core %d %d: %ld %ld\n", set, done, (long)now.rlim_cur, (long)now.rlim_max);
  struct rlimit files = {100, 4096};
  printf("files %d\n", setrlimit(RLIMIT_NOFILE, &files));
  return 0;
}
static int interfaces(void) {
  struct ifaddrs *all;
  int found = getifaddrs(&all) == 0 && all != NULL;
  if (found) freeifaddrs(all);
  return found ? 0 : -1;
}
// To ports of loopback where nobody listens, from a new port after each 65,535.
static int connections(void) {
  static int fd = -1, port;
  if (fd < 0 || port == 65535) {
    close(fd);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    port = 0;
  }
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(++port)};
  // That nobody listens is told at the next one.
  return sendto(fd, junk, 1, 0, (void *)&to, sizeof to) < 0 && errno != ECONNREFUSED ? -1 : 0;
}
static int locked(void) {
  char *at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? -1 : mlock(at, 1 << 20);
}

static const struct {
  const char *name;
  int (*make)(void);
} kinds[] = {{"netlink", netlink}, {"netlink_dumps", netlink_dumps}, {"netlink_peers", netlink_peers}, {"udp", udp}, {"udp_corked", udp_corked}, {"ping", ping}, {"tcp", tcp}, {"mptcp", mptcp}, {"tcp_waiting", tcp_waiting}, {"tcp_empty", tcp_empty}, {"udp_hidden", udp_hidden}, {"udp_in_flight", udp_in_flight}, {"udp_in_threads", udp_in_threads}, {"tcp_keys", tcp_keys}, {"groups4", groups4}, {"sources4", sources4}, {"groups6", groups6}, {"socket_filter", socket_filter}, {"unix_stream", unix_stream}, {"unix_datagrams", unix_datagrams}, {"unix_waiting", unix_waiting}, {"in_flight", in_flight}, {"pipes", pipes}, {"vmspliced", vmspliced}, {"shm_sysv", shm_sysv}, {"sems_sysv", sems_sysv}, {"msgs_sysv", msgs_sysv}, {"mqueues", mqueues}, {"eventfds", eventfds}, {"timerfds", timerfds}, {"signalfds", signalfds}, {"epolls", epolls}, {"timers", timers}, {"signals", signals}, {"memfds", memfds}, {"secret", secret}, {"watches", watches}, {"locks", locks}, {"leases", leases}, {"page_tables", page_tables}, {"maps", maps}, {"negative_dentries", negative_dentries}, {"negative_proc", negative_proc}, {"inodes", inodes}, {"xattrs", xattrs}, {"threads", threads}, {"ptys", ptys}, {"aio", aio}, {"seccomps", seccomps}, {"landlock", landlock}, {"pidfds", pidfds}, {"locked", locked}, {"stamps", stamps}, {"unwaited", unwaited}, {"core_limit", core_limit}, {"interfaces", interfaces}, {"connections", connections}};

int main(int argc, char **argv) {
  if (argc != 5) return 64;
  int processes = atoi(argv[2]);
  long most = atol(argv[3]);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(kinds[i].name, argv[1])) continue;
    int done[2];
    if (pipe(done) < 0) return 64;
    for (who = 0; who < processes; who++) {
      pid_t pid = fork();
      if (pid != 0) continue;
      close(done[0]);
      long made = 0;
      while (made < most && kinds[i].make() >= 0) made++;
      int error = made < most ? errno : 0;
      printf("%s: %ld, then %s\n", argv[1], made, strerror(error));
      fflush(stdout);
      close(done[1]);
      if (atoi(argv[4]) > 0) pause();
      _exit(0);
    }
    close(done[1]);
    // It is held from when all of them have what they get; one that waits for ever holds what it has by then.
    struct pollfd all_done = {.fd = done[0]};
    poll(&all_done, 1, 15000);
    if (atoi(argv[4]) > 0) sleep(atoi(argv[4]));
    else while (wait(NULL) > 0) {}
    printf("held\n");
    fflush(stdout);
    kill(0, SIGKILL);
  }
  return 64;
}
