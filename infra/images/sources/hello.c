/*
 * The greeting of hello-world: one static program of a few kilobytes, alone in its image. It speaks to the kernel
 * directly where that is known, so that no C library goes in.
 */
static const char greeting[] =
    "\n"
    "Hello from Docker!\n"
    "This text was written by a program inside a container, so everything in between works:\n"
    "\n"
    "  - the image was found: on this machine already, or pulled from a registry;\n"
    "  - the Engine made a container out of it and started its one program, /hello;\n"
    "  - what the program wrote came all the way back to you.\n"
    "\n"
    "The program has ended, and with it the container.\n"
    "\n"
    "Something bigger to try: run busybox with the command  echo it works\n"
    "\n";

#define LENGTH (sizeof greeting - 1)

#if defined(__x86_64__)
static long call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}
#define WRITE 1
#define EXIT 60
#elif defined(__aarch64__)
static long call(long number, long a, long b, long c) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}
#define WRITE 64
#define EXIT 93
#else
#error "hello.c knows x86_64 and aarch64: add the system call convention of this machine"
#endif

void _start(void) {
  unsigned long done = 0;
  while (done < LENGTH) {
    long wrote = call(WRITE, 1, (long)(greeting + done), (long)(LENGTH - done));
    if (wrote <= 0) break;
    done += (unsigned long)wrote;
  }
  call(EXIT, done == LENGTH ? 0 : 1, 0, 0);
  for (;;) {
  }
}
