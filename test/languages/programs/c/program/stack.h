#ifndef STACK_H
#define STACK_H
#include <stddef.h>

struct stack;
struct stack *stack_new(void);
int stack_push(struct stack *, double);
int stack_pop(struct stack *, double *);
size_t stack_size(const struct stack *);
void stack_free(struct stack *);
#endif
