/* A child that init follows with ptrace, from its exec to its first system call with a given path. */
#ifndef TRACE_H
#define TRACE_H

#include <stdint.h>
#include <sys/types.h>

/*
 * When a program is executed, the kernel keeps room for its stack to grow up to the limit of that moment. It never keeps more later
 * (mmap_base in arch/x86/mm/mmap.c, and the same for other processors). A traced program is executed before its stack limit is known.
 * So there is room for any stack that a node could have the memory for. This takes only addresses, not memory.
 */
#define TRACED_STACK_MAX ((uint64_t)1 << 36)

/* To be called in the child, before it executes the program: lets the parent trace it. Returns 0 or an errno. */
int ask_to_be_traced(void);
/*
 * Lets `pid` go on to its first system call with `path`, either exactly as given or as an absolute path below this process's folder.
 * Returns 0 when the program ended, took too long, or cannot be traced here.
 */
int run_until_path(pid_t pid, const char *path, uint64_t stack);
/* Lets the program go on, without a tracer. Returns 0, or -1 when it was killed meanwhile. */
int stop_tracing(pid_t pid);

#endif
