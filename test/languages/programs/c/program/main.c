/* Evaluates lines in reverse Polish notation. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack.h"

static int apply(struct stack *stack, const char *word) {
    double b, a;
    if (!stack_pop(stack, &b)) return 0;
    if (strcmp(word, "sqrt") == 0) return stack_push(stack, sqrt(b));
    if (!stack_pop(stack, &a)) return 0;
    switch (word[0]) {
    case '+': return stack_push(stack, a + b);
    case '-': return stack_push(stack, a - b);
    case '*': return stack_push(stack, a * b);
    case '/': return b != 0 && stack_push(stack, a / b);
    case '^': return stack_push(stack, pow(a, b));
    default: return 0;
    }
}

int main(void) {
    char line[256];
    for (int number = 1; fgets(line, sizeof line, stdin) != NULL; number++) {
        struct stack *stack = stack_new();
        int fine = stack != NULL;
        for (char *word = strtok(line, " \n"); fine && word != NULL; word = strtok(NULL, " \n")) {
            char *end;
            double value = strtod(word, &end);
            fine = *end == '\0' ? stack_push(stack, value) : apply(stack, word);
        }
        double result;
        if (fine && stack_size(stack) == 1 && stack_pop(stack, &result)) printf("%d: %.10g\n", number, result);
        else printf("%d: error\n", number);
        stack_free(stack);
    }
    return 0;
}
