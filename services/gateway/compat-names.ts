/** Protocols of other systems that can be answered (compat/), each below `/` and its name. */
export const compatNames: readonly string[] = ['piston', 'fusion', 'judge0'];
