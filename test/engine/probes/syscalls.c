// Tries what a sandbox must not do, and prints one line each: NAME=0 when it succeeded, else NAME=ERRNO.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
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
  tell("ptrace_own_child", trace_child());
  return 0;
}
