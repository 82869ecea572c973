/* A child that init follows by ptrace, from its exec to the first system call with a certain path. */
#ifndef TRACE_H
#define TRACE_H

#include <stdint.h>
#include <sys/types.h>

/*
 * The kernel leaves so much room for a stack to grow as its limit is when the program is executed, and no more later (mmap_base in
 * its arch/x86/mm/mmap.c and its kin). A traced program is executed before anybody knows how large its stack may be: so there is
 * room for any that a node could have the memory for, which is a matter of addresses alone.
 */
#define TRACED_STACK_MAX ((uint64_t)1 << 36)

/* In the child, before it executes the program: its parent may trace it. 0, or an errno. */
int ask_to_be_traced(void);
/*
 * Lets `pid` go on to its first system call that is given `path`, as it stands or as an absolute path below this process's
 * folder. 0: it ended, took too long, or cannot be traced here.
 */
int run_until_path(pid_t pid, const char *path, uint64_t stack);
/* The program goes on, and is nobody's any more. 0, or -1 when it was killed meanwhile. */
int stop_tracing(pid_t pid);

#endif
