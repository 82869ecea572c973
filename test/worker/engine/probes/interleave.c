// Writes N numbered lines to stdout and stderr in turns, one write each, and ends without a pause.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1;
  char line[32];
  for (int n = 0; n < rounds; n++) {
    int length = snprintf(line, sizeof line, "out %d\n", n);
    if (write(1, line, length) != length) return 1;
    length = snprintf(line, sizeof line, "err %d\n", n);
    if (write(2, line, length) != length) return 1;
  }
  return 0;
}
