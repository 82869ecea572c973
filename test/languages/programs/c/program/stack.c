#include "stack.h"

#include <stdlib.h>

struct stack {
    double *values;
    size_t size, room;
};

struct stack *stack_new(void) { return calloc(1, sizeof(struct stack)); }

int stack_push(struct stack *stack, double value) {
    if (stack->size == stack->room) {
        size_t room = stack->room == 0 ? 4 : 2 * stack->room;
        double *values = realloc(stack->values, room * sizeof *values);
        if (values == NULL) return 0;
        stack->values = values;
        stack->room = room;
    }
    stack->values[stack->size++] = value;
    return 1;
}

int stack_pop(struct stack *stack, double *value) {
    if (stack->size == 0) return 0;
    *value = stack->values[--stack->size];
    return 1;
}

size_t stack_size(const struct stack *stack) { return stack->size; }

void stack_free(struct stack *stack) {
    if (stack != NULL) free(stack->values);
    free(stack);
}
