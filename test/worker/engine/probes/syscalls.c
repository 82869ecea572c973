// Tries what a sandbox must not do, and prints one line each: NAME=0 when it succeeded, else NAME=ERRNO.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *name, long result) {
  printf("%s=%d\n", name, result < 0 ? errno : 0);
}

#define TRY(name, ...) (errno = 0, tell(#name, syscall(SYS_##name, __VA_ARGS__)))

static int child(void *unused) {
  (void)unused;
  return 0;
}

static long clone_with(int flags) {
  static char stack[65536] __attribute__((aligned(16)));
  errno = 0;
  int pid = clone(child, stack + sizeof stack, flags | SIGCHLD, NULL);
  if (pid > 0) waitpid(pid, NULL, 0);
  return pid;
}

static long open_socket(int domain, int type, int protocol) {
  errno = 0;
  int fd = socket(domain, type, protocol);
  if (fd >= 0) close(fd);
  return fd;
}

static long trace_child(void) {
  int pid = fork();
  if (pid == 0) {
    pause();
    _exit(0);
  }
  errno = 0;
  long result = ptrace(PTRACE_ATTACH, pid, 0, 0);
  int saved = errno;
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  errno = saved;
  return result;
}

static int one = 1, pair[2];

static long set_option(int fd, int level, int name) {
  errno = 0;
  return setsockopt(fd, level, name, &one, sizeof one);
}

static long lock(int command) {
  struct flock all = {.l_type = F_WRLCK};
  int fd = memfd_create("x", 0);
  errno = 0;
  return fcntl(fd, command, &all);
}

/** What is asked of a descriptor that is not open: EBADF comes from past the filter. */
static long past_filter(long answer) {
  return answer < 0 && errno == EBADF ? 0 : answer;
}

static long device_control(unsigned long number) {
  return past_filter(syscall(SYS_ioctl, -1, number, 0));
}

