/* CPU time that the step takes, of all its processes. */
#ifndef SPENT_H
#define SPENT_H

#include <stdint.h>

/* Before its program runs. */
void begin_spent(void);
/* What the program had used before that, as it was started ahead: it is not the step's. */
void spent_before(uint64_t us);
/* What a child had used that has been waited for. */
void add_spent(uint64_t us);
/* So far, in us. Without `live` nothing of it runs any more. */
uint64_t spent_us(int live);

#endif