int main(void) {
  char nothing[256] = {0};
  TRY(mount, "none", "/tmp", "tmpfs", 0, 0);
  TRY(umount2, "/tmp", 0);
  TRY(pivot_root, "/tmp", "/tmp");
  TRY(fsopen, "tmpfs", 0);
  TRY(open_tree, -100, "/tmp", 0);
  TRY(move_mount, -1, "", -1, "", 0);
  TRY(setns, 0, 0);
  TRY(unshare, CLONE_NEWUSER);
  TRY(chroot, "/tmp");
  TRY(bpf, 0, nothing, sizeof nothing);
  TRY(perf_event_open, nothing, 0, -1, -1, 0);
  TRY(userfaultfd, 0);
  TRY(io_uring_setup, 1, nothing);
  TRY(keyctl, 0, -3, 0, 0, 0);
  TRY(add_key, "user", "x", "y", 1, -3);
  TRY(request_key, "user", "x", 0, -3);
  TRY(kexec_load, 0, 0, 0, 0);
  TRY(init_module, nothing, 0, "");
  TRY(finit_module, 0, "", 0);
  TRY(delete_module, "x", 0);
  TRY(reboot, 0, 0, 0, 0);
  TRY(swapon, "/tmp/x", 0);
  TRY(swapoff, "/tmp/x");
  TRY(settimeofday, 0, 0);
  TRY(clock_settime, 0, nothing);
  TRY(sethostname, "x", 1);
  TRY(open_by_handle_at, -1, nothing, 0);
  TRY(name_to_handle_at, -100, "/", nothing, nothing, 0);
  TRY(process_vm_readv, getpid(), 0, 0, 0, 0, 0);
  TRY(process_vm_writev, getpid(), 0, 0, 0, 0, 0);
  TRY(pidfd_getfd, 0, 0, 0);
  TRY(kcmp, getpid(), getpid(), 0, 0, 0);
  TRY(syslog, 3, nothing, sizeof nothing);
  TRY(acct, 0);
  TRY(quotactl, 0, 0, 0, 0);
  TRY(fanotify_init, 0, 0);
  TRY(iopl, 3);
  TRY(modify_ldt, 0, nothing, sizeof nothing);
  TRY(memfd_secret, 0);
  TRY(io_setup, 1, nothing);
  TRY(io_submit, 0, 0, 0);
  struct clone_args new_thread = {.exit_signal = SIGCHLD};
  TRY(clone3, &new_thread, sizeof new_thread);

  tell("clone_newuser", clone_with(CLONE_NEWUSER));
  tell("clone_newnet", clone_with(CLONE_NEWNET));
  tell("clone_newns", clone_with(CLONE_NEWNS));
  tell("clone_plain", clone_with(0));
  tell("personality_linux", personality(0));
  tell("personality_read_implies_exec", personality(0x0400000));
  tell("socket_unix", open_socket(AF_UNIX, SOCK_STREAM, 0));
  tell("socket_inet", open_socket(AF_INET, SOCK_STREAM, 0));
  tell("socket_inet6", open_socket(AF_INET6, SOCK_DGRAM, 0));
  tell("socket_netlink_route", open_socket(AF_NETLINK, SOCK_RAW, 0));
  tell("socket_netlink_netfilter", open_socket(AF_NETLINK, SOCK_RAW, 12));
  tell("socket_alg", open_socket(38, SOCK_SEQPACKET, 0));
  tell("socket_vsock", open_socket(40, SOCK_STREAM, 0));
  tell("socket_packet", open_socket(AF_PACKET, SOCK_RAW, 0));
  tell("socket_raw", open_socket(AF_INET, SOCK_RAW, 1));
  tell("socket_bluetooth", open_socket(31, SOCK_RAW, 1));
  tell("socket_unix_seqpacket", open_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  tell("socket_unix_protocol", open_socket(AF_UNIX, SOCK_STREAM, 1));
  tell("socket_tcp", open_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 6));
  tell("socket_udp6", open_socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 17));
  tell("socket_ping", open_socket(AF_INET, SOCK_DGRAM, 1));
  tell("socket_ping6", open_socket(AF_INET6, SOCK_DGRAM, 58));
  tell("socket_sctp", open_socket(AF_INET, SOCK_STREAM, 132));
  tell("socket_sctp_seqpacket", open_socket(AF_INET, SOCK_SEQPACKET, 0));
  tell("socket_mptcp", open_socket(AF_INET6, SOCK_STREAM, 262));
  tell("socket_mptcp_high_bits", syscall(SYS_socket, 2L | 1L << 40, 1L | 1L << 40, 262L | 1L << 40));
  tell("socket_dccp", open_socket(AF_INET, SOCK_DCCP, 33));
  tell("socket_udplite", open_socket(AF_INET, SOCK_DGRAM, 136));
  tell("socket_smc", open_socket(AF_INET, SOCK_STREAM, 256));
  tell("socket_l2tp", open_socket(AF_INET, SOCK_DGRAM, 115));
  tell("socket_netlink_diag", open_socket(AF_NETLINK, SOCK_RAW, 4));
  tell("socketpair_inet", socketpair(AF_INET, SOCK_STREAM, 0, pair));

  int stream = socket(AF_INET6, SOCK_STREAM, 0);
  tell("option_reuse_address", set_option(stream, SOL_SOCKET, SO_REUSEADDR));
  tell("option_receive_buffer", set_option(stream, SOL_SOCKET, SO_RCVBUF));
  tell("option_no_delay", set_option(stream, IPPROTO_TCP, TCP_NODELAY));
  tell("option_user_timeout", set_option(stream, IPPROTO_TCP, TCP_USER_TIMEOUT));
  tell("option_fast_open", set_option(stream, IPPROTO_TCP, TCP_FASTOPEN));
  tell("option_v6_only", set_option(stream, IPPROTO_IPV6, IPV6_V6ONLY));
  tell("option_class6", set_option(stream, IPPROTO_IPV6, IPV6_TCLASS));
  tell("option_type_of_service", set_option(stream, IPPROTO_IP, IP_TOS));
  tell("option_error_queue", set_option(stream, IPPROTO_IP, IP_RECVERR));
  tell("option_keys", set_option(stream, IPPROTO_TCP, 14));
  tell("option_keys_extended", set_option(stream, IPPROTO_TCP, 32));
  tell("option_keys_high_bits", syscall(SYS_setsockopt, stream, 6L | 1L << 40, 14L | 1L << 40, &one, sizeof one));
  tell("option_other_protocol", set_option(stream, IPPROTO_TCP, 31));
  tell("option_multicast_ttl", past_filter(syscall(SYS_setsockopt, -1, 0L, (long)IP_MULTICAST_TTL, &one, sizeof one)));
  tell("option_multicast_all", set_option(stream, IPPROTO_IP, IP_MULTICAST_ALL));
  tell("option_group4", set_option(stream, IPPROTO_IP, IP_ADD_MEMBERSHIP));
  tell("option_group4_of_source", set_option(stream, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP));
  tell("option_group4_of_any", set_option(stream, IPPROTO_IP, MCAST_JOIN_GROUP));
  tell("option_group4_of_any_source", set_option(stream, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP));
  tell("option_group4_high_bits", past_filter(syscall(SYS_setsockopt, -1, 0L, 35L | 1L << 40, &one, sizeof one)));
  tell("option_group6", set_option(stream, IPPROTO_IPV6, IPV6_JOIN_GROUP));
  tell("option_group6_of_any", set_option(stream, IPPROTO_IPV6, MCAST_JOIN_GROUP));
  tell("option_anycast6", set_option(stream, IPPROTO_IPV6, IPV6_JOIN_ANYCAST));
  tell("option_flow_label", set_option(stream, IPPROTO_IPV6, 32));
  tell("option_all_options6", set_option(stream, IPPROTO_IPV6, 6));
  tell("option_bind_by_index", past_filter(syscall(SYS_setsockopt, -1, 1L, 62L, &one, sizeof one)));
  tell("option_time_stamps_high_bits", syscall(SYS_setsockopt, stream, 1L, 37L | 1L << 40, &one, sizeof one));
  tell("option_peek_offset", past_filter(syscall(SYS_setsockopt, -1, 1L, 42L, &one, sizeof one)));
  tell("option_group6_high_bits", past_filter(syscall(SYS_setsockopt, -1, 41L, 20L | 1L << 40, &one, sizeof one)));
  tell("option_time_stamps", set_option(stream, SOL_SOCKET, SO_TIMESTAMPING));
  tell("option_time_stamps_new", set_option(stream, SOL_SOCKET, 65));
  tell("option_zero_copy", set_option(stream, SOL_SOCKET, SO_ZEROCOPY));
  tell("huge_map", mmap(NULL, 1 << 21, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) == MAP_FAILED ? -1 : 0);
  tell("huge_file", memfd_create("x", MFD_HUGETLB));
  tell("huge_shared", shmget(IPC_PRIVATE, 1 << 21, 0600 | SHM_HUGETLB));
  tell("ioctl_terminal_size", device_control(TIOCGWINSZ));
  tell("ioctl_not_blocking", device_control(FIONBIO));
  tell("ioctl_flags", device_control(FS_IOC_GETFLAGS));
  tell("ioctl_clone", device_control(FICLONE));
  tell("ioctl_clone_range", device_control(FICLONERANGE));
  tell("ioctl_terminal_lock", device_control(TIOCSPTLCK));
  tell("ioctl_set_flags", device_control(FS_IOC_SETFLAGS));
  tell("ioctl_set_flags_high_bits", device_control(FS_IOC_SETFLAGS | 1L << 63));
  tell("ioctl_set_project", device_control(FS_IOC_FSSETXATTR));
  tell("ioctl_reserve", device_control(0x40305828));
  tell("ioctl_reserve64", device_control(0x4030582a));
  tell("ioctl_reserve64_high_bits", device_control(0x4030582a | 1L << 40));
  tell("ioctl_zero_range", device_control(0x40305839));
  tell("ioctl_subvolume", device_control(0x5000940e));
  tell("lock_of_process", lock(F_SETLK));
  tell("lock_of_description", lock(37));
  tell("lock_of_description_high_bits", syscall(SYS_fcntl, stream, 37L | 1L << 40, nothing));
  tell("ptrace_own_child", trace_child());
  return 0;
}
